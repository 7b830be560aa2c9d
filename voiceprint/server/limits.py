"""Limits: how many requests a key may make, and how many may wait for the encoder."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from voiceprint.errors import VoiceprintError

__all__ = ["OverloadedError", "RateLimiter", "VoicePool", "whole_seconds"]

Result = TypeVar("Result")

_MAX_BUCKETS = 10_000
_BURST = 2.0  # seconds' worth of requests that may come at once
_PATIENCE = 0.2  # seconds that a request may have to wait for a thread
_LATEST = 0.1  # what the latest work counts in the mean


class OverloadedError(VoiceprintError):
    """More is asked than can be answered soon.

    Parameters
    ----------
    message : str
    wait : float
        Seconds after which it is worth trying again.
    """

    code = "overloaded"

    def __init__(self, message: str, *, wait: float = 1.0) -> None:
        super().__init__(message)
        self.wait = wait


class RateLimiter:
    """A token bucket for each caller.

    Parameters
    ----------
    rate : float
        Requests a second in the long run.
    clock : callable
        Seconds; for tests.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._size = max(1.0, rate * _BURST)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def wait(self, caller: str) -> float:
        """Take a token; returns 0, or how many seconds to wait for one."""
        now = self._clock()
        tokens, counted = self._buckets.pop(caller, (self._size, now))
        tokens = min(self._size, tokens + (now - counted) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[caller] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > _MAX_BUCKETS:  # whoever was seen longest ago has a full bucket by now
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if allowed else (1.0 - tokens) / self._rate


class VoicePool:
    """The threads that decode, listen and embed, with a bounded queue before them.

    Onnxruntime lets go of Python's lock while it computes, but what surrounds it does not, so a process makes
    good use of one core; run one process per core rather than many threads.

    How long a request would have to wait is known from how long work took lately. So the queue is short where
    work is slow, because the machine is or clips are long: whoever is let in is answered soon, and whoever is
    turned away hears so at once and may go to another machine.

    Parameters
    ----------
    threads : int
    waiting : int
        Requests that may wait; more raise `OverloadedError` at once.
    patience : float
        Seconds that they may have to wait; a request that would have to wait longer is turned away too.
    """

    def __init__(self, *, threads: int, waiting: int, patience: float = _PATIENCE) -> None:
        self._size = threads
        self._places = threads + waiting
        self._patience = patience
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="voice")
        self.taken = 0
        self.mean_seconds = 0.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from before the body is read until the answer is made.

        Raises
        ------
        OverloadedError
            If none is free.
        """
        wait = max(0, self.taken + 1 - self._size) * self.mean_seconds / self._size
        if self.taken >= self._places or wait > self._patience:
            raise OverloadedError("more is asked than can be answered soon; try again", wait=wait)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do work in one of the threads.

        Work that has begun is finished even if the client has gone: a change is never left half-told.
        """
        return await asyncio.shield(self._timed(work))

    async def _timed(self, work: Callable[[], Result]) -> Result:
        def timed() -> Result:
            start = time.perf_counter()
            try:
                return work()
            finally:
                self.mean_seconds += _LATEST * (time.perf_counter() - start - self.mean_seconds)

        return await asyncio.get_running_loop().run_in_executor(self._threads, timed)

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown(wait=True)


def whole_seconds(wait: float) -> str:
    """Return what Retry-After says for a wait."""
    return str(max(1, math.ceil(wait)))
