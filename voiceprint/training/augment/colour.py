"""The curve of a microphone, drawn."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio.degrade.filters import frequencies

_NYQUIST = 8000.0
# Where curves are drawn: finely where the ear resolves finely, then interpolated to the transform's bins.
_KNOTS = np.concatenate([[0.0], np.geomspace(20.0, _NYQUIST, 127)])
_OCTAVES = np.log2(np.maximum(_KNOTS, 10.0) / 1000.0)  # relative to 1 kHz


def draw_colour(generator: Generator, *, range_db: float) -> NDArray[np.float32]:
    """Draw the frequency response of a cheap microphone or a far one.

    A tilt of up to a fifth of `range_db` an octave, three broad peaks or dips of up to `range_db`, and each
    half of the time a high-pass at 50-300 Hz and a low-pass at 3.5-8 kHz (magnitudes of Butterworth filters).

    Parameters
    ----------
    range_db : float
        Largest height of a peak, in decibels.

    Returns
    -------
    ndarray of float32, shape (knots,)
        Magnitudes for :func:`colour_response`.
    """
    decibels = generator.uniform(-0.2, 0.2) * range_db * np.clip(_OCTAVES, -4.0, 3.0)
    for _ in range(3):
        centre = generator.uniform(np.log2(0.1), np.log2(7.0))
        width = generator.uniform(0.3, 1.5)
        height = generator.uniform(-range_db, range_db)
        decibels += height * np.exp(-0.5 * ((_OCTAVES - centre) / width) ** 2)
    magnitude = 10 ** (decibels / 20)
    if generator.random() < 0.5:
        corner = generator.uniform(50.0, 300.0)
        magnitude *= 1 / np.sqrt(1 + (corner / np.maximum(_KNOTS, 1.0)) ** 4)
    if generator.random() < 0.5:
        corner = generator.uniform(3500.0, _NYQUIST)
        magnitude *= 1 / np.sqrt(1 + (_KNOTS / corner) ** 12)
    return np.asarray(magnitude, np.float32)


def colour_response(magnitudes: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Interpolate the magnitudes of :func:`draw_colour` to the bins of a transform of `size`."""
    response: NDArray[np.float64] = np.interp(frequencies(size), _KNOTS, magnitudes)
    return response.astype(np.float32)
