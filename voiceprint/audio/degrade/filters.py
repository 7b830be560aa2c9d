"""Linear effects: rooms, frequency responses, and the change of the sampling rate.

They act on spectra, so that several cost one transform there and one back: `spectrum_of`, some of `wet` and
`apply_response`, and `samples_of`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.waveform import SAMPLE_RATE

_PADDING = 1024  # samples; the responses of microphones and bands ring for less
_FIRST_REFLECTION = 0.005  # s


@lru_cache(maxsize=1024)
def transform_size(length: int, tail: int = 0) -> int:
    """Find an even size, fast to transform, that holds `length` samples and a response's `tail`."""
    return 2 * _fast_size((length + max(tail, _PADDING) + 1) // 2)


def _fast_size(least: int) -> int:
    """Return the smallest number from `least` on that has no prime factor above 5."""
    best = 1 << (least - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:
            best = min(best, odd << (-(-least // odd) - 1).bit_length())
            odd *= 3
        fives *= 5
    return best


def spectrum_of(samples: NDArray[np.float32], size: int) -> NDArray[np.complex64]:
    """Transform `samples` (n,), padded with zeros to `size`, to (size / 2 + 1,) bins."""
    return np.fft.rfft(samples, size).astype(np.complex64, copy=False)


def samples_of(spectrum: NDArray[np.complex64], size: int, length: int) -> NDArray[np.float32]:
    """Transform a spectrum of `size` back, to its first `length` samples."""
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32, copy=False)


def wet(spectrum: NDArray[np.complex64], response: NDArray[np.float32], size: int) -> NDArray[np.complex64]:
    """Filter a spectrum by a room's impulse response and keep its energy, so that levels stay as set."""
    return _keep_energy(spectrum, spectrum * spectrum_of(response, size))


def reverberate(samples: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Play a clip in a room, at the level that it had.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
    response : ndarray of float32, shape (taps,)
        The room's impulse response, the direct sound first.

    Returns
    -------
    ndarray of float32, shape (n,)
        The echo that lasts longer than the clip is cut.

    Examples
    --------
    >>> echo = decaying_echo(0.4, np.random.default_rng(0))
    >>> reverberate(samples, echo).shape == samples.shape
    True
    """
    size = transform_size(samples.size, response.size)
    return samples_of(wet(spectrum_of(samples, size), response, size), size, samples.size)


def decaying_echo(seconds: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw the impulse response, float32 (taps,), of a room whose echo falls by 60 dB in so many seconds.

    The statistical model of late reverberation (Polack, 1988): noise that decays, after the direct sound.
    Both have the same energy, as at a room's critical distance.

    Examples
    --------
    >>> decaying_echo(0.4, np.random.default_rng(0)).ndim
    1
    """
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    echo = generator.standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
    echo[: round(_FIRST_REFLECTION * SAMPLE_RATE)] = 0.0
    echo /= np.sqrt(np.square(echo).sum())
    echo[0] = 1.0
    return echo.astype(np.float32)


def apply_response(spectrum: NDArray[np.complex64], response: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Filter a spectrum by magnitudes, as of a microphone, and keep its energy."""
    return _keep_energy(spectrum, spectrum * response)


def halve_rate(samples: NDArray[np.float32], *, low: float, high: float) -> NDArray[np.float32]:
    """Resample from 16 to 8 kHz, to ((n + 1) // 2,), through a band with flanks outside it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz.
    low, high : float
        Edges of what passes unharmed, in Hz; the flanks are 100 Hz wide below and 250 Hz above. Nothing is
        cut below a ``low`` of 0, and nothing from 4 kHz up passes.
    """
    size = transform_size(samples.size)
    spectrum = spectrum_of(samples, size)[: size // 4 + 1]
    flanks = [low - 100.0, low, high, min(high + 250.0, 4000.0)]
    band = np.interp(frequencies(size)[: spectrum.size], flanks, [0.0 if low else 1.0, 1.0, 1.0, 0.0])
    narrow = samples_of(spectrum * band.astype(np.float32), size // 2, (samples.size + 1) // 2)
    return narrow * np.float32(0.5)


def restore_rate(narrow: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Resample from 8 to 16 kHz, to `length` samples; the upper half of the spectrum stays empty."""
    half = transform_size(narrow.size)
    return samples_of(spectrum_of(narrow, half), 2 * half, length) * np.float32(2)


@lru_cache(maxsize=64)
def frequencies(size: int) -> NDArray[np.float64]:
    """Return the bins of a transform of `size` in Hz, (size / 2 + 1,)."""
    return np.linspace(0.0, SAMPLE_RATE / 2, size // 2 + 1)


def _keep_energy(before: NDArray[np.complex64], after: NDArray[np.complex64]) -> NDArray[np.complex64]:
    # Parseval, but for the first and last bin, which weigh double here: less than 0.01 dB on speech.
    kept = np.vdot(before, before).real
    now = np.vdot(after, after).real
    return after * np.float32(np.sqrt(kept / now)) if now > 0 else after
