"""Mutated documents, each given to the commands that read it: understood, or refused in a line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.mutation import mutate_document
from benchmarks.campaign.paperwork import copy_all, run_in, write_all
from benchmarks.campaign.program import require_clean
from benchmarks.campaign.world import World, require_sound, state_of
from voiceprint.cli.process import ERROR, PARTLY

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
    """Lend the attack; the first cases give every command the documents as they are."""
    sound = folder / "sound"
    write_all(world, sound)
    before = state_of(Path(shutil.copytree(sound / "store", folder / "before")))
    commands = sorted({command for some in COMMANDS.values() for command in some})

    def attempt(case: Case) -> str:
        if case.number < len(commands):
            return _read_as_they_are(sound, case.folder, commands[case.number])
        draw = case.generator()
        name = list(COMMANDS)[int(draw.integers(len(COMMANDS)))]
        command = COMMANDS[name][int(draw.integers(len(COMMANDS[name])))]
        work = copy_all(sound, case.folder / "work")
        data, how = mutate_document(name, (sound / name).read_bytes(), draw)
        (work / name).unlink()
        (work / name).write_bytes(data)
        (case.folder / "how.txt").write_text(f"{name}: {how}\nvoiceprint {command}\n", encoding="utf-8")
        finished = run_in(work, command.split())
        require_clean(finished)
        if "verify" in command and finished.code == 0 and not name.startswith("model"):
            raise BrokenPromiseError(f"the impostor is accepted: {name}, {how}: {finished}")
        require_sound(work / "store")
        if finished.code == ERROR and state_of(work / "store") != before:
            raise BrokenPromiseError(f"refused, and the store has changed: {name}, {how}: {finished}")
        return {ERROR: "refused", PARTLY: "partly read"}.get(finished.code, "read")

    yield attempt


def _read_as_they_are(sound: Path, folder: Path, command: str) -> str:
    finished = run_in(copy_all(sound, folder / "work"), command.split())
    require_clean(finished)
    if finished.code == ERROR and command.split(maxsplit=1)[0] not in _REFUSED_AS_IT_IS:
        raise BrokenPromiseError(f"sound documents are refused: {finished}")
    return "sound ones read"
