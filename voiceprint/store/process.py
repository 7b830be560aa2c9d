"""A store is used by the process that opened it: what a fork copies of an open database loses changes."""

from __future__ import annotations

import os

from voiceprint.errors import StoreError


class OpeningProcess:
    """Remembers which process opened a store."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._id = os.getpid()

    @property
    def is_this(self) -> bool:
        """Whether this is the process that opened the store."""
        return os.getpid() == self._id

    def check(self) -> None:
        """Raise `StoreError` in a process that was forked off after the store was opened."""
        if not self.is_this:
            raise StoreError(
                f"the store {self._place} was opened by process {self._id}, from which this one was forked",
                advice="open it again in this process",
                path=self._place,
            )
