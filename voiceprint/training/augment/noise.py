"""NoiseBank: recordings of noise, from which random excerpts are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseBank:
    """Noise clips.

    Parameters
    ----------
    clips : tuple of ndarray of int16, each of shape (samples,)
        At 16 kHz, none of them empty.
    """

    clips: tuple[NDArray[np.int16], ...]

    def __post_init__(self) -> None:
        if not self.clips:
            raise ConfigError("augment: the noise bank has no clip that sounds; give at least one clip")

    @classmethod
    def from_arrays(cls, clips: Iterable[NDArray[np.int16]]) -> NoiseBank:
        """Make a bank of clips; digital silence at their ends is left out, and so are wholly silent ones.

        Parameters
        ----------
        clips : iterable of ndarray of int16, each of shape (samples,)
            Noise at 16 kHz.
        """
        return cls(clips=tuple(trimmed for clip in clips if (trimmed := np.trim_zeros(clip)).size))

    def __len__(self) -> int:
        return len(self.clips)

    def excerpt(self, generator: Generator, length: int) -> NDArray[np.float32]:
        """Draw `length` samples of one clip; each clip is equally likely, short ones go round in a loop."""
        clip = self.clips[generator.integers(len(self))]
        if clip.size >= length:
            first = int(generator.integers(clip.size - length + 1))
            piece = clip[first : first + length]
        else:
            piece = clip[(generator.integers(clip.size) + np.arange(length)) % clip.size]
        return piece.astype(np.float32) / np.float32(32768)
