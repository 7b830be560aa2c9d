"""Waveform: a clip as the whole library uses it, and the limits that hold for every clip."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import AudioError

SAMPLE_RATE = 16_000
"""Sample rate of all audio inside the library, in Hz."""

MIN_RATE, MAX_RATE = 8_000, 192_000
"""Sample rates that are read, in Hz."""

MIN_SECONDS = 0.1
"""Shorter clips hold less than a syllable."""

MAX_SECONDS = 3600.0
"""Longest clip that is read unless asked otherwise."""

_MAX_PEAK = 4.0  # 12 dB above full scale: beyond it the samples are not scaled to [-1, 1] at all
_MAX_CHANNELS = 8  # at the highest rate and for the longest clip; more where there is less of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waveform:
    """A clip as everything in the library takes it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono, 16 kHz, in [-1, 1], finite.
    source : str
        Where it came from: a path, ``<bytes>``, ``<array>``, or ``-`` for standard input.
    original_rate : int
        Sample rate before resampling, in Hz.
    clipped : float or None
        Fraction of the samples before resampling that were clipped; None where it was not measured.

    Examples
    --------
    >>> from voiceprint import read_audio
    >>> waveform = read_audio(clip)
    >>> waveform.samples.shape, waveform.seconds
    ((48000,), 3.0)
    """

    samples: NDArray[np.float32] = field(repr=False)
    source: str
    original_rate: int
    clipped: float | None = None

    def __post_init__(self) -> None:
        kind = getattr(self.samples, "dtype", type(self.samples).__name__)
        if kind != np.float32 or self.samples.ndim != 1:
            raise fault(
                self.source, f"({kind}) is not a row of float32 samples; read_audio makes one of any array"
            )

    @property
    def seconds(self) -> float:
        """Length in seconds.

        Examples
        --------
        >>> from voiceprint import read_audio
        >>> read_audio("door.wav").seconds
        3.0
        """
        return len(self.samples) / SAMPLE_RATE

    @property
    def sha256(self) -> str:
        """Hash of the samples as little-endian float32, whatever file held them; 64 hex digits.

        Examples
        --------
        >>> from voiceprint import read_audio
        >>> once, again = read_audio("door.wav"), read_audio("door.wav")
        >>> once.sha256 == again.sha256  # of the very samples
        True
        """
        return hashlib.sha256(self.samples.astype("<f4", copy=False).tobytes()).hexdigest()

    @property
    def is_digital_silence(self) -> bool:
        """Whether every sample is the same, as in a file of zeros.

        Examples
        --------
        >>> from voiceprint import read_audio
        >>> read_audio(np.zeros(16_000), sample_rate=16_000).is_digital_silence
        True
        """
        return bool(np.ptp(self.samples) == 0.0)


def fault(name: str, message: str) -> AudioError:
    """Return the error that says what is wrong with the clip called `name`."""
    return AudioError(f"{name} {message}", source=name)


def check_original_rate(rate: int, name: str) -> None:
    """Raise AudioError for a sample rate that is not read."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise fault(name, f"has a sample rate of {rate} Hz; it must be from {MIN_RATE} to {MAX_RATE} Hz")


def check_length(seconds: float, name: str, max_seconds: float) -> None:
    """Raise AudioError for a clip that is too long."""
    if seconds > max_seconds:
        raise fault(
            name, f"lasts over {max_seconds:g} s ({seconds:.0f} s or more); cut it into shorter clips"
        )


def check_work(frames: int, channels: int, name: str, max_seconds: float) -> None:
    """Bound the time that decoding takes: a small Ogg file can hold 255 channels of next to nothing."""
    if frames * channels > _MAX_CHANNELS * MAX_RATE * max_seconds:
        raise fault(name, f"holds too much for its length in {channels} channels; mix it to mono")


def check_samples(block: NDArray[np.float32], name: str) -> None:
    """Raise AudioError for samples, at least one, that are not finite or far above full scale."""
    peak = max(float(block.max()), -float(block.min()))  # NaN if any sample is NaN
    if not np.isfinite(peak):
        raise fault(name, "holds samples that are NaN or infinite; export the clip again")
    if peak > _MAX_PEAK:
        raise fault(name, f"has samples up to {peak:g}; divide them so that they lie in [-1, 1]")


def full_scale(block: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Scale integers to [-1, 1), and take floats as they are; AudioError of other types."""
    kind, size = block.dtype.kind, block.dtype.itemsize
    if kind == "f":
        return block.astype(np.float32)
    if kind == "i" and size <= 4:
        return (block / float(1 << (8 * size - 1))).astype(np.float32)
    if kind == "u" and size == 1:
        return ((block.astype(np.float32) - 128) / 128).astype(np.float32)
    raise fault(name, f"of {block.dtype} is not a clip; give floats in [-1, 1] or 8-, 16- or 32-bit integers")
