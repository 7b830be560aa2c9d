"""Limits: how many requests a key may make, and how many bodies may be on their way."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voiceprint.errors import VoiceprintError

Owner = tuple[str, str]
"""Whose share something is of: ("key", its id), ("address", the address) or ("all", "")."""

_MAX_BUCKETS = 10_000
_BURST = 2.0  # seconds' worth of requests that may come at once


class OverloadedError(VoiceprintError):
    """More is asked than can be answered soon.

    Parameters
    ----------
    wait : float
        Seconds after which it is worth trying again.
    """

    def __init__(self, message: str, *, wait: float = 1.0) -> None:
        super().__init__(message)
        self.wait = wait


class TooMuchError(OverloadedError):
    """One caller alone asks for more than its share."""


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
        if len(self._buckets) > _MAX_BUCKETS:  # the callers seen longest ago have a full bucket by now
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if allowed else (1.0 - tokens) / self._rate


class Shares:
    """Things that may be held by as many as a process bears: a key, twice as many an address, all four times.

    Parameters
    ----------
    most : int
        Of one key.
    what : str
        What is held, for the refusal.
    """

    def __init__(self, most: int, what: str) -> None:
        self._caps, self._what = _caps(most), what
        self._counts: Counter[Owner] = Counter()

    @contextmanager
    def holding(self, key: str, address: str) -> Iterator[None]:
        """Hold one more.

        Raises
        ------
        TooMuchError, OverloadedError
            If the key or the address holds too many, or all together do.
        """
        owners = _owners(key, address)
        _refuse_over(self._counts, self._caps, owners, 1, self._what)
        _count(self._counts, owners, 1)
        try:
            yield
        finally:
            _count(self._counts, owners, -1)


class UploadCaps:
    """How much may be on its way to one process.

    Parameters
    ----------
    bodies : int
        Bodies that one key may be sending; an address may send twice, all together four times as many.
    held : int
        Bytes of all bodies that are held in memory; a key or an address may hold half of that.
    """

    def __init__(self, *, bodies: int, held: int) -> None:
        self.bodies = _caps(bodies)
        self.held = {"key": held // 2, "address": held // 2, "all": held}


class Uploads:
    """Bodies that are on their way, and the bytes of those that are held until they are answered."""

    def __init__(self, caps: UploadCaps) -> None:
        self._caps = caps
        self._bodies: Counter[Owner] = Counter()
        self._held: Counter[Owner] = Counter()

    @contextmanager
    def receiving(self, key: str, address: str) -> Iterator[_Upload]:
        """Hold a body from its first byte until its request is answered.

        Raises
        ------
        TooMuchError
            If the key or the address is sending too many bodies, or holds too many bytes.
        OverloadedError
            If all together do.
        """
        upload = _Upload(self._caps, _owners(key, address), self._bodies, self._held)
        try:
            upload.begin()
            yield upload
        finally:
            upload.release()


class _Upload:
    """One body: `begin`, `add` for each piece, `arrived`, `release`."""

    def __init__(
        self,
        caps: UploadCaps,
        owners: list[Owner],
        bodies: Counter[Owner],
        held: Counter[Owner],
    ) -> None:
        self._caps, self._owners, self._bodies, self._held = caps, owners, bodies, held
        self._size = 0
        self._arriving = False

    def begin(self) -> None:
        _refuse_over(self._bodies, self._caps.bodies, self._owners, 1, "bodies are on their way")
        _count(self._bodies, self._owners, 1)
        self._arriving = True

    def add(self, size: int) -> None:
        """Count the bytes of another piece."""
        _refuse_over(self._held, self._caps.held, self._owners, size, "bytes are being held")
        _count(self._held, self._owners, size)
        self._size += size

    def arrived(self) -> None:
        """Say that nothing more will come."""
        if self._arriving:
            _count(self._bodies, self._owners, -1)
            self._arriving = False

    def release(self) -> None:
        self.arrived()
        _count(self._held, self._owners, -self._size)
        self._size = 0


def _caps(most: int) -> dict[str, int]:
    return {"key": most, "address": 2 * most, "all": 4 * most}


def _owners(key: str, address: str) -> list[Owner]:
    return [("key", key), ("address", address), ("all", "")]


def _refuse_over(
    counts: Counter[Owner], caps: dict[str, int], owners: list[Owner], more: int, what: str
) -> None:
    for owner in owners:
        kind = owner[0]
        if counts[owner] + more <= caps[kind]:
            continue
        if kind == "all":
            raise OverloadedError(f"too many {what}; try again")
        raise TooMuchError(f"too many {what} for this {kind} (at most {caps[kind]}); finish some first")


def _count(counts: Counter[Owner], owners: list[Owner], by: int) -> None:
    """Add to each owner's count, and forget those that have come to nothing."""
    for owner in owners:
        counts[owner] += by
        if not counts[owner]:
            del counts[owner]


def whole_seconds(wait: float) -> str:
    """Return what Retry-After says for a wait."""
    return str(max(1, math.ceil(wait)))
