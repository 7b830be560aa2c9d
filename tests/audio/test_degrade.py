"""The degradations: what each does to a clip, by numbers that can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sounds import RATE, band_power, hiss, tone

from benchmarks.synthetic_speech import Speechlike
from voiceprint.audio.degrade import (
    active_power,
    add_background,
    amplify,
    babble,
    clip_peaks,
    decaying_echo,
    gsm,
    loudest,
    mp3,
    narrowband,
    opus,
    reverberate,
    telephone,
)
from voiceprint.audio.degrade.filters import halve_rate, restore_rate, transform_size
from voiceprint.audio.degrade.lines import mu_law

Samples = NDArray[np.float32]


def test_clipping_and_gain_are_as_asked() -> None:
    speech = tone(hertz=440, amplitude=0.8)
    assert amplify(speech, gain_db=-20.0) == pytest.approx(speech / 10, rel=1e-6)
    clipped = clip_peaks(speech, depth_db=20.0)
    assert np.abs(clipped).max() == pytest.approx(0.08, rel=1e-3)


def test_babble_is_as_loud_from_loud_and_quiet_voices_of_any_length() -> None:
    loud, quiet = tone(0.5, hertz=500, amplitude=0.9), tone(2.0, hertz=1000, amplitude=0.01)
    summed = babble([loud, quiet], RATE)
    assert summed.shape == (RATE,)
    assert band_power(summed, 450, 550) == pytest.approx(band_power(summed, 950, 1050), rel=0.01)


def test_an_echo_decays_by_60_db_and_is_as_strong_as_the_direct_sound() -> None:
    response = decaying_echo(0.5, np.random.default_rng(0))
    assert response[0] == 1.0
    assert not response[1:80].any()  # the first reflection comes after 5 ms
    assert np.square(response[1:]).sum() == pytest.approx(1.0, rel=1e-4)
    early, late = (np.square(response[start : start + 800]).mean() for start in (1600, 5600))
    assert 10 * np.log10(early / late) == pytest.approx(30.0, abs=1.0)  # half of the 0.5 s lie between


def test_transforms_are_of_even_sizes_without_large_factors() -> None:
    for length in (1, 100, 8000, 31_999, 48_000, 160_000):
        size = transform_size(length)
        assert length + 1024 <= size <= 1.1 * (length + 1024)
        assert size % 2 == 0
        for factor in (2, 3, 5):
            while size % factor == 0:
                size //= factor
        assert size == 1


def test_the_level_of_speech_leaves_out_its_pauses() -> None:
    speech = tone(1.0, hertz=400, amplitude=0.5)
    with_pauses = np.concatenate([np.zeros(RATE, np.float32), speech, np.zeros(3 * RATE, np.float32)])
    assert active_power(speech) == pytest.approx(0.125, rel=1e-3)
    assert active_power(with_pauses) == pytest.approx(0.125, rel=1e-3)
    assert active_power(speech[:100]) == pytest.approx(float(np.mean(speech[:100] ** 2)))


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 10.0, 20.0])
def test_background_lies_as_far_below_the_speech_as_asked(snr_db: float) -> None:
    speech = tone(hertz=400, amplitude=0.05)
    added = add_background(speech, hiss(1, RATE), snr_db=snr_db) - speech
    measured = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
    assert measured == pytest.approx(snr_db, abs=0.01)


def test_silence_takes_no_background_and_silent_background_adds_nothing() -> None:
    silence = np.zeros(RATE, np.float32)
    assert not add_background(silence, hiss(1, RATE), snr_db=0).any()
    assert np.array_equal(add_background(tone(hertz=400), silence, snr_db=0), tone(hertz=400))


def test_a_room_echoes_without_moving_the_clip_or_wrapping_its_end_round() -> None:
    click = np.zeros(2000, np.float32)
    click[[1000, 1950]] = 0.5
    response = np.zeros(400, np.float32)
    response[[0, 100]] = 0.8, 0.6
    wet = reverberate(click, response)
    expected = np.zeros(2000)
    expected[[1000, 1100, 1950]] = 0.4, 0.3, 0.4
    assert wet == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_telephone_leaves_nothing_outside_its_band_and_little_changed_inside() -> None:
    speech = hiss(0, 2 * RATE)
    called = telephone(speech, low=300, high=3400, peak_db=0)
    inside = band_power(called, 400, 3300)
    assert inside == pytest.approx(band_power(speech, 400, 3300), rel=0.05)
    assert band_power(called, 4050, 8000) < 1e-4 * inside  # nothing passes the 8 kHz line
    assert (
        band_power(called, 20, 180) < 2e-3 * inside
    )  # mu-law's own noise, some 38 dB down over the whole band


def test_mu_law_has_255_levels_fine_when_quiet_and_is_odd() -> None:
    ramp = np.linspace(-1, 1, 100_001, dtype=np.float32)
    companded = mu_law(ramp)
    assert len(np.unique(companded)) == 255
    assert np.array_equal(companded, -companded[::-1])
    assert np.abs(companded - ramp).max() < 0.03
    assert np.abs(companded - ramp)[np.abs(ramp) < 0.01].max() < 0.0004
    assert companded[[0, -1]].tolist() == pytest.approx([-1, 1])


def test_a_quiet_call_is_coarser_than_a_loud_one_and_as_loud() -> None:
    speech = tone(hertz=997, amplitude=0.3)
    loud, quiet = (telephone(speech, low=300, high=3400, peak_db=level) for level in (0.0, -60.0))
    middle = slice(800, -800)  # the band's flanks blur a tone that begins and ends at once
    error_loud, error_quiet = (np.mean((call - speech)[middle] ** 2) for call in (loud, quiet))
    assert error_quiet > 10 * error_loud
    assert np.mean(quiet**2) == pytest.approx(np.mean(speech**2), rel=0.1)


def test_a_recording_at_8_khz_keeps_what_lies_below_its_edge() -> None:
    low, high = tone(hertz=1000, amplitude=0.3), tone(hertz=5000, amplitude=0.3)
    recorded = narrowband(low + high, high=3700)
    assert recorded[800:-800] == pytest.approx(low[800:-800], abs=2e-3)


@pytest.mark.parametrize("samples", [1, 159, 16_000, 31_999])
def test_halving_and_restoring_the_rate_keeps_length_and_place(samples: int) -> None:
    click = np.zeros(samples, np.float32)
    click[samples // 2] = 1
    restored = restore_rate(halve_rate(click, low=0, high=3700), samples)
    assert restored.shape == (samples,)
    assert np.argmax(restored) == samples // 2


@pytest.mark.parametrize("samples", [400, 8000, 31_999])
@pytest.mark.parametrize(
    ("codec", "highest"),
    [
        (gsm, 4000),
        (lambda x: mp3(x, kbps=8), 8000),
        (lambda x: mp3(x, kbps=32), 8000),
        (lambda x: opus(x, kbps=6), 8000),
        (lambda x: opus(x, kbps=16), 8000),
    ],
    ids=["gsm", "mp3-8", "mp3-32", "opus-6", "opus-16"],
)
def test_codecs_keep_length_and_place(
    codec: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    highest: int,
    samples: int,
    speechlike: Speechlike,
) -> None:
    speech = speechlike(1, 3.0)[4000 : 4000 + samples]
    decoded = codec(speech)
    assert decoded.dtype == np.float32
    assert decoded.shape == (samples,)
    assert np.array_equal(decoded, codec(speech))
    assert not np.array_equal(decoded, speech)
    if samples >= 8000:
        size = 2 * samples
        shifts = np.fft.irfft(np.fft.rfft(decoded, size) * np.fft.rfft(speech, size).conj())
        shift = int(np.argmax(shifts))
        assert min(shift, size - shift) <= 2
        assert shifts[shift] > 0.7 * np.linalg.norm(decoded) * np.linalg.norm(speech)
        assert band_power(decoded, highest + 50, 8000) < 1e-3 * band_power(decoded, 0, 8000)


def test_the_loudest_stretch_is_cut_out() -> None:
    clip = np.zeros(32_000, dtype=np.float32)
    clip[20_000:20_800] = 1.0
    cut = loudest(clip, 1600)
    assert len(cut) == 1600
    assert cut.sum() == 800
    assert len(loudest(clip[:1000], 1600)) == 1000
