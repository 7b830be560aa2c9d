"""Linear effects as frequency responses: rooms, microphones, bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

__all__ = [
    "apply_response",
    "colour_response",
    "draw_colour",
    "halve_rate",
    "restore_rate",
    "spectrum_of",
    "wet",
]

_NYQUIST = 8000.0
_PADDING = 1024  # samples; the responses of microphones and bands ring for less
# Where microphone curves are drawn: finely where hearing is fine, then interpolated to the transform's bins.
_KNOTS = np.concatenate([[0.0], np.geomspace(20.0, _NYQUIST, 127)])
_OCTAVES = np.log2(np.maximum(_KNOTS, 10.0) / 1000.0)  # relative to 1 kHz


def transform_size(length: int, tail: int = 0) -> int:
    """Find an even size, fast to transform, that holds `length` samples and a response's `tail`."""
    return 2 * int(fft.next_fast_len((length + max(tail, _PADDING) + 1) // 2, real=True))


def spectrum_of(samples: NDArray[np.float32], size: int) -> NDArray[np.complex64]:
    """Transform `samples` (n,), padded with zeros to `size`, to (size / 2 + 1,) bins."""
    spectrum: NDArray[np.complex64] = fft.rfft(samples, size)
    return spectrum


def wet(spectrum: NDArray[np.complex64], response: NDArray[np.float32], size: int) -> NDArray[np.complex64]:
    """Filter a spectrum by a room's impulse response and keep its energy, so that levels stay as set."""
    return _keep_energy(spectrum, spectrum * fft.rfft(response, size))


def apply_response(spectrum: NDArray[np.complex64], response: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Filter a spectrum by the magnitudes of a microphone, and keep its energy."""
    return _keep_energy(spectrum, spectrum * response)


def draw_colour(generator: Generator, *, range_db: float) -> NDArray[np.float32]:
    """Draw the frequency response of a cheap microphone or a far one.

    A tilt of up to a fifth of `range_db` an octave, three broad peaks or dips of up to `range_db`, and each
    half of the time a high-pass at 50-300 Hz and a low-pass at 3.5-8 kHz (magnitudes of Butterworth filters).

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of the draw.
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
    response: NDArray[np.float64] = np.interp(_frequencies(size), _KNOTS, magnitudes)
    return response.astype(np.float32)


def halve_rate(samples: NDArray[np.float32], *, low: float, high: float) -> NDArray[np.float32]:
    """Resample from 16 to 8 kHz through the band `low` to `high` Hz, with flanks outside it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz.
    low, high : float
        Edges of what passes unharmed, in Hz; the flanks are 100 Hz wide below and 250 Hz above. Nothing is
        cut below a ``low`` of 0, and nothing from 4 kHz up passes.

    Returns
    -------
    ndarray of float32, shape ((n + 1) // 2,)
    """
    size = transform_size(samples.size)
    spectrum = fft.rfft(samples, size)[: size // 4 + 1]
    flanks = [low - 100.0, low, high, min(high + 250.0, 4000.0)]
    band = np.interp(_frequencies(size)[: spectrum.size], flanks, [0.0 if low else 1.0, 1.0, 1.0, 0.0])
    narrow: NDArray[np.float32] = fft.irfft(spectrum * band.astype(np.float32), size // 2)
    return narrow[: (samples.size + 1) // 2] * np.float32(0.5)


def restore_rate(narrow: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Resample from 8 to 16 kHz, to `length` samples; the upper half of the spectrum stays empty."""
    half = transform_size(narrow.size)
    samples: NDArray[np.float32] = fft.irfft(fft.rfft(narrow, half), 2 * half)
    return samples[:length] * np.float32(2)


@lru_cache(maxsize=64)
def _frequencies(size: int) -> NDArray[np.float64]:
    return np.linspace(0.0, _NYQUIST, size // 2 + 1)


def _keep_energy(before: NDArray[np.complex64], after: NDArray[np.complex64]) -> NDArray[np.complex64]:
    # Parseval, but for the first and last bin, which weigh double here: less than 0.01 dB on speech.
    kept = np.vdot(before, before).real
    now = np.vdot(after, after).real
    return after * np.float32(np.sqrt(kept / now)) if now > 0 else after
