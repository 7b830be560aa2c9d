from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import ScoringError
from voiceprint.scoring import (
    Cohort,
    CohortStatistics,
    as_norm,
    average_scores,
    centroid,
    centroid_scores,
    cosine,
    cosine_matrix,
    normalize,
)

DIAGONAL = float(np.sqrt(0.5))


def test_normalize_by_hand() -> None:
    unit = normalize([[3.0, 4.0], [0.0, -2.0]])
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0.0, -1.0]], rtol=1e-7)


def test_normalize_keeps_the_direction_of_tiny_vectors() -> None:
    np.testing.assert_allclose(normalize([3e-30, 4e-30]), [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 0.0], [0.0, 0.0]], "embedding 1 is all zeros"),
        ([0.0, 0.0], "the embedding is all zeros"),
        ([[np.nan, 1.0]], "embedding 0 holds a value that is not finite"),
        ([np.inf, 1.0], "not finite"),
        (1.0, "a vector of shape"),
    ],
)
def test_normalize_refuses_what_has_no_direction(rows: ArrayLike, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        normalize(rows)


def test_centroid_is_the_unit_length_mean() -> None:
    np.testing.assert_allclose(centroid([[1.0, 0.0], [0.0, 1.0]]), [DIAGONAL, DIAGONAL], rtol=1e-6)


def test_centroid_of_one_clip_is_that_clip() -> None:
    np.testing.assert_allclose(centroid([[0.6, 0.8]]), [0.6, 0.8], rtol=1e-7)


def test_centroid_takes_many_people_at_once(rng: np.random.Generator) -> None:
    people = normalize(rng.normal(size=(4, 3, 8)))
    np.testing.assert_array_equal(centroid(people), np.stack([centroid(clips) for clips in people]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.empty((0, 3)), "at least one embedding"),
        ([1.0, 0.0], "at least one embedding of shape"),
        ([[1.0, 0.0], [-1.0, 0.0]], "the 2 embeddings cancel out"),
        ([[1.0, np.nan]], "not finite"),
    ],
)
def test_centroid_refuses(rows: ArrayLike, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        centroid(rows)


def test_cosine_by_hand() -> None:
    np.testing.assert_allclose(cosine([[1.0, 0.0], [0.6, 0.8]], [0.0, 1.0]), [0.0, 0.8], rtol=1e-7)


def test_cosine_matrix_is_every_pair(rng: np.random.Generator) -> None:
    a, b = normalize(rng.normal(size=(3, 5))), normalize(rng.normal(size=(4, 5)))
    pairs = [[cosine(row, other) for other in b] for row in a]
    np.testing.assert_allclose(cosine_matrix(a, b), pairs, atol=1e-6)


@pytest.mark.parametrize("score", [cosine, cosine_matrix])
def test_embeddings_of_two_models_do_not_compare(
    score: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float32]],
) -> None:
    with pytest.raises(ScoringError, match="3 and 2 dimensions"):
        score(np.ones((1, 3)), np.ones((1, 2)))


def test_centroid_and_average_scores_differ_by_the_length_of_the_mean() -> None:
    enrollment, tests = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [DIAGONAL, DIAGONAL]]
    np.testing.assert_allclose(centroid_scores(enrollment, tests), [DIAGONAL, 1.0], rtol=1e-6)
    np.testing.assert_allclose(average_scores(enrollment, tests), [0.5, DIAGONAL], rtol=1e-6)


def test_average_scores_need_an_enrollment_clip() -> None:
    with pytest.raises(ScoringError, match="at least one enrollment"):
        average_scores(np.empty((0, 2)), [[1.0, 0.0]])


def cohort_of_four() -> Cohort:
    # Scores of (1, 0) against these: 1.0, 0.8, 0.6, 0.0.
    return Cohort(
        embeddings=np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32),
        speakers=("c1", "c2", "c3", "c4"),
    )


def test_cohort_statistics_use_the_top_k() -> None:
    statistics = cohort_of_four().statistics([[1.0, 0.0]], top_k=2)
    np.testing.assert_allclose(statistics.mean, [0.9], rtol=1e-6)
    np.testing.assert_allclose(statistics.std, [0.1], rtol=1e-6)


def test_cohort_statistics_do_not_depend_on_the_batch(rng: np.random.Generator) -> None:
    cohort = Cohort(embeddings=normalize(rng.normal(size=(50, 6))), speakers=tuple(map(str, range(50))))
    rows = normalize(rng.normal(size=(7, 6)))
    together = cohort.statistics(rows, top_k=10)
    alone = [cohort.statistics(row[None], top_k=10) for row in rows]
    np.testing.assert_allclose(together.mean, [one.mean[0] for one in alone], rtol=1e-6)
    np.testing.assert_allclose(together.std, [one.std[0] for one in alone], rtol=1e-5)


def test_as_norm_by_hand() -> None:
    enroll = CohortStatistics(mean=np.array([0.1, 0.2]), std=np.array([0.1, 0.2])).take([1, 0])
    test = CohortStatistics(mean=np.array([0.3, 0.5]), std=np.array([0.2, 0.5]))
    # ((0.6 - 0.2) / 0.2 + (0.6 - 0.3) / 0.2) / 2 and ((1.0 - 0.1) / 0.1 + (1.0 - 0.5) / 0.5) / 2
    np.testing.assert_allclose(as_norm([0.6, 1.0], enroll=enroll, test=test), [1.75, 5.0])


def test_as_norm_needs_statistics_of_every_trial() -> None:
    one = CohortStatistics(mean=np.zeros(1), std=np.ones(1))
    with pytest.raises(ScoringError, match="as many statistics"):
        as_norm([0.1, 0.2], enroll=one, test=one)


def test_a_cohort_that_shares_speakers_with_the_trials_is_refused() -> None:
    cohort_of_four().check_disjoint(["ada", "grace"])
    with pytest.raises(ScoringError, match=r"2 speakers are in the cohort and in the trials: c2, c4; take"):
        cohort_of_four().check_disjoint(["c4", "ada", "c2"])


@pytest.mark.parametrize("top_k", [1, 5])
def test_top_k_must_fit_the_cohort(top_k: int) -> None:
    with pytest.raises(ScoringError, match=f"top_k is {top_k}; it must be from 2 to 4"):
        cohort_of_four().statistics([[1.0, 0.0]], top_k=top_k)


def test_a_cohort_without_spread_is_refused() -> None:
    cohort = Cohort(embeddings=np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32), speakers=("a", "b"))
    with pytest.raises(ScoringError, match="scores all its cohort alike"):
        cohort.statistics([[0.6, 0.8]], top_k=2)


def test_a_cohort_names_every_row() -> None:
    with pytest.raises(ScoringError, match="one speaker per embedding"):
        Cohort(embeddings=np.eye(3, dtype=np.float32), speakers=("a", "b"))
    with pytest.raises(ScoringError, match="at least 2"):
        Cohort(embeddings=np.eye(1, dtype=np.float32), speakers=("a",))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)
