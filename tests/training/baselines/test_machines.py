"""Support vector machines as numbers: against scikit-learn, and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from voiceprint.errors import TrainingError
from voiceprint.training.baselines.classifiers import SVMConfig, fit_pipeline
from voiceprint.training.baselines.machines import Machine, fit_machine


def overlapping(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of classes that no border parts cleanly, in dimensions of unlike scale."""
    rng = np.random.default_rng(classes)
    labels = rng.permutation(np.arange(90) % classes)
    centres = rng.normal(0, 1, (classes, 4))
    return ((centres[labels] + rng.normal(0, 1, (90, 4))) * [1, 10, 0.1, 1000]).astype(np.float32), labels


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_scores_are_those_of_scikit_learn(classes, kernel) -> None:
    vectors, labels = overlapping(classes)
    config = SVMConfig(kernel=kernel, c=2.0)
    machine = fit_machine(vectors[:60], labels[:60], config)
    expected = fit_pipeline(vectors[:60], labels[:60], config).decision_function(vectors[60:])
    scores = machine.scores(vectors[60:])
    if classes == 2:
        np.testing.assert_allclose(scores, np.stack([-expected, expected], axis=1), rtol=0, atol=1e-9)
    else:
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)


THREE = Machine(  # in one dimension, a support vector each: at -1, 0 and 1
    kernel="linear",
    gamma=1.0,
    mean=np.array([10], np.float32),
    deviation=np.array([2], np.float32),
    support=np.array([[-1.0], [0.0], [1.0]]),
    counts=np.array([1, 1, 1]),
    # Row 0: against the first other class, row 1: against the second.
    dual=np.array([[2.0, -2.0, -0.5], [0.5, 2.0, -2.0]]),
    intercepts=np.array([-1.0, 0.0, 1.0]),
)


def test_borders_lie_between_the_classes_of_each_pair() -> None:
    asked = np.array([[8], [10], [12]], np.float32)  # -1, 0, 1 in deviations from the mean
    np.testing.assert_allclose(THREE.standardized(asked)[:, 0], [-1, 0, 1])
    # (0, 1): -2 x - 1. (0, 2): -0.5 x - 0.5 x. (1, 2): -2 x + 1.
    np.testing.assert_allclose(THREE.borders(asked), [[1, 1, 3], [-1, 0, 1], [-3, -1, -1]])


def test_a_class_scores_the_pairs_it_wins_and_how_clearly() -> None:
    (scores,) = THREE.scores(np.array([[8]], np.float32))  # borders 1, 1, 3: 0 beats 1 and 2, 1 beats 2
    np.testing.assert_allclose(scores, [2 + 2 / 9, 1 + 2 / 9, 0 - 4 / 15])


def test_a_far_vector_meets_the_intercepts_alone() -> None:
    curved = replace(THREE, kernel="rbf")
    np.testing.assert_allclose(curved.borders(np.array([[1000]], np.float32)), [[-1, 0, 1]])


def test_numbers_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 support vectors of 1 numbers, 3 classes: the rest does not fit"):
        replace(THREE, intercepts=np.zeros(2))


def test_one_class_is_no_question() -> None:
    with pytest.raises(TrainingError, match="two or more speakers"):
        fit_machine(np.eye(2, dtype=np.float32), np.array([0, 0]), SVMConfig())
