"""Fork beside an open store: the child is refused, or the change that it saw done is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.made_up import made_up_clips
from benchmarks.campaign.program import PROCESSES
from benchmarks.campaign.world import VICTIM, State, World, require_sound, state_of
from voiceprint.errors import StoreError
from voiceprint.store import EnrolledUtterance, EnrollmentStore

_DIM = 192  # of the model that ships
_ORDERS = ("the parent goes on", "the parent has closed", "the parent writes first")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a child does with its parent's store, and how one sees afterwards that it was done."""

    make: Callable[[EnrollmentStore], object]
    shows: Callable[[State, State], bool]


@contextmanager
def forks(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack."""

    def attempt(case: Case) -> str:
        draw = case.generator()
        names = sorted(_CHANGES)
        order, name = _ORDERS[int(draw.integers(len(_ORDERS)))], names[int(draw.integers(len(names)))]
        store = world.copy_store(case.folder)
        before = state_of(store)
        answers = case.folder / "said"
        process = PROCESSES.Process(target=_open_and_fork, args=(store, world.model.id, order, name, answers))
        process.start()
        process.join(120)
        case_is = f"{order}, the child does {name}"
        if process.exitcode != 0:
            process.kill()
            raise BrokenPromiseError(f"the parent did not end well: {case_is}, exit code {process.exitcode}")
        said = answers.read_text(encoding="utf-8")
        require_sound(store)
        after = state_of(store)
        shows = _CHANGES[name].shows(before, after)
        if said not in ("done", "refused") or shows != (said == "done"):
            raise BrokenPromiseError(
                f"{case_is}: the answer is {said!r}, and it is {'' if shows else 'not '}there"
            )
        if order != "the parent has closed" and "by the parent" not in after.people:
            raise BrokenPromiseError(f"what the parent did is lost: {case_is}")
        return f"{name} {said}"

    yield attempt


def _open_and_fork(store: Path, model_id: str, order: str, name: str, said: Path) -> None:
    """Open a store, fork, and let the child write down the answer."""
    opened = EnrollmentStore.open(store, model_id=model_id, dim=_DIM)
    opened.names()
    if order == "the parent writes first":
        opened.add("by the parent", _clips(0))
    if order == "the parent has closed":
        opened.close()
    said.write_text("the child died", encoding="utf-8")
    child = os.fork()
    if child == 0:
        said.write_text(_asked(opened, _CHANGES[name]), encoding="utf-8")
        os._exit(0)
    os.waitpid(child, 0)
    if order == "the parent goes on":
        opened.add("by the parent", _clips(0))
    opened.close()


def _asked(opened: EnrollmentStore, change: _Change) -> str:
    try:
        change.make(opened)
    except StoreError:
        return "refused"
    except BaseException as error:  # whatever it is, the parent reports it
        return f"{type(error).__name__}: {error}"
    return "done"


def _clips(seed: int) -> list[EnrolledUtterance]:
    return made_up_clips(np.random.default_rng(seed), 2, dim=_DIM)


_CHANGES = {
    "adding": _Change(
        make=lambda store: store.add("added", _clips(1)),
        shows=lambda _, after: "added" in after.people,
    ),
    "removing": _Change(
        make=lambda store: store.remove(VICTIM), shows=lambda _, after: VICTIM not in after.people
    ),
    "replacing": _Change(
        make=lambda store: store.add(VICTIM, _clips(2), mode="replace"),
        shows=lambda before, after: before.people[VICTIM] != after.people.get(VICTIM),
    ),
    "opting out": _Change(
        make=lambda store: store.opt_out(VICTIM), shows=lambda _, after: VICTIM in after.opt_outs
    ),
}
