"""Mutated documents, each given to the commands that read it: understood, or refused in a line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.made_up import write_many
from benchmarks.campaign.mutation import mutate_document
from benchmarks.campaign.program import Finished, require_clean, run
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World, require_sound, state_of

__all__ = ["documents"]

COMMANDS: dict[str, tuple[str, ...]] = {
    "manifest.csv": (
        "corpus stats manifest.csv",
        "corpus check manifest.csv",
        "trials make manifest.csv -o made.txt --n-enroll 2 --models made-models.txt",
    ),
    "trials.txt": (
        "trials check trials.txt",
        "score trials.txt -o scored.txt --jobs 1",
        "evaluate trials.txt --scores scores.txt",
    ),
    "trials.csv": ("trials check trials.csv --enrollments models.txt",),
    "models.txt": (
        "trials check trials.csv --enrollments models.txt",
        "score trials.csv -o scored.txt --enrollments models.txt --jobs 1",
    ),
    "scores.txt": ("evaluate trials.txt --scores scores.txt",),
    "list.txt": ("embed --list list.txt -o out.npz --jobs 1",),
    "voices.json": ("import voices.json",),
    "voices.npz": ("import voices.npz",),
    "mine.json": ("import mine.json --existing replace", "import mine.json --existing add"),
    "model/model.toml": (
        "models show model",
        "verify ada impostor.wav --model model",
        "identify impostor.wav --model model",
    ),
    "model/encoder.onnx": ("verify ada impostor.wav --model model", "models show model"),
    "store/tuning.toml": ("stats", "verify ada impostor.wav", "list", "tune --dry-run", "doctor"),
    "recipe.toml": ("train recipe.toml -o run --corpora nowhere",),
}
"""Of each document the commands that read it, in a folder that holds all of them."""

_REFUSED_AS_IT_IS = ("train",)
"""Commands that lack something besides the document: reading it is all that they are to do."""


@contextmanager
def documents(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack; every document is read as it is first."""
    sound = folder / "sound"
    _write_all(world, sound)
    for number, command in enumerate(sorted({command for some in COMMANDS.values() for command in some})):
        finished = _run(command, Path(shutil.copytree(sound, folder / f"as it is {number}")))
        require_clean(finished)
        if finished.code == 2 and command.split()[0] not in _REFUSED_AS_IT_IS:
            raise BrokenPromiseError(f"sound documents are refused: {finished}")

    def attempt(case: Case) -> str:
        draw = case.generator()
        name = list(COMMANDS)[int(draw.integers(len(COMMANDS)))]
        command = COMMANDS[name][int(draw.integers(len(COMMANDS[name])))]
        work = Path(shutil.copytree(sound, case.folder / "work", copy_function=os.link))
        before = state_of(Path(shutil.copytree(sound / "store", case.folder / "before")))
        shutil.rmtree(work / "store")
        shutil.copytree(sound / "store", work / "store")
        data, how = mutate_document(name, (sound / name).read_bytes(), draw)
        (work / name).unlink()
        (work / name).write_bytes(data)
        (case.folder / "how.txt").write_text(f"{name}: {how}\nvoiceprint {command}\n", encoding="utf-8")
        finished = _run(command, work)
        require_clean(finished)
        if "verify" in command and finished.code == 0 and not name.startswith("model"):
            raise BrokenPromiseError(f"the impostor is accepted: {name}, {how}: {finished}")
        require_sound(work / "store")
        if finished.code == 2 and state_of(work / "store") != before:
            raise BrokenPromiseError(f"refused, and the store has changed: {name}, {how}: {finished}")
        return "refused" if finished.code == 2 else "read"

    yield attempt


def _run(command: str, work: Path) -> Finished:
    environment = {"VOICEPRINT_STORE": str(work / "store"), "VOICEPRINT_MODELS": str(work / "models")}
    return run(command.split(), folder=work, environment=environment)


def _write_all(world: World, folder: Path) -> None:
    """Write every document as it should be, with the sound that they speak of."""
    folder.mkdir()
    clips = [(name, number) for name in ("ada", "bert", "cleo", "dmitri", "edda") for number in range(4)]
    for name, number in clips:
        (folder / name).mkdir(exist_ok=True)
        os.link(world.clip(name, number), folder / name / f"{number}.wav")
    os.link(world.clip(IMPOSTOR), folder / "impostor.wav")
    shutil.copytree(world.store, folder / "store")
    rows = [f"{name}/{number}.wav,{name},s{number},dev,3.0,f,ä" for name, number in clips]
    _write(folder / "manifest.csv", ["path,speaker,session,split,seconds,gender,text", *rows])
    _write(folder / "list.txt", [f"{name}/{number}.wav" for name, number in clips[:4]])
    _write_trials(folder, clips)
    for suffix in ("json", "npz"):
        write_many(folder / f"voices.{suffix}", world, people=8)
    require_clean(_run(f"export mine.json --name {VICTIM}", folder), codes=(0,))
    require_clean(_run("tune", folder), codes=(0,))
    if not (folder / "store" / "tuning.toml").exists():
        raise BrokenPromiseError("tune has written no tuning.toml")
    shutil.copytree(world.model.folder, folder / "model")
    recipe = Path(__file__).resolve().parents[2] / "configs" / "default.toml"
    shutil.copy(recipe, folder / "recipe.toml")


def _write_trials(folder: Path, clips: list[tuple[str, int]]) -> None:
    """Write trial lists of two kinds, with what belongs to them."""
    pairs = [(a, b) for a in clips[:12] for b in clips[1:13:3] if a != b]
    trials = [f"{a[0]}/{a[1]}.wav {b[0]}/{b[1]}.wav" for a, b in pairs]
    labels = [int(a[0] == b[0]) for a, b in pairs]
    _write(folder / "trials.txt", [f"{label} {trial}" for label, trial in zip(labels, trials, strict=True)])
    _write(folder / "scores.txt", [f"{trial} {0.01 * number:.2f}" for number, trial in enumerate(trials)])
    names = ("ada", "bert", "cleo")
    _write(folder / "models.txt", [f"{name}: {name}/0.wav {name}/1.wav" for name in names])
    tests = [f"{model},{name}/2.wav,{int(name == model)}" for model in names for name in names]
    _write(folder / "trials.csv", ["enroll,test,target", *tests])


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
