"""Kill a command at a random moment: it happened or it did not, nothing in between and nothing left over."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from benchmarks.campaign.changes import changes_of, check_store
from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import Finished, Program, require_clean, run
from benchmarks.campaign.serving import Server, form_of, serving
from benchmarks.campaign.world import IMPOSTOR, World, require_sound, state_of
from voiceprint import SpeakerModel
from voiceprint.cli.process import INTERRUPTED, TERMINATED
from voiceprint.errors import ModelError


@contextmanager
def kills(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack by SIGKILL."""
    yield _Interruption(world, signal.SIGKILL)


@contextmanager
def interrupts(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack by Ctrl-C and by SIGTERM, which a command may answer."""
    yield _Interruption(world, signal.SIGINT, signal.SIGTERM)


class _Interruption:
    def __init__(self, world: World, *signals: signal.Signals) -> None:
        self._world, self._signals, self._changes = world, signals, changes_of(world)

    def __call__(self, case: Case) -> str:
        draw = case.generator()
        change, number = self._changes.draw(draw), self._signals[int(draw.integers(len(self._signals)))]
        store = self._world.copy_store(case.folder)
        program = Program([*change.arguments, "--store", store], folder=case.folder / "work")
        time.sleep(float(draw.uniform(0.0, 1.1 * change.seconds)))
        program.signal(number)
        finished = program.wait()
        _check_ending(finished, number)
        return check_store(store, case.folder / "work", change, finished)


def _check_ending(finished: Finished, number: signal.Signals) -> None:
    if number == signal.SIGKILL:
        require_clean(finished, codes=(0, -signal.SIGKILL))
    elif number == signal.SIGINT:
        require_clean(finished, codes=(0, INTERRUPTED))
    else:
        require_clean(finished, codes=(0, TERMINATED))


@contextmanager
def server_kills(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack."""
    clips = [world.clip(IMPOSTOR, number).read_bytes() for number in range(2)]

    def attempt(case: Case) -> str:
        draw, store = case.generator(), world.copy_store(case.folder)
        processes = str(int(draw.choice([1, 1, 2])))
        enrolled: dict[str, bool] = {}
        with serving(store, case.folder, "--processes", processes) as server:
            caller = threading.Thread(target=_change, args=(server, clips, enrolled))
            caller.start()
            time.sleep(float(draw.uniform(0.0, 2.0)))
            server.program.signal(signal.SIGKILL)
            caller.join(60)
        require_sound(store)
        people = state_of(store).people
        for name, there in enrolled.items():
            if (name in people) != there:
                raise BrokenPromiseError(f"acknowledged and lost: {name}, which should be there: {there}")
        require_clean(run(["audit", "verify", "--store", store], folder=case.folder / "audit"), codes=(0,))
        return f"{'some' if enrolled else 'nothing'} acknowledged"

    yield attempt


def _change(server: Server, clips: Sequence[bytes], enrolled: dict[str, bool]) -> None:
    """Enroll and remove until the server is gone; note what it acknowledged."""
    number = 0
    try:
        while True:
            number += 1
            name = f"number {number}"
            path = name.replace(" ", "%20")
            form, kind = form_of(*clips, name=name)
            if server.ask("POST", "/v1/speakers", form, kind=kind).status == 201:
                enrolled[name] = True
            if number % 3 == 0 and name in enrolled:
                del enrolled[name]  # from here on both are right
                if server.ask("DELETE", f"/v1/speakers/{path}").status == 204:
                    enrolled[name] = False
    except (OSError, HTTPException):
        return


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
