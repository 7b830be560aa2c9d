"""Take people out of a store, and look for what was theirs in every byte of every file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.world import World
from benchmarks.erasure_search import search_after_changes

CHANGES = 40
"""Changes of each writer in a case."""

_WRITERS = (1, 1, 1, 4)


@contextmanager
def erasure(world: World, _folder: Path) -> Iterator[Attempt]:
    """Lend the attack with one writer, and in every fourth case with four."""

    def attempt(case: Case) -> str:
        draw = case.generator()
        writers, seed = int(draw.choice(_WRITERS)), int(draw.integers(2**20))
        counts = search_after_changes(
            case.folder / "store", changes=CHANGES * writers, writers=writers, dim=world.model.dim, seed=seed
        )
        traces = sorted(what for what in counts if what.startswith("traces"))
        if traces:
            raise BrokenPromiseError(f"{len(traces)} kinds of traces, the first: {traces[0]}")
        return f"{CHANGES * writers} changes by {writers} writer{'s' * (writers > 1)}"

    yield attempt
