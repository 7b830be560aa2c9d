"""GMM-UBM verification: likelihood ratios by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.baselines.classic import score_by_gmms
from voiceprint.errors import TrainingError
from voiceprint.training.classification.gmm import GMM
from voiceprint.trials import EnrollmentModel, TrialList

STANDARD = GMM(
    weights=np.ones(1, np.float32), means=np.zeros((1, 1), np.float32), variances=np.ones((1, 1), np.float32)
)


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def test_every_trial_is_scored_by_its_own_model_and_test() -> None:
    clips = {"a": column(2, 2), "b": column(1, 3), "c": column(-2, -2)}
    trials = TrialList(
        models=(
            EnrollmentModel(name="a", clips=("a",)),
            EnrollmentModel(name="ab", clips=("a", "b")),
        ),
        tests=("b", "c"),
        enroll=np.array([0, 1, 0], np.int32),
        test=np.array([0, 1, 1], np.int32),
        target=np.array([True, False, False]),
    )
    # Of a (two frames, mean 2, relevance 2) the mean goes to 1; of a and b (four frames) to 4/3.
    # The ratio is m x - m^2 / 2 at the mean x of the test.
    scored = score_by_gmms(trials, clips, STANDARD, relevance=2)
    np.testing.assert_allclose(scored.scores, [2 - 0.5, -8 / 3 - 8 / 9, -2 - 0.5], rtol=1e-5)
    with pytest.raises(TrainingError, match="clip 'c' of the trials has no frames"):
        score_by_gmms(trials, {"a": clips["a"], "b": clips["b"]}, STANDARD, relevance=2)
