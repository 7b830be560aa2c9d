"""Commands that change a store, what they come to undisturbed, and what may be left of one that was not."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.campaign.made_up import write_many
from benchmarks.campaign.program import Finished, require_clean, run
from benchmarks.campaign.world import State, World, require_sound, state_of

_SETTLED = frozenset({"voiceprints.sqlite3-wal", "voiceprints.sqlite3-shm"})
"""Files of a store in use, which come and go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A command that changes a store, and what it comes to when nobody disturbs it.

    Attributes
    ----------
    arguments : tuple of str
        Of the command, but for ``--store``.
    files : frozenset of str
        Names that may stand in the store's folder and in the working folder.
    """

    arguments: tuple[str, ...]
    seconds: float
    states: tuple[State, State]
    files: frozenset[str]


class Changes:
    """The commands; what each comes to is found when it is first drawn."""

    def __init__(self, world: World) -> None:
        self._world, self._folder = world, world.folder / "changes"
        self._folder.mkdir()
        self._commands = _commands(world, write_many(self._folder / "many.npz", world))
        self._known: dict[int, Change] = {}

    def draw(self, draw: np.random.Generator) -> Change:
        """Return one of the commands."""
        which = int(draw.integers(len(self._commands)))
        if which not in self._known:
            self._known[which] = self._undisturbed(self._commands[which])
        return self._known[which]

    def _undisturbed(self, arguments: tuple[str, ...]) -> Change:
        """Run a command to its end, twice: the first time pays for what is done once."""
        place = self._folder / "undisturbed"
        for _ in range(2):
            shutil.rmtree(place, ignore_errors=True)
            store = self._world.copy_store(place)
            before, begin = state_of(store), time.monotonic()
            finished = run([*arguments, "--store", store], folder=place / "work")
            seconds = time.monotonic() - begin
            require_clean(finished, codes=(0,))
        files = _names(store) | _names(place / "work") | _names(self._world.store) | _SETTLED
        return Change(
            arguments=arguments, seconds=seconds, states=(before, state_of(store)), files=frozenset(files)
        )


@cache
def changes_of(world: World) -> Changes:
    """Return the commands of a world, the same for all attacks."""
    return Changes(world)


def _commands(world: World, many: Path) -> Sequence[tuple[str, ...]]:
    voices = world.folder / "voices"
    return (
        ("enroll", "farid", str(world.voice("farid"))),
        ("enroll", "ada", str(world.clip("ada", 3)), "--add"),
        ("enroll", "ada", str(world.clip("ada", 3)), str(world.clip("ada", 4)), "--replace"),
        ("enroll", "--from", str(voices), "--jobs", "1"),
        ("remove", "ada", "--yes"),
        ("rename", "ada", "zoe"),
        ("consent", "opt-out", "ada", "--yes"),
        ("import", str(many)),
        ("export", "all.json"),
        ("export", "all.npz"),
        ("tune",),
        ("identify", str(world.clip("ada"))),
    )


def _names(folder: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def check_store(store: Path, work: Path, change: Change, finished: Finished) -> str:
    """Hold what is left of a store against what it was before the command and is after it."""
    require_sound(store)
    state, (before, after) = state_of(store), change.states
    if finished.code == 0 and state != after:
        raise BrokenPromiseError(f"reported as done, and lost: {finished}")
    if state not in (before, after) and not _between(state, before, after):
        raise BrokenPromiseError(f"half done: {finished}\nfound {_summary(state)}")
    if finished.code == -signal.SIGKILL and _left(store, work, change):
        run([*change.arguments, "--store", store], folder=work)  # what a killed writer left, the next removes
    if left := _left(store, work, change):
        raise BrokenPromiseError(f"left behind: {sorted(left)} by {finished}")
    ending = "done" if state == after else "undone"
    return "ended first" if finished.code == 0 else f"{'cut off, ' if finished.code else ''}{ending}"


def _left(store: Path, work: Path, change: Change) -> set[str]:
    return {name for name in _names(store) | _names(work) if name not in change.files}


def _between(state: State, before: State, after: State) -> bool:
    """Tell whether each person is as before or as after: what a command for many people may leave."""
    many = len(set(after.people) - set(before.people)) > 1
    names = set(state.people) | set(before.people) | set(after.people)
    return many and all(
        state.people.get(name) in (before.people.get(name), after.people.get(name)) for name in names
    )


def _summary(state: State) -> str:
    return ", ".join(f"{name}: {len(clips)} clips" for name, (*_, clips) in state.people.items())
