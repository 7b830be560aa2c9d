"""NoiseBank: recordings of noise, from which random excerpts are drawn; the level of speech and of noise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.errors import ConfigError

__all__ = [
    "NoiseBank",
    "active_power",
    "add_background",
    "scale_to_peak",
    "scale_to_snr",
    "within_full_scale",
]

_FRAME = 320  # samples: 20 ms
_ACTIVE_RANGE = 1e-3  # a frame is speech when its power lies within 30 dB of the loudest frame's


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


def active_power(samples: NDArray[np.float32]) -> float:
    """Mean power of the 20 ms frames within 30 dB of the loudest: the level of the speech without its pauses.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Speech; a clip shorter than a frame counts as one frame.
    """
    if samples.size < _FRAME:
        return float(np.mean(np.square(samples)))
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.einsum("ij,ij->i", frames, frames) / _FRAME
    return float(power[power >= _ACTIVE_RANGE * power.max()].mean())


def add_background(
    samples: NDArray[np.float32], background: NDArray[np.float32], *, snr_db: float
) -> NDArray[np.float32]:
    """Add a background `snr_db` below the speech, and scale the sum to full scale where it exceeds that.

    Parameters
    ----------
    samples, background : ndarray of float32, shape (n,)
        Speech, whose level is :func:`active_power`, and what is to be heard behind it. Silent speech comes
        back as it is: there is no level to set the background by.
    snr_db : float
        Decibels of speech above background.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    return within_full_scale(samples + scale_to_snr(active_power(samples), background, snr_db))


def within_full_scale(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a clip (n,) whose peak exceeds 1 to a peak of 1; any other comes back as it is."""
    peak = np.max(np.abs(samples), initial=0.0)
    return samples / peak if peak > 1 else samples


def scale_to_snr(speech_power: float, noise: NDArray[np.float32], snr_db: float) -> NDArray[np.float32]:
    """Scale noise to lie `snr_db` below a speech level; silent noise stays silent.

    Parameters
    ----------
    speech_power : float
        As :func:`active_power` measures it.
    noise : ndarray of float32, shape (n,)
        Its level is its mean power over all n samples.
    snr_db : float
        Decibels of speech above noise.
    """
    power = float(np.mean(np.square(noise)))
    if power == 0.0:
        return noise
    return noise * np.float32(np.sqrt(speech_power / power) * 10 ** (-snr_db / 20))


def scale_to_peak(
    speech: NDArray[np.float32], noise: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    """Scale noise so that its peak is `scale` times that of the speech; silent noise stays silent.

    Parameters
    ----------
    speech, noise : ndarray of float32, shape (n,)
    scale : float
        0.5 in the public Keras example "Speaker Recognition" (F. Badine, 2020).
    """
    peak = float(np.max(np.abs(noise), initial=0.0))
    if peak == 0.0:
        return noise
    return noise * np.float32(scale * float(np.max(np.abs(speech), initial=0.0)) / peak)


def _trim_silence(clip: NDArray[np.int16]) -> NDArray[np.int16]:
    sounding = np.flatnonzero(clip)
    return clip[sounding[0] : sounding[-1] + 1] if sounding.size else clip[:0]
