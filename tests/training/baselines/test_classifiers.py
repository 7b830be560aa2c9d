"""Classifiers over vectors, statistics of frames, and the intervals of accuracies."""

from __future__ import annotations

import numpy as np
import pytest

from voiceprint.errors import ConfigError, TrainingError
from voiceprint.metrics import ConfusionMatrix, accuracy_interval
from voiceprint.scoring import centroid
from voiceprint.training.baselines.classifiers import (
    SVMConfig,
    confusion_interval,
    fit_centroids,
    fit_svm,
)
from voiceprint.training.baselines.vectors import describe


def test_the_nearest_centroid_is_that_of_enrolling() -> None:
    known = np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    first, second = centroid(known[:2]), centroid(known[2:])
    halfway = first + second  # as near to one as to the other
    answer = fit_centroids(known, np.array(["a", "a", "b"]))
    assert answer(np.stack([halfway + 0.01 * first, halfway + 0.01 * second])).tolist() == ["a", "b"]


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_a_machine_separates_what_can_be_separated(kernel) -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [6, 0], [0, 600]], np.float32)  # dimensions of unlike scale
    places = rng.integers(3, size=90)
    vectors = (centres[places] + rng.normal(0, 1, (90, 2)) * [1, 100]).astype(np.float32)
    names = np.array(["a", "b", "c"])[places]
    answer = fit_svm(vectors[:60], names[:60], SVMConfig(kernel=kernel))
    assert np.mean(answer(vectors[60:]) == names[60:]) > 0.9


def test_one_speaker_is_no_question() -> None:
    with pytest.raises(TrainingError, match="two or more speakers"):
        fit_svm(np.eye(2, dtype=np.float32), np.array(["a", "a"]), SVMConfig())


def test_a_price_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"svm.c: 0; give more than 0"):
        SVMConfig(c=0.0)


def test_a_confusion_matrix_gives_the_interval_of_its_answers() -> None:
    matrix = ConfusionMatrix(names=("a", "b"), counts=((3, 1), (0, 2)))
    from_answers = accuracy_interval(
        list("aaaabb"), np.array([1, 1, 1, 0, 1, 1]), generator=np.random.default_rng(3)
    )
    assert confusion_interval(matrix, generator=np.random.default_rng(3)) == from_answers


def test_statistics_are_mean_deviation_and_quantiles() -> None:
    frames = np.stack([np.arange(11), np.ones(11)], axis=1).astype(np.float32)
    np.testing.assert_allclose(describe(frames), [5, 1, np.sqrt(10), 0, 1, 1, 5, 1, 9, 1], rtol=1e-6)
