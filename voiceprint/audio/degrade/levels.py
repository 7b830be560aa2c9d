"""The level of speech and of what is added to it; gain and clipping."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_FRAME = 320  # samples: 20 ms
_STEP = 160  # samples between places where the loudest stretch may begin: 10 ms
_ACTIVE_RANGE = 1e-3  # a frame is speech when its power lies within 30 dB of the loudest frame's


def loudest(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Cut out the stretch of ``length`` samples with the most energy: the middle of a clip may be a pause.

    It begins at a multiple of 10 ms. A clip that is not longer stays whole.
    """
    if len(samples) <= length:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax(energy[length::_STEP] - energy[: len(energy) - length : _STEP])) * _STEP
    return samples[start : start + length]


def active_power(samples: NDArray[np.float32]) -> float:
    """Mean power of the 20 ms frames within 30 dB of the loudest: the level of the speech without its pauses.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Speech; a clip shorter than a frame counts as one frame.

    Examples
    --------
    >>> bool(active_power(samples) > np.mean(samples**2))  # pauses do not count
    True
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
        Speech, whose level is :func:`active_power`, and what is to sound behind it. Silent speech comes back
        as it is: there is no level to set the background by.
    snr_db : float
        Decibels of speech above background.

    Examples
    --------
    >>> speech = np.full(320, 0.1, np.float32)
    >>> add_background(speech, np.ones(320, np.float32), snr_db=20.0)[0].round(3)
    np.float32(0.11)
    """
    return within_full_scale(samples + scale_to_snr(active_power(samples), background, snr_db))


def within_full_scale(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a clip (n,) whose peak exceeds 1 to a peak of 1; any other comes back as it is.

    Examples
    --------
    >>> within_full_scale(np.array([0.5, -2.0], np.float32)).tolist()
    [0.25, -1.0]
    """
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

    Examples
    --------
    >>> noise = scale_to_snr(1.0, np.ones(16_000, np.float32), 20.0)
    >>> round(float(np.mean(noise**2)), 4)
    0.01
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

    Examples
    --------
    >>> noise = scale_to_peak(samples, np.ones(16_000, np.float32), 0.5)
    >>> bool(np.isclose(noise.max(), 0.5 * np.abs(samples).max()))
    True
    """
    peak = float(np.max(np.abs(noise), initial=0.0))
    if peak == 0.0:
        return noise
    return noise * np.float32(scale * float(np.max(np.abs(speech), initial=0.0)) / peak)


def amplify(samples: NDArray[np.float32], *, gain_db: float) -> NDArray[np.float32]:
    """Change the level of a clip (n,) by so many decibels; it may exceed full scale.

    Examples
    --------
    >>> louder = amplify(samples, gain_db=6.02)
    >>> round(float(np.abs(louder).max() / np.abs(samples).max()), 2)
    2.0
    """
    return samples * np.float32(10 ** (gain_db / 20))


def clip_peaks(samples: NDArray[np.float32], *, depth_db: float) -> NDArray[np.float32]:
    """Cut off what exceeds a level `depth_db` below the clip's peak, as an overdriven input does.

    Examples
    --------
    >>> clipped = clip_peaks(samples, depth_db=6.02)
    >>> round(float(np.abs(clipped).max() / np.abs(samples).max()), 2)
    0.5
    """
    limit = np.max(np.abs(samples), initial=0.0) * np.float32(10 ** (-depth_db / 20))
    return np.clip(samples, -limit, limit)


def babble(voices: Iterable[NDArray[np.float32]], length: int) -> NDArray[np.float32]:
    """Sum voices to babble (length,); each is as loud as the others.

    Parameters
    ----------
    voices : iterable of ndarray of float32, each of shape (m,)
        Of any lengths: a shorter one is repeated, a longer one is cut.

    Examples
    --------
    >>> babble([samples, samples[::-1]], 16_000).shape
    (16000,)
    """
    summed = np.zeros(length, np.float32)
    for voice in voices:
        summed += np.resize(scale_to_snr(1.0, voice, 0.0), length)
    return summed


def pink_noise(length: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise (length,) of equal power in every octave, about that of streets, rooms and fans.

    Examples
    --------
    >>> pink_noise(16_000, np.random.default_rng(0)).shape
    (16000,)
    """
    spectrum = np.fft.rfft(generator.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    return np.fft.irfft(spectrum, length).astype(np.float32)
