"""What every attack shares: a case, what tries it, and a promise that was broken."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attempt of an attack; seed, attack and number make it again.

    Attributes
    ----------
    folder : Path
        An empty folder for this case alone, kept if a promise is broken.
    """

    seed: int
    attack: str
    number: int
    folder: Path

    def generator(self) -> np.random.Generator:
        """Return the source of everything random in this case, always from its beginning."""
        return np.random.default_rng([self.seed, zlib.crc32(self.attack.encode()), self.number])


Attempt = Callable[[Case], str]
"""Tries one case; returns in a word or two how it ended, or raises `BrokenPromiseError`."""


class BrokenPromiseError(Exception):
    """The product did what it promises never to do; the message says what, with the values."""
