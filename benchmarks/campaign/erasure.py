"""Remove and replace people, and look for what was theirs in every byte of every file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.made_up import made_up_clips, pieces
from benchmarks.campaign.program import PROCESSES
from benchmarks.campaign.world import World
from voiceprint.errors import VoiceprintError
from voiceprint.store import EnrolledUtterance, EnrollmentStore

__all__ = ["erasure"]

STEPS = 40
"""Changes of each writer in a case."""

_WRITERS = (1, 1, 1, 4)


@contextmanager
def erasure(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack with one writer, and in every fourth case with four."""
    with ProcessPoolExecutor(max(_WRITERS), mp_context=PROCESSES) as pool:

        def attempt(case: Case) -> str:
            draw = case.generator()
            writers, seed = int(draw.choice(_WRITERS)), int(draw.integers(2**32))
            store = case.folder / "store"
            options = {"model_id": world.model.id, "dim": world.model.dim}
            done = [pool.submit(_write, store, number, seed, options) for number in range(writers)]
            return f"with {writers} at once" if sum(future.result() for future in done) else "nobody removed"

        yield attempt


def _write(store: Path, number: int, seed: int, options: dict[str, Any]) -> int:
    """Be one of several writers; returns how many changes took something away."""
    # Another process reads the files: one that closes a file of a database loses its locks on it.
    try:
        with ProcessPoolExecutor(1, mp_context=PROCESSES) as reader:
            return _Writer(store, number, seed, options, reader).write()
    except VoiceprintError as error:
        raise BrokenPromiseError(f"writer {number}: {type(error).__name__}: {error}") from None


class _Writer:
    """Enrolls, adds to, replaces, renames and removes people of its own, and looks for them afterwards."""

    def __init__(
        self, store: Path, number: int, seed: int, options: dict[str, Any], reader: Executor
    ) -> None:
        self._reader = reader
        self._folder, self._number, self._options = store, number, options
        self._draw = np.random.default_rng([seed, number])
        self._people: dict[str, list[EnrolledUtterance]] = {}

    def write(self) -> int:
        """Make some changes."""
        removals = 0
        with EnrollmentStore.open(self._folder, **self._options) as store:
            for step in range(STEPS):
                gone = self._change(store, step)
                if gone:
                    removals += 1
                    self._reader.submit(_search, self._folder, gone).result()
        return removals

    def _change(self, store: EnrollmentStore, step: int) -> list[bytes]:
        """Make one change; returns the bytes that must be nowhere afterwards."""
        kind = self._draw.random()
        if len(self._people) < 3 or kind < 0.4:
            name = f"writer {self._number} person {step:06d}"
            self._people[name] = self._clips()
            store.add(name, self._people[name], notes=f"notes on {name}")
            return []
        name = sorted(self._people)[int(self._draw.integers(len(self._people)))]
        clips = self._people.pop(name)
        trace = pieces(clips)
        if kind < 0.65:
            store.remove(name)
            return [*trace, name.encode()]
        if kind < 0.7:
            store.opt_out(name)
            store.opt_in(name)
            return [*trace, name.encode()]
        if kind < 0.9:
            self._people[name] = self._clips()
            store.add(name, self._people[name], mode="replace")
            return trace
        self._people[f"{name} renamed"] = clips
        store.rename(name, f"{name} renamed")
        if self._draw.random() < 0.5:
            store.search(clips[0].embedding, top=3)
        return []

    def _clips(self) -> list[EnrolledUtterance]:
        return made_up_clips(self._draw, int(self._draw.integers(1, 4)), dim=self._options["dim"])


def _search(folder: Path, gone: list[bytes]) -> None:
    for file in folder.rglob("*"):
        try:
            data = file.read_bytes()
        except OSError:  # a folder, or a temporary file that has gone
            continue
        found = [piece for piece in gone if piece in data]
        if found:
            place = data.find(found[0])
            raise BrokenPromiseError(
                f"{len(found)} of {len(gone)} pieces of somebody who was removed are in {file.name}, "
                f"the first at byte {place} of {len(data)}: {found[0][:40]!r}"
            )
