"""What a loudspeaker does to a clip that it plays: its curve, its resonances, and its distortion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.degrade.filters import frequencies, samples_of, spectrum_of, transform_size

_OVERSAMPLED = 2  # so that what distortion adds above 8 kHz does not fold back


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudspeaker:
    """A loudspeaker and how far it is turned up.

    Parameters
    ----------
    hertz, decibels : tuple of float
        Knots of its curve, in rising order, interpolated over the logarithm of the frequency.
    drive : float
        Peak of the clip over the level at which the distortion sets in.
    distortion : {"soft", "hard", "uneven"}
        The shape: a saturating cone, a clipping amplifier, or a cone that moves further one way.
    """

    hertz: tuple[float, ...]
    decibels: tuple[float, ...]
    drive: float = 0.5
    distortion: Literal["soft", "hard", "uneven"] = "soft"


def play(samples: NDArray[np.float32], loudspeaker: Loudspeaker) -> NDArray[np.float32]:
    """Play a clip (n,) at 16 kHz by a loudspeaker: distortion, then its curve; the peak stays as it was."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak == 0.0:
        return samples.copy()
    size = transform_size(samples.size)
    driven = samples * np.float32(loudspeaker.drive / peak)
    fine = samples_of(_widened(spectrum_of(driven, size)), _OVERSAMPLED * size, _OVERSAMPLED * samples.size)
    bent = _bent(fine * np.float32(_OVERSAMPLED), loudspeaker.distortion)
    spectrum = spectrum_of(bent, _OVERSAMPLED * size)[: size // 2 + 1]
    played = samples_of(spectrum * _curve(loudspeaker, size), size, samples.size)
    return played * np.float32(peak / max(float(np.max(np.abs(played))), 1e-9))


def _widened(spectrum: NDArray[np.complex64]) -> NDArray[np.complex64]:
    wide = np.zeros(_OVERSAMPLED * (len(spectrum) - 1) + 1, np.complex64)
    wide[: len(spectrum)] = spectrum
    return wide


def _bent(samples: NDArray[np.float32], shape: str) -> NDArray[np.float32]:
    match shape:
        case "hard":
            return np.clip(samples, -1.0, 1.0)
        case "uneven":
            uneven = np.tanh(samples + 0.3 * np.square(samples))
            return np.asarray(uneven - uneven.mean(), dtype=np.float32)
        case _:
            return np.tanh(samples)


def _curve(loudspeaker: Loudspeaker, size: int) -> NDArray[np.float32]:
    places = np.log(np.maximum(frequencies(size), 10.0))
    decibels = np.interp(places, np.log(loudspeaker.hertz), loudspeaker.decibels)
    return np.asarray(10 ** (decibels / 20), dtype=np.float32)
