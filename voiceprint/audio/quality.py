"""Level, clipping, noise and bandwidth of a clip: what to tell the person who recorded it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform, clipped_fraction
from voiceprint.audio.vad import Speech

SHORT_SECONDS = 2.0
"""Seconds of speech below which a clip is short."""

CLIPPED_FRACTION = 0.005
"""Fraction of samples at the ceiling above which a clip is clipped."""

NOISY_DB = 8.0
"""Signal-to-noise ratio below which a clip is noisy."""

QUIET_DBFS = -45.0
"""Level of the speech below which a clip is quiet."""

NARROW_HZ = 4400.0
"""Bandwidth below which a clip is narrow-band: what comes by telephone ends at 3.4 or 4 kHz."""

NoteCode = Literal["short", "clipped", "noisy", "quiet", "narrow_band"]

_MIN_NOISE = SAMPLE_RATE // 10  # samples; less non-speech than 0.1 s says nothing about the noise
_SPECTRUM = 512  # samples of a spectrum
_ENOUGH = 30 * SAMPLE_RATE  # samples of speech that tell the bandwidth
_BAND = 250  # Hz of a band of it
_BAND_DB = -50.0  # power of a band, relative to that of the voice, below which nothing is in it
_FLOOR = 1e-10  # power (-100 dBFS): quieter than any 16-bit recording


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipQuality:
    """What is measured of a clip.

    Parameters
    ----------
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityNote:
    """One thing about a clip that makes a verdict less sure.

    Parameters
    ----------
    code : {"short", "clipped", "noisy", "quiet", "narrow_band"}
        Which.
    text : str
        How much of it there is, and what would help.
    """

    code: NoteCode
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport(ClipQuality):
    """What is measured of a clip, and what of it makes a verdict less sure."""

    quality_notes: tuple[QualityNote, ...]


@dataclass(slots=True, kw_only=True)
class Loudness:
    """How loud some samples are, as sums that grow while they come: of their squares, and how many."""

    energy: float = 0.0
    samples: int = 0

    @property
    def power(self) -> float:
        """Mean square; 0 of no samples."""
        return self.energy / self.samples if self.samples else 0.0

    def add(self, energy: float, samples: int) -> None:
        """Take more samples into account."""
        self.energy += energy
        self.samples += samples

    def halve(self) -> None:
        """Let all of them count half as much beside those that come."""
        self.energy, self.samples = self.energy / 2, self.samples // 2


def measure_quality(waveform: Waveform, speech: Speech) -> ClipQuality:
    """Measure a clip whose speech has been found."""
    rest = np.ones(len(waveform.samples), dtype=bool)
    for segment in speech.segments:
        rest[segment.start : segment.stop] = False
    return quality_of(
        seconds=waveform.seconds,
        speech=_loudness(speech.samples),
        noise=_loudness(waveform.samples[rest]),
        clipped=clipped_fraction(waveform.samples) if waveform.clipped is None else waveform.clipped,
    )


def quality_of(*, seconds: float, speech: Loudness, noise: Loudness, clipped: float) -> ClipQuality:
    """Tell a clip's quality by sums over its samples.

    Parameters
    ----------
    speech, noise : Loudness
        Of the speech in it, and of the rest.
    clipped : float
        Fraction of its samples that are clipped.
    """
    return ClipQuality(
        seconds=seconds,
        seconds_of_speech=speech.samples / SAMPLE_RATE,
        level_dbfs=10 * math.log10(max(speech.power, _FLOOR)) if speech.samples else None,
        clipped=clipped,
        snr_db=_snr(speech, noise),
    )


def _loudness(samples: NDArray[np.float32]) -> Loudness:
    return Loudness(energy=float(np.square(samples, dtype=np.float64).sum()), samples=len(samples))


def _snr(speech: Loudness, rest: Loudness) -> float | None:
    """Compare the power of speech, less the noise in it, with the power outside of speech."""
    if not speech.samples or rest.samples < _MIN_NOISE:
        return None
    noise = max(rest.power, _FLOOR)
    signal = max(speech.power - noise, noise / 100)  # not below -20 dB
    return min(10 * math.log10(signal / noise), 100.0)


def bandwidth(samples: NDArray[np.float32]) -> float | None:
    """Return up to which frequency speech (n,) at 16 kHz holds sound, in Hz; None for silence or under 0.1 s.

    It is the upper edge of the highest band of 250 Hz whose mean power lies within 50 dB of that from 300 to
    3400 Hz. Of recordings at 16 kHz 99 % of the clips hold more than that above 4.4 kHz, of those at 8 kHz
    under 1 % (``scripts/measure_clip_checks``).
    """
    if len(samples) < _MIN_NOISE:
        return None
    frames = sliding_window_view(samples[:_ENOUGH], _SPECTRUM)[:: _SPECTRUM // 2]
    spectra = np.fft.rfft(frames * np.hanning(_SPECTRUM).astype(np.float32), axis=1)
    power = np.square(np.abs(spectra)).mean(axis=0)
    bands = power[1:].reshape(-1, _SPECTRUM * _BAND // SAMPLE_RATE).mean(axis=1)  # of 250 Hz each
    voice = bands[1:13].mean()  # about 250 to 3250 Hz
    if voice <= 0:
        return None
    return float(_BAND * (1 + np.flatnonzero(bands >= voice * 10 ** (_BAND_DB / 10)).max()))


def quality_notes(
    quality: ClipQuality, speech: NDArray[np.float32], *, original_rate: int = SAMPLE_RATE
) -> tuple[QualityNote, ...]:
    """Say what about a clip makes a verdict less sure.

    Parameters
    ----------
    speech : ndarray of float32, shape (m,)
        Its speech.
    original_rate : int
        Sample rate before resampling, in Hz: above half of it there is nothing but what clipping added.
    """
    notes = []
    if quality.seconds_of_speech < SHORT_SECONDS:
        text = f"only {quality.seconds_of_speech:.1f} s of speech; say a few sentences more"
        notes.append(QualityNote(code="short", text=text))
    if quality.clipped > CLIPPED_FRACTION:
        text = f"{100 * quality.clipped:.0f} % of it is clipped; lower the recording level"
        notes.append(QualityNote(code="clipped", text=text))
    if quality.snr_db is not None and quality.snr_db < NOISY_DB:
        text = f"noise only {quality.snr_db:.0f} dB below the speech; record where it is quieter"
        notes.append(QualityNote(code="noisy", text=text))
    if quality.level_dbfs is not None and quality.level_dbfs < QUIET_DBFS:
        text = f"very quiet ({quality.level_dbfs:.0f} dBFS); go nearer to the microphone"
        notes.append(QualityNote(code="quiet", text=text))
    width = bandwidth(speech)
    width = None if width is None else min(width, original_rate / 2)
    if width is not None and width < NARROW_HZ:
        text = f"nothing above {width / 1000:.2g} kHz, as by telephone; record at 16 kHz or more"
        notes.append(QualityNote(code="narrow_band", text=text))
    return tuple(notes)
