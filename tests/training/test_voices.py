"""Voices: another vocal tract moves the resonances and leaves the pitch; another speed moves both."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.errors import ConfigError
from voiceprint.training.data.voices import DrawnVoice, Voice, draw_voices, render_voice, warp_formants

RATE = 16_000


def vowel(pitch: float, resonance: float) -> NDArray[np.float32]:
    """A second of harmonics of ``pitch`` under one broad resonance, both in Hz."""
    time = np.arange(RATE) / RATE
    harmonics = np.arange(1, int(7000 / pitch)) * pitch
    heights = np.exp(-(((harmonics - resonance) / 400) ** 2)) + 0.01
    waves = heights[:, None] * np.sin(2 * np.pi * np.outer(harmonics, time))
    samples: NDArray[np.float32] = (0.1 * waves.sum(axis=0)).astype(np.float32)
    return samples


def peaks(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Pitch by the autocorrelation, and the power-weighted mean frequency, in Hz."""
    lags = np.correlate(samples[:4000], samples[:4000], mode="full")[3999:]
    pitch = RATE / (40 + int(np.argmax(lags[40:200])))
    power = np.abs(np.fft.rfft(samples)) ** 2
    return pitch, float((power * np.fft.rfftfreq(len(samples), 1 / RATE)).sum() / power.sum())


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_warping_moves_the_resonance_and_not_the_pitch(factor: float) -> None:
    before = vowel(125, 1500)
    after = warp_formants(before, factor)
    pitch, resonance = peaks(after)
    assert after.dtype == np.float32 and len(after) == len(before)
    assert pitch == pytest.approx(125, rel=0.01)
    assert resonance == pytest.approx(1500 * factor, rel=0.1)
    assert np.sqrt(np.mean(after**2)) == pytest.approx(np.sqrt(np.mean(before**2)), rel=1e-4)


def test_warping_by_one_changes_nothing() -> None:
    before = vowel(200, 1000)
    assert warp_formants(before, 1.0)[400:-400] == pytest.approx(before[400:-400], abs=1e-4)


def test_speed_moves_pitch_resonance_and_tempo_together() -> None:
    after = render_voice(vowel(125, 1500), DrawnVoice(speed=1.25))
    pitch, resonance = peaks(after)
    assert len(after) == RATE / 1.25
    assert pitch == pytest.approx(156.25, rel=0.01)
    assert resonance == pytest.approx(1875, rel=0.03)


def test_the_own_voice_is_left_alone() -> None:
    before = vowel(125, 1500)
    assert render_voice(before, DrawnVoice()) is before


def test_silence_stays_silent() -> None:
    silence = np.zeros(4000, np.float32)
    assert warp_formants(silence, 1.2).tolist() == silence.tolist()


def test_every_speaker_draws_one_voice_within_each_range() -> None:
    ranges = [Voice(speed=(0.8, 0.9)), Voice(speed=(1.1, 1.2), formants=(0.7, 0.8))]
    first, second = draw_voices(["b", "a", "b"], ranges, seed=1)
    assert set(first) == set(second) == {"a", "b"}
    for speaker in "ab":
        assert 0.8 <= first[speaker].speed <= 0.9 and first[speaker].formants == 1.0
        assert 1.1 <= second[speaker].speed <= 1.2 and 0.7 <= second[speaker].formants <= 0.8
    assert draw_voices(["a", "b"], ranges[:1], seed=1) == [first]
    assert draw_voices(["a", "b"], ranges, seed=2) != [first, second]


@pytest.mark.parametrize("bounds", [(1.2, 1.1), (0.0, 1.0), (1.0, 9.0)])
def test_impossible_ranges_are_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=r"data\.voices\.formants"):
        Voice(formants=bounds)
