"""The loudness contour of a recording, by which it is known again in another encoding.

Hashes tell copies of the same samples. The same recording as MP3, Ogg or FLAC has other samples, at a slight
offset, and the same rise and fall of loudness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE

__all__ = ["loudness_contour", "same_contour"]

_FRAME = SAMPLE_RATE // 100  # samples: 10 ms
_FLOOR = 0.02  # of the mean level: below it, encoders write what they like
_MOST_SHIFT = 12  # frames: what encoders put before a recording
_LEAST = 100  # frames: shorter contours of the same word are alike
_ALIKE = 0.98  # correlation; two takes of one word may reach it too, so voices are compared as well


def loudness_contour(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithm of the level in each 10 ms: samples (n,) at 16 kHz -> (frames,)."""
    frames = len(samples) // _FRAME
    squares = np.square(samples[: frames * _FRAME].reshape(frames, _FRAME), dtype=np.float64)
    level = np.sqrt(squares.mean(axis=1))
    floor = _FLOOR * np.sqrt(squares.mean()) if frames else 0.0
    contour: NDArray[np.float32] = np.log(level + floor + 1e-9).astype(np.float32)
    return contour


def same_contour(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether two contours (n,) and (m,) are of one recording, as far as they tell.

    Contours of under 1 s tell nothing.
    """
    if min(len(a), len(b)) < _LEAST or abs(len(a) - len(b)) > _MOST_SHIFT:
        return False
    shifts = range(-_MOST_SHIFT, _MOST_SHIFT + 1)
    return any(_correlation(a[max(0, s) :], b[max(0, -s) :]) >= _ALIKE for s in shifts)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlate what two contours have in common from their beginnings on; 0 where one is flat."""
    length = min(len(a), len(b))
    x, y = a[:length] - a[:length].mean(), b[:length] - b[:length].mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 1e-6 * length else 0.0
