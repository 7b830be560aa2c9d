"""Level, clipping and signal-to-noise ratio of a clip: what to tell the person who recorded it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.vad import Speech

__all__ = ["ClipQuality", "clipped_fraction", "measure_quality"]

_MIN_NOISE = SAMPLE_RATE // 10  # samples; less non-speech than 0.1 s says nothing about the noise
_FLAT = 1e-4  # samples this close to each other at the ceiling are the flat top of a clipped wave
_FLOOR = 1e-10  # power (-100 dBFS): quieter than any 16-bit recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipQuality:
    """What is measured of a clip.

    Parameters
    ----------
    seconds : float
        Length of the clip.
    seconds_of_speech : float
        Length of the speech in it.
    level_dbfs : float or None
        RMS of the speech in dB relative to full scale (a full-scale square wave is 0 dBFS); None without
        speech.
    clipped : float
        Fraction of the clip's samples, 0 to 1, that lie in flat runs at its ceiling.
    snr_db : float or None
        Estimated signal-to-noise ratio in dB, -20 to 100; None without speech, or where under 0.1 s of the
        clip is not speech.
    """

    seconds: float
    seconds_of_speech: float
    level_dbfs: float | None
    clipped: float
    snr_db: float | None


def measure_quality(waveform: Waveform, speech: Speech) -> ClipQuality:
    """Measure a clip whose speech has been found.

    Parameters
    ----------
    waveform : Waveform
    speech : Speech
        What :func:`voiceprint.vad.find_speech` found in it.

    Returns
    -------
    ClipQuality
    """
    return ClipQuality(
        seconds=waveform.seconds,
        seconds_of_speech=speech.seconds,
        level_dbfs=_decibels(_power(speech.samples)) if len(speech.samples) else None,
        clipped=clipped_fraction(waveform.samples),
        snr_db=_snr(waveform, speech),
    )


def _power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def _decibels(power: float) -> float:
    return float(10 * np.log10(max(power, _FLOOR)))


def clipped_fraction(samples: NDArray[np.float32]) -> float:
    """Return the fraction of samples (n,) in runs of two or more that sit at the clip's own ceiling.

    A recording may be clipped first and turned down later, so the ceiling is the clip's peak, not full scale;
    a peak that is no plateau is a run of one sample and counts nothing.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < 0.1:  # -20 dBFS: whoever records this quietly has not overdriven anything
        return 0.0
    at_ceiling = np.abs(samples) >= peak - _FLAT
    flat = at_ceiling[1:] & at_ceiling[:-1] & (np.abs(np.diff(samples)) <= _FLAT)
    in_run = np.zeros(len(samples), dtype=bool)
    in_run[1:] |= flat
    in_run[:-1] |= flat
    return float(in_run.mean())


def _snr(waveform: Waveform, speech: Speech) -> float | None:
    """Compare the power of speech, less the noise in it, with the power outside of speech."""
    rest = np.ones(len(waveform.samples), dtype=bool)
    for segment in speech.segments:
        rest[segment.start : segment.stop] = False
    if not len(speech.samples) or np.count_nonzero(rest) < _MIN_NOISE:
        return None
    noise = max(_power(waveform.samples[rest]), _FLOOR)
    signal = max(_power(speech.samples) - noise, noise / 100)  # not below -20 dB
    return float(min(10 * np.log10(signal / noise), 100.0))
