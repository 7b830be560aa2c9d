"""What sending and recording at 8 kHz do to a clip: the telephone, and narrow-band recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.degrade.filters import halve_rate, restore_rate

_MU = 255.0


def telephone(
    samples: NDArray[np.float32], *, low: float, high: float, peak_db: float
) -> NDArray[np.float32]:
    """Pass a clip through a telephone: band limits, 8 kHz, 8-bit mu-law (ITU-T G.711) at a given level.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz.
    low, high : float
        The band that passes, in Hz.
    peak_db : float
        The peak level at which the clip is companded, in dB of full scale: the lower, the coarser. The clip
        comes back at the level it had.

    Returns
    -------
    ndarray of float32, shape (n,)

    Examples
    --------
    >>> telephone(samples, low=300, high=3400, peak_db=-6).shape == samples.shape
    True
    """
    narrow = halve_rate(samples, low=low, high=high)
    peak = float(np.max(np.abs(narrow), initial=0.0))
    if peak == 0.0:
        return np.zeros_like(samples)
    scale = np.float32(10 ** (peak_db / 20) / peak)
    return restore_rate(mu_law(narrow * scale) / scale, samples.size)


def narrowband(samples: NDArray[np.float32], *, high: float) -> NDArray[np.float32]:
    """Record a clip at 8 kHz: nothing above `high` Hz (at most 4000) and a flank of 250 Hz is left.

    Examples
    --------
    >>> narrowband(samples, high=3400).shape == samples.shape
    True
    """
    return restore_rate(halve_rate(samples, low=0.0, high=high), samples.size)


def mu_law(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compand samples in [-1, 1] to 8 bits and back by the continuous mu-law curve (mu = 255)."""
    compressed = np.log1p(np.float32(_MU) * np.abs(samples)) / np.float32(np.log1p(_MU))
    levels = np.round(compressed * np.float32(127)) / np.float32(127)
    return np.copysign(np.expm1(levels * np.float32(np.log1p(_MU))) / np.float32(_MU), samples)
