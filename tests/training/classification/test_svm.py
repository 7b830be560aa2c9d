"""SVMs that a file keeps: the same as scikit-learn's first fit."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.classification.svm import SVM, SVMConfig, fit_pipeline, fit_svm


def overlapping(classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors of classes that no border parts cleanly, in dimensions of unlike scale."""
    rng = np.random.default_rng(classes)
    labels = rng.permutation(np.arange(160) % classes)
    centres = rng.normal(0, 1, (classes, 4))
    return ((centres[labels] + rng.normal(0, 1, (160, 4))) * [1, 10, 0.1, 1000]).astype(np.float32), labels


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_scores_are_those_of_a_fit_on_all_vectors(classes: int, kernel: Literal["rbf", "linear"]) -> None:
    vectors, labels = overlapping(classes)
    config = SVMConfig(kernel=kernel, c=2.0)
    svm = fit_svm(vectors[:60], labels[:60], config)
    assert len(svm.support) < 60
    expected = fit_pipeline(vectors[:60], labels[:60], config).decision_function(vectors[60:])
    if classes == 2:
        expected = np.stack([-expected, expected], axis=1)
    np.testing.assert_allclose(svm.scores(vectors[60:]), expected, rtol=0, atol=0.01)
    np.testing.assert_array_equal(svm.scores(vectors[60:]).argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("classes", [2, 4])
def test_an_svm_of_its_arrays_is_the_same_bit_for_bit(classes: int) -> None:
    vectors, labels = overlapping(classes)
    svm = fit_svm(vectors[:60], labels[:60], SVMConfig())
    again = SVM(SVMConfig(), **(svm.arrays() | {"gamma": svm.gamma}))
    np.testing.assert_array_equal(again.scores(vectors), svm.scores(vectors))


def test_borders_lie_halfway_between_two_clips_each() -> None:
    vectors = np.array([[8.0], [12]], np.float32)  # -1 and 1 in deviations from the mean
    svm = fit_svm(vectors, np.array([0, 1]), SVMConfig(kernel="linear"))
    np.testing.assert_allclose(svm.standardized(vectors), [[-1], [1]])
    scores = svm.scores(np.array([[8.0], [10], [12]], np.float32))
    np.testing.assert_allclose(scores, [[1, -1], [0, 0], [-1, 1]], atol=1e-5)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    svm = fit_svm(np.array([[8.0], [12]], np.float32), np.array([0, 1]), SVMConfig())
    with pytest.raises(ValueError, match=r"2 support vectors of \(1,\) numbers, 3 in 2 classes"):
        SVM(SVMConfig(), **(svm.arrays() | {"gamma": svm.gamma, "counts": np.array([1, 2])}))


def test_one_class_is_no_question() -> None:
    with pytest.raises(TrainingError, match="two or more speakers"):
        fit_svm(np.eye(2, dtype=np.float32), np.array([0, 0]), SVMConfig())


def test_a_price_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"svm.c: 0; give more than 0"):
        SVMConfig(c=0.0)
