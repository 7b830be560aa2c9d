"""GMMs: densities and MAP adaptation by hand, likelihood ratios against a plain loop."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from voiceprint.errors import TrainingError
from voiceprint.training.classification.gmm import (
    GMM,
    GMMConfig,
    adapt_means,
    fit_gmm,
    likelihood_ratios,
)
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe
from voiceprint.training.classification.speaker_gmms import SpeakerGMMs, learn_speakers


def gmm(means: list[list[float]], *, weights: list[float] | None = None) -> GMM:
    """Gaussians of variance 1, of equal weight unless weights are given."""
    return GMM(
        weights=np.array(weights or [1 / len(means)] * len(means), np.float32),
        means=np.array(means, np.float32),
        variances=np.ones((len(means), len(means[0])), np.float32),
    )


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def test_the_density_of_one_gaussian_is_the_textbook_one() -> None:
    found = gmm([[1.0]]).log_likelihoods(column(1.0, 3.0))
    np.testing.assert_allclose(
        found, [-0.5 * math.log(2 * math.pi), -0.5 * math.log(2 * math.pi) - 2], rtol=1e-6
    )


def test_densities_are_those_of_scikit_learn() -> None:
    frames = np.random.default_rng(0).standard_normal((400, 3)).astype(np.float32)
    theirs = GaussianMixture(4, covariance_type="diag", random_state=0, reg_covar=1e-3).fit(frames)
    ours = GMM(
        weights=theirs.weights_.astype(np.float32),
        means=theirs.means_.astype(np.float32),
        variances=theirs.covariances_.astype(np.float32),
    )
    np.testing.assert_allclose(ours.log_likelihoods(frames), theirs.score_samples(frames), atol=1e-4)
    np.testing.assert_allclose(ours.posteriors(frames), theirs.predict_proba(frames), atol=1e-4)


def test_a_fit_finds_two_far_clusters() -> None:
    rng = np.random.default_rng(0)
    frames = np.concatenate([rng.normal(-10, 1, (300, 1)), rng.normal(10, 2, (100, 1))]).astype(np.float32)
    found = fit_gmm(frames, GMMConfig(components=2), seed=0)
    order = np.argsort(found.means[:, 0])
    np.testing.assert_allclose(found.weights[order], [0.75, 0.25], atol=1e-3)
    np.testing.assert_allclose(found.means[order, 0], [-10, 10], atol=0.6)
    np.testing.assert_allclose(np.sqrt(found.variances[order, 0]), [1, 2], atol=0.3)


def test_equal_seeds_give_equal_gmms() -> None:
    frames = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)
    config = GMMConfig(components=3, iterations=2)  # cut short, which must not warn
    first, second = (fit_gmm(frames, config, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.means, second.means)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(TrainingError, match="3 frames cannot be described by 4 Gaussians"):
        fit_gmm(np.zeros((3, 1), np.float32), GMMConfig(components=4), seed=0)


def test_means_move_by_the_share_of_frames() -> None:
    # Six frames with mean 2 belong to the Gaussian at 0, none to that at 1000:
    # a = 6 / (6 + 4) = 0.6, and 0.6 * 2 + 0.4 * 0 = 1.2.
    adapted = adapt_means(gmm([[0.0], [1000.0]]), column(1, 1, 2, 2, 3, 3), relevance=4)
    np.testing.assert_allclose(adapted.means, [[1.2], [1000.0]], rtol=1e-6)
    np.testing.assert_array_equal(adapted.variances, [[1.0], [1.0]])


def test_a_frame_between_two_gaussians_moves_both_by_half_a_count() -> None:
    # A posterior of 1/2 each: a = 0.5 / (0.5 + 0.5) = 0.5, so -1 and 1 both go half the way to 0.
    adapted = adapt_means(gmm([[-1.0], [1.0]]), column(0.0), relevance=0.5)
    np.testing.assert_allclose(adapted.means, [[-0.5], [0.5]], rtol=1e-6)


def test_a_ratio_is_the_difference_of_two_densities() -> None:
    # One Gaussian at 0, adapted to 1: log N(x; 1) - log N(x; 0) = x - 1/2; of 1 and 2 the mean is 1.
    ratios = likelihood_ratios(gmm([[0.0]]), np.array([[[1.0]], [[0.0]]], np.float32), column(1, 2))
    np.testing.assert_allclose(ratios, [1.0, 0.0], atol=1e-6)


def test_ratios_of_many_models_are_those_of_one_at_a_time() -> None:
    rng = np.random.default_rng(1)
    background = gmm(rng.standard_normal((4, 3)).tolist(), weights=[0.1, 0.2, 0.3, 0.4])
    frames = rng.standard_normal((20, 3)).astype(np.float32)
    models = [
        adapt_means(background, rng.standard_normal((9, 3)).astype(np.float32), relevance=2) for _ in "abc"
    ]
    expected = [(m.log_likelihoods(frames) - background.log_likelihoods(frames)).mean() for m in models]
    found = likelihood_ratios(background, np.stack([m.means for m in models]), frames)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_likeliest_speaker_is_named() -> None:
    speakers = SpeakerGMMs(gmms={"low": gmm([[-1.0]]), "high": gmm([[1.0]])})
    assert speakers.most_likely(column(-3, 0.5)) == "low"
    assert speakers.most_likely(column(0.1, 0.2)) == "high"


def test_speakers_are_learned_alone_or_from_a_background() -> None:
    rng = np.random.default_rng(0)
    clips = {
        name: [rng.normal(mean, 1, (80, 1)).astype(np.float32) for _ in range(2)]
        for name, mean in (("low", -2), ("high", 2))
    }
    asked = [column(-2, -1), column(2, 1)]
    alone = GMMRecipe(name="alone", seed=0, mixture=GMMConfig(components=2, max_frames=100))
    separate = learn_speakers(alone, clips, None)
    adapted = learn_speakers(replace(alone, speakers=AdaptedGMMs(relevance=16)), clips, gmm([[0.0]]))
    for speakers in (separate, adapted):
        assert [speakers.most_likely(frames) for frames in asked] == ["low", "high"]


def test_few_and_similar_frames_far_from_zero_are_described() -> None:
    # Their variances are differences of squares near 1e6, of which float32 holds the first seven digits only.
    frames = (1000 + 0.01 * np.random.default_rng(0).standard_normal((40, 2))).astype(np.float32)
    found = fit_gmm(frames, GMMConfig(components=8), seed=0)
    assert (found.variances > 0).all()
