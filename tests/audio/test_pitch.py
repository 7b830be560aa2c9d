"""Pitch: right to a step, at any level, and none where nothing is voiced."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.pitch import pitch_of


def spectrum_of(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    frames = samples.reshape(-1, 512) * np.hanning(512)
    return np.square(np.abs(np.fft.rfft(frames, axis=1))).astype(np.float32)


def harmonics(hertz: float, level: float = 0.1) -> NDArray[np.float64]:
    time = np.arange(10 * 512) / SAMPLE_RATE
    waves = np.array([np.sin(2 * np.pi * hertz * n * time + n) / n for n in range(1, 15)])
    return np.asarray(level * waves.sum(axis=0), dtype=np.float64)


@pytest.mark.parametrize("hertz", [95.0, 120.0, 180.0, 260.0, 340.0])
def test_the_pitch_of_a_voice_is_told_to_a_step(hertz: float) -> None:
    expected = 1 + 254 * np.log(hertz / 60.0) / np.log(400.0 / 60.0)
    told = pitch_of(spectrum_of(harmonics(hertz)))
    assert told.dtype == np.uint8
    assert np.abs(told - expected).max() < 1.5
    assert np.array_equal(told, pitch_of(spectrum_of(harmonics(hertz, level=0.001))))


def test_silence_and_noise_have_none() -> None:
    noise = np.random.default_rng(0).standard_normal(100 * 512)
    assert (pitch_of(spectrum_of(noise)) > 0).mean() < 0.1
    assert not pitch_of(spectrum_of(np.zeros(10 * 512))).any()
    assert pitch_of(np.zeros((0, 257), np.float32)).shape == (0,)
