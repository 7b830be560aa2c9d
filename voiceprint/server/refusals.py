"""Refusals: requests without the key or scope they need, in the audit log, a line for many alike."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

_EVERY = 60.0  # seconds in which the same refusal is logged once
_MOST = 1000  # different refusals in that time; more are counted together
_OTHERS = ("others", None, "refused")

Kind = tuple[str, str | None, str]


class Refusals:
    """Writes a refusal down when it comes first, and then how often it came again.

    Somebody without a key cannot be made to wait by it, so they must not be able to fill the disk either.
    """

    def __init__(
        self, append: Callable[..., Awaitable[Any]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._append = append
        self._clock = clock
        self._seen: dict[Kind, tuple[float, int]] = {}  # when it was last written, and how often since then

    async def note(self, address: str, key: str | None, why: str) -> None:
        """Count a refusal, and write it down if it is time to."""
        now = self._clock()
        kind = (address, key, why)
        if kind not in self._seen and len(self._seen) >= _MOST:
            await self.flush(older_than=now - _EVERY)
            kind = kind if len(self._seen) < _MOST else _OTHERS
        written, again = self._seen.get(kind, (-float("inf"), 0))
        if now - written < _EVERY:
            self._seen[kind] = (written, again + 1)
            return
        self._seen[kind] = (now, 0)
        await self._write(kind, again + 1)

    async def flush(self, *, older_than: float = float("inf")) -> None:
        """Write down what was counted and not written, and forget it."""
        ripe = [(kind, again) for kind, (written, again) in self._seen.items() if written < older_than]
        for kind, again in ripe:
            del self._seen[kind]
            if again:
                await self._write(kind, again)

    async def _write(self, kind: Kind, times: int) -> None:
        address, key, why = kind
        await self._append("refused", address=address, key=key, why=why, times=times)
