"""Clips made worse, the same way every time: noise, babble, telephone, codecs and rooms.

A condition changes the recording, before anything looks for speech in it, and depends on the clip's name and
the seed alone. So two models, or two days, are measured on the same samples.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import AudioError

__all__ = ["BABBLE_VOICES", "CONDITIONS", "Condition", "degrade"]

Samples = NDArray[np.float32]
Change = Callable[[Samples, Sequence[Samples], np.random.Generator], Samples]

BABBLE_VOICES = 5
"""How many others speak at once in babble."""

_TELEPHONE_RATE = 8000
_TELEPHONE_BAND = (300.0, 3400.0)  # Hz (ITU-T G.712)
_MU = 255.0  # ITU-T G.711
_FADE = 0.0625  # of the rate: flank of the band in Hz, so that it does not ring


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A way to make a clip worse.

    Parameters
    ----------
    name : str
        What it is called, unique.
    kind : str
        What it belongs to: ``noise``, ``babble``, ``line``, ``codec`` or ``room``.
    change : callable
        From samples (n,), the clips of other people, and a generator, to samples (n,).
    others : int
        How many clips of other people it needs.
    """

    name: str
    kind: str
    change: Change
    others: int = 0


def degrade(
    samples: Samples, condition: Condition, *, clip: str, others: Sequence[Samples] = (), seed: int = 0
) -> Samples:
    """Make a clip worse.

    Parameters
    ----------
    samples : ndarray of shape (n,), float32
        Mono at 16 kHz, in [-1, 1].
    condition : Condition
    clip : str
        The clip's name: with `seed` it decides what is drawn.
    others : sequence of ndarray of shape (m,), float32
        As many clips of other people as the condition needs, of any lengths.
    seed : int

    Returns
    -------
    ndarray of shape (n,), float32
        In [-1, 1].

    Raises
    ------
    AudioError
        If there are not as many clips of other people.
    """
    if len(others) != condition.others:
        raise AudioError(
            f"{clip}: {condition.name} takes {condition.others} clips of other people, not {len(others)}",
            source=clip,
        )
    digest = hashlib.sha256(f"{seed} {condition.name} {clip}".encode()).digest()
    changed = condition.change(samples, others, np.random.default_rng(list(digest[:16])))
    return (changed / max(1.0, float(np.abs(changed).max(initial=0.0)))).astype(np.float32)


def _noise(snr_db: float) -> Change:
    """Pink noise: as strong in every octave, as that of streets, rooms and fans is, about."""

    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        return _mix(samples, _pink(len(samples), generator), snr_db)

    return change


def _babble(snr_db: float) -> Change:
    """Other people speaking at once, each as loud."""

    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        voices = [np.resize(np.roll(o, generator.integers(len(o))), len(samples)) / _rms(o) for o in others]
        return _mix(samples, np.sum(voices, axis=0), snr_db)

    return change


def _telephone(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
    """8 kHz, 300 to 3400 Hz, 8-bit mu-law."""
    narrow = soxr.resample(_band(samples, *_TELEPHONE_BAND), SAMPLE_RATE, _TELEPHONE_RATE)
    peak = max(float(np.abs(narrow).max(initial=0.0)), 1e-9)
    level = np.sign(narrow) * np.log1p(_MU * np.abs(narrow / (2 * peak))) / np.log1p(_MU)
    heard = np.sign(level) * np.expm1(np.abs(np.round(level * 127) / 127) * np.log1p(_MU)) / _MU * 2 * peak
    return _fit(soxr.resample(heard, _TELEPHONE_RATE, SAMPLE_RATE), len(samples))


def _opus(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
    """Opus at its lowest rate, as voice messages on a poor connection."""
    return _round_trip(samples, SAMPLE_RATE, container="OGG", subtype="OPUS", compression_level=1.0)


def _gsm(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
    """GSM 06.10 full rate: 8 kHz, 13 kbit/s, as mobile telephones of the first digital kind."""
    narrow = np.clip(soxr.resample(samples, SAMPLE_RATE, _TELEPHONE_RATE), -1.0, 1.0)
    heard = _round_trip(narrow, _TELEPHONE_RATE, container="WAV", subtype="GSM610")
    return _fit(soxr.resample(heard, _TELEPHONE_RATE, SAMPLE_RATE), len(samples))


def _room(seconds: float) -> Change:
    """A room whose echo falls by 60 dB in so many seconds: noise that decays, after the direct sound.

    The statistical model of late reverberation (Polack, 1988), direct sound and echo of equal energy: a
    speaker about as far from the microphone as the room's critical distance.
    """

    def change(samples: Samples, others: Sequence[Samples], generator: np.random.Generator) -> Samples:
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        echo = generator.standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
        echo[: round(0.005 * SAMPLE_RATE)] = 0.0  # the first reflection comes 5 ms after
        echo /= np.sqrt(np.square(echo).sum())
        echo[0] = 1.0
        heard = _convolve(samples, echo)[: len(samples)]
        return np.asarray(heard * (_rms(samples) / _rms(heard)), dtype=np.float32)

    return change


def _mix(samples: Samples, background: NDArray[np.floating], snr_db: float) -> Samples:
    """Add a background at a ratio of powers, both over the whole clip."""
    gain = _rms(samples) / _rms(background) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(samples + gain * background, dtype=np.float32)


def _rms(samples: NDArray[np.floating]) -> float:
    return max(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), 1e-9)


def _pink(size: int, generator: np.random.Generator) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(generator.standard_normal(size))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    return np.fft.irfft(spectrum, size)


def _band(samples: Samples, low: float, high: float) -> Samples:
    hertz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    flank = _FADE * _TELEPHONE_RATE / 4
    gain = np.clip((hertz - low) / flank + 1.0, 0.0, 1.0) * np.clip((high - hertz) / flank + 1.0, 0.0, 1.0)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples)).astype(np.float32)


def _convolve(samples: Samples, response: NDArray[np.float64]) -> NDArray[np.float64]:
    size = 1 << (len(samples) + len(response) - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)


def _round_trip(
    samples: Samples, rate: int, *, container: str, subtype: str, compression_level: float | None = None
) -> Samples:
    file = io.BytesIO()
    soundfile.write(
        file, samples, rate, format=container, subtype=subtype, compression_level=compression_level
    )
    file.seek(0)
    return _fit(soundfile.read(file, dtype="float32")[0], len(samples))


def _fit(samples: NDArray[np.floating], size: int) -> Samples:
    """Cut or fill with silence what a codec or a resampler made a few samples longer or shorter."""
    fitted = np.zeros(size, dtype=np.float32)
    fitted[: min(size, len(samples))] = samples[:size]
    return fitted


_SNRS = (20.0, 10.0, 5.0)

_ALL = (
    *(Condition(name=f"noise {snr:g} dB", kind="noise", change=_noise(snr)) for snr in _SNRS),
    *(
        Condition(name=f"babble {snr:g} dB", kind="babble", change=_babble(snr), others=BABBLE_VOICES)
        for snr in _SNRS
    ),
    Condition(name="telephone", kind="line", change=_telephone),
    Condition(name="GSM", kind="codec", change=_gsm),
    Condition(name="Opus 6 kbit/s", kind="codec", change=_opus),
    Condition(name="room 0.4 s", kind="room", change=_room(0.4)),
    Condition(name="room 0.8 s", kind="room", change=_room(0.8)),
)

CONDITIONS: Mapping[str, Condition] = {condition.name: condition for condition in _ALL}
"""The conditions by name: ratios are of speech to noise, rooms by their reverberation time."""
