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
    """More is asked than can be answered soon; after `wait` seconds it is worth trying again."""

    def __init__(self, message: str, *, wait: float = 1.0) -> None:
        super().__init__(message)
        self.wait = wait


class TooMuchError(OverloadedError):
    """One caller alone asks for more than its share."""


class RateLimiter:
    """A token bucket for each caller, who may make so many requests a second in the long run."""

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
    """What callers hold at once, of which a key, an address and all together may hold only so much.

    Parameters
    ----------
    most : int
        Of one key.
    what : str
        What is held, for the refusal.
    address, together : int
        How many times as much an address, and all together, may hold.
    """

    def __init__(self, most: int, what: str, *, address: int = 2, together: int = 4) -> None:
        self.caps = {"key": most, "address": address * most, "all": together * most}
        self.what = what
        self.counts: Counter[Owner] = Counter()

    @contextmanager
    def holding(self, key: str, address: str, size: int = 1) -> Iterator[Share]:
        """Hold so much, and what is added to it, until the block ends; errors as of `Share.add`."""
        share = Share(self, key, address)
        try:
            share.add(size)
            yield share
        finally:
            share.release()


class Share:
    """What one request holds of `Shares`."""

    def __init__(self, of: Shares, key: str, address: str) -> None:
        self._of, self._owners = of, (("key", key), ("address", address), ("all", ""))
        self._size = 0

    def add(self, size: int) -> None:
        """Hold so much more; TooMuchError if a key or address holds too much, OverloadedError if all do."""
        for owner in self._owners:
            kind, cap = owner[0], self._of.caps[owner[0]]
            if self._of.counts[owner] + size <= cap:
                continue
            if kind == "all":
                raise OverloadedError(f"too many {self._of.what}; try again")
            raise TooMuchError(f"too many {self._of.what} for this {kind} (at most {cap}); finish some first")
        self._count(size)

    def release(self) -> None:
        """Give it back."""
        self._count(-self._size)

    def _count(self, by: int) -> None:
        """Add to each owner's count, and forget those that have come to nothing."""
        self._size += by
        for owner in self._owners:
            self._of.counts[owner] += by
            if not self._of.counts[owner]:
                del self._of.counts[owner]


def whole_seconds(wait: float) -> str:
    """Return what Retry-After says for a wait."""
    return str(max(1, math.ceil(wait)))
