"""Kill a command at a random moment: it happened or it did not, nothing in between and nothing left over."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.changes import changes_of, check_store
from benchmarks.campaign.core import Attempt, Case
from benchmarks.campaign.program import Finished, Program, require_clean
from benchmarks.campaign.world import World
from voiceprint.cli.process import INTERRUPTED, TERMINATED

__all__ = ["interrupts", "kills"]


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
