from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import soxr

from voiceprint.audio import SAMPLE_RATE, Waveform, clipped_fraction, read_audio
from voiceprint.audio.clipping import ClippingMeter
from voiceprint.audio.clips import read_clip
from voiceprint.audio.quality import ClipQuality, bandwidth, measure_quality, quality_notes
from voiceprint.audio.vad import Segment, Speech, find_speech


def waveform(samples: np.ndarray) -> Waveform:
    return Waveform(samples=samples.astype(np.float32), source="<array>", original_rate=SAMPLE_RATE)


def quality(samples: np.ndarray, *spans: tuple[int, int]) -> ClipQuality:
    """Measure a clip whose speech is said to lie in `spans`, in samples."""
    clip = waveform(samples)
    parts = [clip.samples[start:stop] for start, stop in spans]
    speech = Speech(
        samples=np.concatenate([clip.samples[:0], *parts]),
        segments=tuple(Segment(start=start, stop=stop) for start, stop in spans),
    )
    return measure_quality(clip, speech)


def square(seconds: float, amplitude: float) -> np.ndarray:
    """A wave of constant power `amplitude`**2 that is never flat for two samples."""
    return amplitude * np.resize([1.0, -1.0], round(seconds * SAMPLE_RATE))


def sine(seconds: float = 1.0, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * 220 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


def test_seconds() -> None:
    measured = quality(square(2.0, 0.1), (8000, 16000))
    assert measured.seconds == 2.0
    assert measured.seconds_of_speech == 0.5


@pytest.mark.parametrize(("amplitude", "level"), [(1.0, 0.0), (0.1, -20.0), (0.01, -40.0)])
def test_level_is_that_of_the_speech(amplitude: float, level: float) -> None:
    samples = np.concatenate([square(1.0, amplitude), square(1.0, 0.5)])
    assert quality(samples, (0, 16000)).level_dbfs == pytest.approx(level, abs=1e-4)


def test_a_sine_is_3_db_below_a_square_wave() -> None:
    assert quality(sine(), (0, 16000)).level_dbfs == pytest.approx(10 * math.log10(0.5), abs=1e-3)


def test_snr_is_speech_less_noise_over_noise() -> None:
    # power 1.01 where there is speech and 0.01 elsewhere: 1 / 0.01 is 20 dB
    samples = np.concatenate([square(1.0, math.sqrt(0.101)), square(1.0, math.sqrt(0.001))])
    assert quality(samples, (0, 16000)).snr_db == pytest.approx(20.0, abs=1e-3)


def test_snr_has_bounds() -> None:
    louder_noise = np.concatenate([square(1.0, 0.1), square(1.0, 0.9)])
    assert quality(louder_noise, (0, 16000)).snr_db == pytest.approx(-20.0)
    no_noise = np.concatenate([square(1.0, 1.0), np.zeros(16000)])
    assert quality(no_noise, (0, 16000)).snr_db == pytest.approx(100.0)


def test_what_cannot_be_measured_is_none() -> None:
    assert quality(square(1.0, 0.1)).level_dbfs is None
    assert quality(square(1.0, 0.1)).snr_db is None
    assert quality(square(1.0, 0.1), (0, 16000)).snr_db is None
    assert quality(square(1.0, 0.1), (0, 16000 - 1599)).snr_db is None
    assert quality(square(1.0, 0.1), (0, 16000 - 1600)).snr_db is not None


def test_silence_is_measured_without_warnings() -> None:
    measured = quality(np.zeros(16000), (0, 8000))
    assert measured.level_dbfs == pytest.approx(-100.0)
    assert measured.clipped == 0.0


def test_a_clean_sine_is_not_clipped() -> None:
    assert quality(sine(amplitude=0.9)).clipped == 0.0


def test_clipped_is_the_fraction_in_flat_runs() -> None:
    samples = sine(amplitude=0.3)
    samples[:100] = 1.0  # one run of 100
    samples[200] = 1.0  # a peak, no plateau
    assert quality(samples).clipped == pytest.approx(100 / 16000)


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_clipping_shows_after_turning_down(scale: float) -> None:
    clipped = scale * sine(amplitude=2.0).clip(-1, 1)
    # |2 sin| > 1 for two thirds of the time
    assert quality(clipped).clipped == pytest.approx(2 / 3, abs=0.02)


def test_all_clipped_and_quiet_steps() -> None:
    assert quality(np.sign(sine() + 1e-9)).clipped == pytest.approx(1.0)
    assert quality(0.05 * np.sign(sine() + 1e-9)).clipped == 0.0


@pytest.mark.parametrize("snr", [30, 20, 10])
def test_snr_of_speech_in_noise(voice: Callable[..., np.ndarray], snr: int) -> None:
    spoken = np.pad(voice("bert", seconds=4.0), SAMPLE_RATE)
    power = np.square(spoken[SAMPLE_RATE:-SAMPLE_RATE]).mean()
    noise = np.random.default_rng(1).standard_normal(len(spoken)) * math.sqrt(power / 10 ** (snr / 10))
    clip = read_audio((spoken + noise).clip(-1, 1), sample_rate=SAMPLE_RATE)
    assert measure_quality(clip, find_speech(clip)).snr_db == pytest.approx(snr, abs=3.0)


def telephone(samples: np.ndarray) -> np.ndarray:
    narrow: np.ndarray = soxr.resample(samples, SAMPLE_RATE, 8000)
    wide: np.ndarray = soxr.resample(narrow, 8000, SAMPLE_RATE)
    return wide.astype(np.float32)


def test_bandwidth_is_that_of_the_sound() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    assert bandwidth(noise) == 8000.0
    assert bandwidth(telephone(noise)) == pytest.approx(4000.0, abs=250.0)
    assert bandwidth(noise[:100]) is None
    assert bandwidth(np.zeros(SAMPLE_RATE, dtype=np.float32)) is None


def notes(**changes: float) -> list[str]:
    good = {"seconds": 6.0, "seconds_of_speech": 5.0, "level_dbfs": -20.0, "clipped": 0.0, "snr_db": 30.0}
    wide = 0.1 * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    return [note.code for note in quality_notes(ClipQuality(**(good | changes)), wide)]


def test_a_good_clip_has_no_notes() -> None:
    assert notes() == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("seconds_of_speech", 1.9, "short"),
        ("clipped", 0.006, "clipped"),
        ("snr_db", 7.9, "noisy"),
        ("level_dbfs", -45.1, "quiet"),
    ],
)
def test_each_fault_has_its_note(field: str, value: float, code: str) -> None:
    assert notes(**{field: value}) == [code]


def test_a_telephone_is_narrow_band_and_the_note_says_up_to_where() -> None:
    wide = 0.1 * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    good = ClipQuality(seconds=6.0, seconds_of_speech=5.0, level_dbfs=-20.0, clipped=0.0, snr_db=None)
    (note,) = quality_notes(good, telephone(wide))
    assert note.code == "narrow_band"
    assert "nothing above 4 kHz" in note.text


def test_clipping_before_resampling_is_seen(voice: Callable[..., np.ndarray]) -> None:
    """Resampling rounds flat tops, and cutting what overshoots full scale makes sound above 4 kHz."""
    narrow = soxr.resample(voice("bert", seconds=4.0), SAMPLE_RATE, 8000)
    ceiling = 0.1 * np.abs(narrow).max()
    clip = read_clip(narrow.clip(-ceiling, ceiling) / ceiling, sample_rate=8000)
    assert {"clipped", "narrow_band"} <= {note.code for note in clip.notes}


def test_clipping_in_blocks_is_that_of_the_whole() -> None:
    samples = np.concatenate([0.2 * sine(), sine(amplitude=2.0).clip(-1, 1), 0.2 * sine()]).astype(np.float32)
    meter = ClippingMeter()
    for block in np.array_split(samples, 7):
        meter.add(block)
    assert meter.fraction == pytest.approx(clipped_fraction(samples), abs=1e-4)
    assert meter.fraction == pytest.approx(2 / 9, abs=0.01)
