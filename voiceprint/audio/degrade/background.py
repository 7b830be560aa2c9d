"""What sounds behind speech: other people talking at once, and pink noise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.degrade.levels import scale_to_snr

__all__ = ["babble", "pink_noise"]


def babble(voices: Iterable[NDArray[np.float32]], length: int) -> NDArray[np.float32]:
    """Sum voices to babble; each is as loud as the others.

    Parameters
    ----------
    voices : iterable of ndarray of float32, each of shape (m,)
        Of any lengths: a shorter one is repeated, a longer one is cut.

    Returns
    -------
    ndarray of float32, shape (length,)
    """
    summed = np.zeros(length, np.float32)
    for voice in voices:
        summed += np.resize(scale_to_snr(1.0, voice, 0.0), length)
    return summed


def pink_noise(length: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise (length,) of equal power in every octave, about that of streets, rooms and fans."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    return np.fft.irfft(spectrum, length).astype(np.float32)
