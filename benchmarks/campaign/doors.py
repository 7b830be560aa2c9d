"""Change a store through one door and ask at all: what is done is seen everywhere at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import require_clean, run
from benchmarks.campaign.worker import Worker
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World
from voiceprint import Verifier
from voiceprint.errors import VoiceprintError

STEPS = 12
"""Changes in a case."""

Answers = dict[str, str]


@contextmanager
def doors(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack: a Verifier of this process, one of another, one that is opened anew, and commands."""
    with Worker(_nothing) as worker:

        def attempt(case: Case) -> str:
            draw, store = case.generator(), world.copy_store(case.folder)
            clips = [str(world.clip(name)) for name in (VICTIM, IMPOSTOR, "bert")]
            worker.call(_open_here, str(store))
            refused = 0
            with world.verifier(store) as verifier:
                for step in range(STEPS):
                    name = sorted(_CHANGES)[int(draw.integers(len(_CHANGES)))]
                    change = _Change(world=world, store=store, verifier=verifier, worker=worker, draw=draw)
                    refused += not _made(_CHANGES[name], change)
                    _require_alike(step, name, _at_every_door(change, clips))
            return "with refusals" if refused else "all done"

        yield attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a change may use: the doors, and what decides."""

    world: World
    store: Path
    verifier: Verifier
    worker: Worker
    draw: np.random.Generator

    def command(self, *arguments: str | Path) -> None:
        """Run a command on the store; it may refuse."""
        folder = self.store.parent / "work"
        require_clean(run([*arguments, "--store", self.store], folder=folder))


def _made(make: Callable[[_Change], object], change: _Change) -> bool:
    try:
        make(change)
    except VoiceprintError:
        return False
    return True


def _at_every_door(change: _Change, clips: list[str]) -> dict[str, Answers]:
    with change.world.verifier(change.store) as anew:
        return {
            "opened anew": _answers(anew, clips),
            "open in this process": _answers(change.verifier, clips),
            "open in another process": change.worker.call(_answers_there, clips),
        }


def _require_alike(step: int, name: str, found: dict[str, Answers]) -> None:
    sound = found["opened anew"]
    for door, answers in found.items():
        for question, answer in answers.items():
            if answer != sound[question]:
                raise BrokenPromiseError(
                    f"a door has not seen the change, {door}: step {step}, {name}, {question}: "
                    f"{answer:.300}, not {sound[question]:.300}"
                )


def _answers(verifier: Verifier, clips: list[str]) -> Answers:
    """Ask a Verifier what a change can alter; what it refuses to say is an answer too."""
    target, impostor, other = clips
    questions: dict[str, Callable[[], object]] = {
        "target": lambda: _verdict(verifier, target),
        "impostor": lambda: _verdict(verifier, impostor),
        "identify": lambda: [
            (match.name, round(match.score, 5))
            for match in verifier.identify(other, allow_replay=True).matches
        ],
        "names": verifier.speakers,
        "opt-outs": verifier.store.opt_outs,
    }
    answers = {}
    for question, ask in questions.items():
        try:
            answers[question] = repr(ask())
        except VoiceprintError as error:
            answers[question] = type(error).__name__
    return answers


def _verdict(verifier: Verifier, clip: str) -> object:
    answer = verifier.verify(VICTIM, clip, allow_replay=True)
    return (
        answer.decision,
        answer.threshold_source,
        round(answer.threshold or 0, 5),
        round(answer.score or 0, 5),
    )


_THERE: list[Verifier] = []


def _nothing() -> None:
    """Prepare nothing: each case opens its own store."""


def _open_here(store: str) -> None:
    for verifier in _THERE:
        verifier.close()
    _THERE[:] = [Verifier(store)]


def _answers_there(clips: list[str]) -> Answers:
    return _answers(_THERE[0], clips)


def _remove_there(name: str) -> None:
    _THERE[0].remove(name)


_CHANGES: dict[str, Callable[[_Change], object]] = {
    "enroll": lambda c: c.verifier.enroll(IMPOSTOR, [c.world.clip(IMPOSTOR, n) for n in range(3)]),
    "add": lambda c: c.verifier.enroll(VICTIM, c.world.clip(VICTIM, int(c.draw.integers(5))), mode="add"),
    "remove": lambda c: c.verifier.remove(IMPOSTOR),
    "remove elsewhere": lambda c: c.worker.call(_remove_there, "bert"),
    "rename": lambda c: c.verifier.rename("cleo", "clara"),
    "opt out": lambda c: c.verifier.store.opt_out(VICTIM),
    "opt in": lambda c: c.verifier.store.opt_in(VICTIM),
    "expire": lambda c: c.verifier.store.set_terms(
        VICTIM, consent=None, expires=datetime.now(UTC) - timedelta(days=1)
    ),
    "extend": lambda c: c.verifier.store.set_terms(VICTIM, consent=None, expires=None),
    "enroll by command": lambda c: c.command("enroll", VICTIM, c.world.clip(VICTIM, 0), "--replace"),
    "remove by command": lambda c: c.command("remove", "dmitri", "--yes"),
    "tune": lambda c: c.command("tune"),
    "tune --reset": lambda c: c.command("tune", "--reset"),
}
