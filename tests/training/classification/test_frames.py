"""Short-term features: cepstra of linear prediction by hand, deltas, normalisation, bounded pools."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_speech import Speechlike
from voiceprint.errors import AudioError, ConfigError
from voiceprint.training.classification.frames import (
    FramesConfig,
    LPCCFrames,
    MFCCFrames,
    frames_of,
    lpc_to_cepstra,
    pool_frames,
)


def test_cepstra_of_one_pole_are_its_powers_over_their_number() -> None:
    # log 1/(1 - r z^-1) = sum of r^n / n z^-n, and the filter's coefficients are 1 and -r.
    cepstra = lpc_to_cepstra(np.array([1.0, -0.5]), 4)
    np.testing.assert_allclose(cepstra, [0.5, 0.125, 0.5**3 / 3, 0.5**4 / 4])


def test_cepstra_of_two_poles_are_the_sum_of_both() -> None:
    # (1 - 0.8 z^-1)(1 + 0.5 z^-1) = 1 - 0.3 z^-1 - 0.4 z^-2
    n = np.arange(1, 7)
    np.testing.assert_allclose(lpc_to_cepstra(np.array([1.0, -0.3, -0.4]), 6), (0.8**n + (-0.5) ** n) / n)


def test_lpc_cepstra_of_a_noise_driven_pole_come_near_those_of_the_pole() -> None:
    rng = np.random.default_rng(0)
    samples = np.zeros(32_000)
    for i, noise in enumerate(0.1 * rng.standard_normal(len(samples))):
        samples[i] = 0.9 * samples[i - 1] + noise
    config = LPCCFrames(order=1, cepstra=3, deltas=False, normalization="none", pre_emphasis=0.0)
    cepstra = frames_of(config, samples.astype(np.float32)).mean(axis=0)
    np.testing.assert_allclose(cepstra, [0.9, 0.9**2 / 2, 0.9**3 / 3], atol=0.03)


@pytest.mark.parametrize("config", [MFCCFrames(), LPCCFrames()])
def test_a_frame_has_every_coefficient_and_its_slope(config: FramesConfig, speechlike: Speechlike) -> None:
    frames = frames_of(config, speechlike(1, 1.0))
    assert frames.dtype == np.float32
    assert frames.shape[1] == 2 * 20
    assert 90 <= len(frames) <= 101
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-3)


def test_the_mean_alone_can_be_taken_off(speechlike: Speechlike) -> None:
    clip = speechlike(1, 1.0)
    plain = frames_of(MFCCFrames(normalization="none"), clip)
    centred = frames_of(MFCCFrames(normalization="mean"), clip)
    np.testing.assert_allclose(centred, plain - plain.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("config", [MFCCFrames(), LPCCFrames()])
def test_a_tenth_of_a_second_is_enough(config: FramesConfig, speechlike: Speechlike) -> None:
    assert np.isfinite(frames_of(config, speechlike(1, 1.0)[8000:9600])).all()


@pytest.mark.parametrize("config", [MFCCFrames(), LPCCFrames()])
def test_digital_silence_is_refused(config: FramesConfig) -> None:
    with pytest.raises(AudioError, match="digital silence"):
        frames_of(config, np.zeros(16_000, np.float32))


def test_silence_within_a_clip_is_left_out_of_linear_prediction(speechlike: Speechlike) -> None:
    clip = speechlike(1, 1.0)
    config = LPCCFrames(deltas=False, normalization="none")
    silent = np.concatenate([clip, np.zeros(16_000, np.float32)])
    assert len(frames_of(config, silent)) < len(frames_of(config, clip)) + 5


def test_a_pool_is_bounded_and_takes_as_much_of_every_clip() -> None:
    clips = [np.full((size, 2), place, np.float32) for place, size in enumerate((100, 50, 3))]
    pool = pool_frames(clips, 30, np.random.default_rng(0))
    assert np.bincount(pool[:, 0].astype(int)).tolist() == [10, 10, 3]


def test_a_window_must_hold_more_than_the_order() -> None:
    with pytest.raises(ConfigError, match=r"features.window: 18 samples cannot fit order 18"):
        LPCCFrames(window=18)
