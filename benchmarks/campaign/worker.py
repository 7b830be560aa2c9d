"""A process beside this one that may die or hang without taking the campaign along."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self, TypeVar

from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.campaign.program import PROCESSES

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which a call counts as stuck."""


class Worker:
    """Calls functions in a process that is started again when it has died; use it in a ``with``.

    Parameters
    ----------
    prepare : callable
        Called in each new process; importable by name.
    """

    def __init__(self, prepare: Callable[..., object], *arguments: Any) -> None:
        self._prepare, self._arguments = prepare, arguments
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            1, mp_context=PROCESSES, initializer=self._prepare, initargs=self._arguments
        )

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function in the process; dying and hanging break a promise."""
        try:
            return self._pool.submit(function, *arguments).result(PATIENCE)
        except (BrokenProcessPool, TimeoutError) as error:
            self._end()
            self._pool = self._started()
            how = "died" if isinstance(error, BrokenProcessPool) else f"gave no answer in {PATIENCE:g} s"
            raise BrokenPromiseError(f"the process {how} in {function.__name__}{arguments!r:.300}") from None

    def _end(self) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
