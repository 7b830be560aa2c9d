"""Voices: further speakers made of the training speakers, with another pitch and another vocal tract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError

# 32 ms windows, 8 ms apart. The spectrum's envelope is what its first 2 ms of cepstrum say: shorter than the
# pitch period of nearly every voice, a child's of 400 Hz among them.
_WINDOW, _HOP = 512, 128
_LIFTER = int(0.002 * SAMPLE_RATE)
_MAX_GAIN_DB = 24.0
_FLOOR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One ``[[data.voices]]`` table of a recipe: every speaker draws one voice from these ranges.

    Parameters
    ----------
    speed : (float, float)
        How many times as fast the speech is played: pitch, formants and tempo together.
    formants : (float, float)
        By how much the resonances of the vocal tract are moved on top of that, the pitch staying where it is.
    """

    speed: tuple[float, float] = (1.0, 1.0)
    formants: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("speed", "formants"):
            low, high = getattr(self, name)
            if not 0.25 <= low <= high <= 4.0:
                raise ConfigError(f"data.voices.{name}: {[low, high]} must be [low, high] within 0.25 and 4")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DrawnVoice:
    """The voice of one speaker: ``speed`` and ``formants`` as in `Voice`, one number each."""

    speed: float = 1.0
    formants: float = 1.0


def draw_voices(
    speakers: Sequence[str], voices: Sequence[Voice], *, seed: int
) -> list[dict[str, DrawnVoice]]:
    """What every speaker becomes in each of ``voices``, log-uniformly drawn, each from its own generator.

    Parameters
    ----------
    seed : int
        Of the draws; adding a voice leaves those before it as they were.
    """
    drawn = []
    for number, voice in enumerate(voices, start=1):
        generator = np.random.default_rng([seed, number])
        drawn.append(
            {
                speaker: DrawnVoice(
                    speed=_log_uniform(generator, voice.speed),
                    formants=_log_uniform(generator, voice.formants),
                )
                for speaker in sorted(set(speakers))
            }
        )
    return drawn


def render_voice(samples: NDArray[np.float32], voice: DrawnVoice) -> NDArray[np.float32]:
    """Speech (n,) at 16 kHz in another voice, (n / speed,)."""
    if voice.speed != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * voice.speed, SAMPLE_RATE)
    if voice.formants != 1.0:
        samples = warp_formants(samples, voice.formants)
    return samples


def warp_formants(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Move the resonances of speech to ``factor`` times their frequency and leave its pitch and tempo alone.

    The envelope of every short-time spectrum, found by cepstral smoothing (Oppenheim 1969), is stretched
    along frequency and put in place of the old one; the fine structure, and with it the pitch, stays.

    Parameters
    ----------
    samples : NDArray of float32, (n,)
        Speech at 16 kHz.
    factor : float
        Above 1 for a shorter vocal tract, below 1 for a longer one.

    Returns
    -------
    NDArray of float32, (n,)
        At the level (root mean square) of ``samples``.
    """
    spectrum = librosa.stft(samples, n_fft=_WINDOW, hop_length=_HOP)  # (bins, frames)
    log_magnitude = np.log(np.abs(spectrum) + _FLOOR)
    envelope = _SMOOTH @ log_magnitude
    limit = _MAX_GAIN_DB * np.log(10.0) / 20.0
    gain = np.exp(np.clip(_stretch(envelope, factor) - envelope, -limit, limit))
    warped = librosa.istft((spectrum * gain).astype(np.complex64), hop_length=_HOP, length=len(samples))
    level = np.sqrt(np.mean(np.square(samples)) / max(float(np.mean(np.square(warped))), 1e-20))
    out: NDArray[np.float32] = (warped * level).astype(np.float32)
    return out


def _smoothing() -> NDArray[np.float32]:
    """Cepstral smoothing as a matrix (bins, bins): log magnitudes of a spectrum to its envelope."""
    cepstra = np.fft.irfft(np.eye(_WINDOW // 2 + 1), axis=0)
    cepstra[_LIFTER + 1 : -_LIFTER] = 0.0
    return np.fft.rfft(cepstra, axis=0).real.astype(np.float32)


_SMOOTH = _smoothing()


def _stretch(envelope: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Rows (bins, frames) read at ``bin / factor``, linearly between bins, the last one beyond the band."""
    bins = len(envelope)
    place = np.minimum(np.arange(bins) / factor, bins - 1)
    below = np.minimum(place.astype(np.intp), bins - 2)
    part = (place - below).astype(np.float32)[:, None]
    stretched: NDArray[np.float32] = (1 - part) * envelope[below] + part * envelope[below + 1]
    return stretched


def _log_uniform(generator: np.random.Generator, bounds: tuple[float, float]) -> float:
    low, high = np.log(bounds)
    return round(float(np.exp(generator.uniform(low, high))), 3)
