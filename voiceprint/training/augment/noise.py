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
    """Noise clips lying end to end in one array, which may be memory-mapped.

    Parameters
    ----------
    samples : ndarray of int16, shape (total,)
        Every clip after the other, 16 kHz.
    starts : ndarray of int64, shape (clips + 1,)
        Where each clip begins, and the end of the last one.
    """

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.starts) < 2 or self.starts[-1] > len(self.samples) or np.any(np.diff(self.starts) <= 0):
            raise ConfigError(
                f"augment: the noise bank has {len(self.samples)} samples and {len(self.starts)} borders; "
                "borders must rise, within the samples, around at least one clip"
            )

    @classmethod
    def from_arrays(cls, clips: Iterable[NDArray[np.int16]]) -> NoiseBank:
        """Join clips to a bank; digital silence at their ends is left out, and so are wholly silent ones.

        Parameters
        ----------
        clips : iterable of ndarray of int16, each of shape (samples,)
            Noise at 16 kHz.
        """
        kept = [trimmed for clip in clips if (trimmed := _trim_silence(clip)).size]
        starts = np.cumsum([0] + [clip.size for clip in kept], dtype=np.int64)
        return cls(samples=np.concatenate([np.zeros(0, np.int16), *kept]), starts=starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def excerpt(self, generator: Generator, length: int) -> NDArray[np.float32]:
        """Draw `length` samples of one clip; each clip is equally likely, short ones go round in a loop."""
        clip = int(generator.integers(len(self)))
        start, stop = int(self.starts[clip]), int(self.starts[clip + 1])
        size = stop - start
        if size >= length:
            first = start + int(generator.integers(size - length + 1))
            piece = self.samples[first : first + length]
        else:
            piece = self.samples[start + (generator.integers(size) + np.arange(length)) % size]
        return piece.astype(np.float32) / np.float32(32768)


def _trim_silence(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    sounding = np.flatnonzero(clip)
    return clip[sounding[0] : sounding[-1] + 1] if sounding.size else clip[:0]
