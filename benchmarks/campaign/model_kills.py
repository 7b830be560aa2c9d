"""Kill a command that writes a model folder: the folder is the old one or the new one, and opens."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import Program, require_clean, run
from benchmarks.campaign.world import World
from voiceprint import SpeakerModel
from voiceprint.errors import ModelError

__all__ = ["model_kills"]

_COMMANDS = (
    "calibrate model trials.txt --corpus manifest.csv --in-place --jobs 1",
    "calibrate model trials.txt --corpus manifest.csv --output other --overwrite --jobs 1",
    "models add model",
    "models add other",
)


@contextmanager
def model_kills(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack on calibrating and registering models."""
    sound, seconds = folder / "sound", 0.0
    _write_models(world, sound)
    for command in _COMMANDS:
        begin = time.monotonic()
        place = _copied(sound, folder / "undisturbed")
        require_clean(run(command.split(), folder=place, environment=_models_in(place)), codes=(0,))
        seconds = max(seconds, time.monotonic() - begin)

    def attempt(case: Case) -> str:
        draw = case.generator()
        command = _COMMANDS[int(draw.integers(len(_COMMANDS)))]
        place = _copied(sound, case.folder / "work")
        before = _models(place)
        program = Program(command.split(), folder=place, environment=_models_in(place))
        time.sleep(float(draw.uniform(0.0, 1.1 * seconds)))
        program.signal(signal.SIGKILL)
        finished = program.wait()
        require_clean(finished, codes=(0, -signal.SIGKILL))
        after = _models(place)
        if set(before) - set(after):
            raise BrokenPromiseError(f"a model folder is gone: {command}, {set(before) - set(after)}")
        again = run(command.split(), folder=place, environment=_models_in(place))
        require_clean(again, codes=(0, 2))
        if again.code == 2 and "exist" not in again.err and "already" not in again.err:
            raise BrokenPromiseError(f"it cannot be done again: {again}")
        return f"{command.split()[0]} {'ended first' if finished.code == 0 else 'cut off'}"

    yield attempt


def _models_in(place: Path) -> dict[str, str]:
    return {"VOICEPRINT_MODELS": str(place / "registered")}


def _copied(sound: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(sound, place))


def _models(place: Path) -> dict[str, str]:
    """Open every model folder, and return which model each holds."""
    found = {}
    for card in sorted(place.rglob("model.toml")):
        if any(part.startswith(".") for part in card.relative_to(place).parts):
            continue  # not in its place yet
        name = str(card.parent.relative_to(place))
        try:
            found[name] = SpeakerModel.open(card.parent).id
        except ModelError as error:
            raise BrokenPromiseError(f"a model folder does not open: {name}: {error}") from error
    return found


def _write_models(world: World, folder: Path) -> None:
    """Write two model folders, and speech to calibrate one of them on."""
    for name in ("model", "other"):
        shutil.copytree(world.model.folder, folder / name, ignore=shutil.ignore_patterns("*.safetensors"))
    rows = ["path,speaker,seconds,split"]
    for voice in sorted((world.folder / "voices").iterdir()):
        (folder / voice.name).mkdir()
        for clip in sorted(voice.iterdir()):
            os.link(clip, folder / voice.name / clip.name)
            rows.append(f"{voice.name}/{clip.name},{voice.name},3.0,dev")
    (folder / "manifest.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    made = run(["trials", "make", "manifest.csv", "-o", "trials.txt"], folder=folder)
    require_clean(made, codes=(0,))
