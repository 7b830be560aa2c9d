"""Embeddings to scores: unit length, centroid, cosine, and normalisation against a cohort.

A score is the cosine of two unit-length embeddings; higher means more likely the same person. `centroid`
is the one way this library averages embeddings: enrolling, evaluating and the n-shot benchmark all call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import ScoringError

__all__ = [
    "Cohort",
    "CohortStatistics",
    "as_norm",
    "average_scores",
    "centroid",
    "centroid_scores",
    "cosine",
    "cosine_matrix",
    "leave_one_out_agreement",
    "normalize",
    "unit_length",
]

_SMALLEST_MEAN = 1e-6
"""Below this length a mean of unit vectors is rounding noise: its direction says nothing."""


def normalize(embeddings: ArrayLike) -> NDArray[np.float32]:
    """Scale embeddings to unit length.

    Parameters
    ----------
    embeddings : array_like of shape (..., dim)
        Any finite vectors other than zero.

    Returns
    -------
    ndarray of shape (..., dim), float32
        The same directions, each of length 1.

    Raises
    ------
    ScoringError
        If a vector is zero or holds a value that is not finite.

    Examples
    --------
    >>> normalize([3.0, 4.0])
    array([0.6, 0.8], dtype=float32)
    """
    vectors = _vectors(embeddings)
    length = _lengths(vectors)
    if np.any(length == 0.0):
        raise ScoringError(f"{_first(length == 0.0)} is all zeros and has no direction; embed the clip again")
    return (vectors / length[..., None]).astype(np.float32)


def leave_one_out_agreement(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each row to the centroid of the others: (n, dim) -> (n,), for n of 2 or more."""
    # The centroid of the others is the direction of the sum without the row; O(n) instead of n centroids.
    others = normalize(embeddings.sum(axis=0, dtype=np.float64) - embeddings)
    return cosine(others, embeddings)


def centroid(embeddings: ArrayLike) -> NDArray[np.float32]:
    """Average unit-length embeddings of one person into one unit-length embedding.

    Parameters
    ----------
    embeddings : array_like of shape (..., n, dim)
        Unit-length rows; leading axes, if any, are separate people.

    Returns
    -------
    ndarray of shape (..., dim), float32
        The mean over ``n``, scaled to unit length.

    Raises
    ------
    ScoringError
        If there are no rows, a value is not finite, or the rows cancel out.

    Examples
    --------
    >>> centroid([[1.0, 0.0], [0.0, 1.0]]).round(4)
    array([0.7071, 0.7071], dtype=float32)
    """
    rows = _vectors(embeddings)
    if rows.ndim < 2 or rows.shape[-2] == 0:
        raise ScoringError(
            f"a centroid needs at least one embedding of shape (n, dim), got shape {rows.shape}"
        )
    mean = rows.mean(axis=-2, dtype=np.float64)
    length = _lengths(mean)
    if np.any(length < _SMALLEST_MEAN):
        raise ScoringError(
            f"the {rows.shape[-2]} embeddings cancel out and have no centroid; check the clips"
        )
    return np.asarray(mean / length[..., None], dtype=np.float32)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows (..., dim) to unit length; one of zeros has no direction and stays as it is.

    Examples
    --------
    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return unit


def cosine(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Cosine of unit-length embeddings, row by row.

    Parameters
    ----------
    a, b : array_like of shape (..., dim)
        Unit-length rows; shapes broadcast.

    Returns
    -------
    ndarray of shape (...), float32
        In [-1, 1] up to rounding; 1 means the same direction.

    Examples
    --------
    >>> cosine([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0])
    array([1., 0.], dtype=float32)
    """
    left, right = _vectors(a), _vectors(b)
    _same_dim(left, right)
    return np.asarray(np.einsum("...d,...d->...", left, right), dtype=np.float32)


def cosine_matrix(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Cosine of every row of `a` with every row of `b`.

    Parameters
    ----------
    a : array_like of shape (n, dim)
        Unit-length rows.
    b : array_like of shape (m, dim)
        Unit-length rows.

    Returns
    -------
    ndarray of shape (n, m), float32
        Entry ``[i, j]`` is the cosine of ``a[i]`` and ``b[j]``.

    Examples
    --------
    >>> cosine_matrix([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    array([[1., 0.]], dtype=float32)
    """
    left, right = _vectors(a), _vectors(b)
    _same_dim(left, right)
    return np.asarray(left @ right.T, dtype=np.float32)


def average_scores(enrollment: ArrayLike, tests: ArrayLike) -> NDArray[np.float32]:
    """Score test clips, float32 (m,), by the mean cosine to every enrollment clip.

    The alternative to `centroid_scores`: its scores times the length of the clips' plain mean, so lower
    where the enrollment clips disagree.

    Parameters
    ----------
    enrollment : array_like of shape (n, dim)
        Unit-length embeddings of one person's enrollment clips.
    tests : array_like of shape (m, dim)
        Unit-length embeddings of the clips to score.

    Examples
    --------
    >>> average_scores([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]])
    array([0.5], dtype=float32)
    """
    if len(_vectors(enrollment)) == 0:
        raise ScoringError("averaging scores needs at least one enrollment embedding, got none")
    scores = cosine_matrix(enrollment, tests).mean(axis=0, dtype=np.float64)
    return np.asarray(scores, dtype=np.float32)


def centroid_scores(enrollment: ArrayLike, tests: ArrayLike) -> NDArray[np.float32]:
    """Score test clips, float32 (m,), by the cosine to the enrollment clips' centroid, as `verify` does.

    Parameters
    ----------
    enrollment : array_like of shape (n, dim)
        Unit-length embeddings of one person's enrollment clips.
    tests : array_like of shape (m, dim)
        Unit-length embeddings of the clips to score.

    Examples
    --------
    >>> centroid_scores([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]]).round(4)
    array([0.7071], dtype=float32)
    """
    return cosine(tests, centroid(enrollment))


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortStatistics:
    """Mean and spread, float64 (n,), of embeddings' best cohort scores; compute once, and index by clip."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    def take(self, index: ArrayLike) -> CohortStatistics:
        """Select the statistics of the given rows (trials,), such as one side of a trial list."""
        rows = np.asarray(index)
        return CohortStatistics(mean=self.mean[rows], std=self.std[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Embeddings of people outside the trials, against whom scores are put in proportion.

    Parameters
    ----------
    embeddings : ndarray of shape (n, dim), float32
        Unit length; one row per cohort speaker (a centroid) or per cohort clip.
    speakers : tuple of str, length n
        Whose embedding each row is.

    Raises
    ------
    ScoringError
        If the lengths differ or there are fewer than two rows.

    Examples
    --------
    >>> cohort = Cohort(embeddings=np.eye(3, dtype=np.float32), speakers=("x", "y", "z"))
    >>> len(cohort.speakers)
    3
    """

    embeddings: NDArray[np.float32]
    speakers: tuple[str, ...]

    def __post_init__(self) -> None:
        if _vectors(self.embeddings).ndim != 2 or len(self.embeddings) != len(self.speakers):
            raise ScoringError(
                f"a cohort needs one speaker per embedding, got embeddings of shape {self.embeddings.shape} "
                f"and {len(self.speakers)} speakers"
            )
        if len(self.speakers) < 2:
            raise ScoringError(f"a cohort needs at least 2 embeddings, got {len(self.speakers)}")

    def check_disjoint(self, speakers: Iterable[str]) -> None:
        """Refuse trial speakers who are in the cohort; they would normalise their own scores away.

        Parameters
        ----------
        speakers : iterable of str
            Everybody in the trials, on either side.

        Raises
        ------
        ScoringError
            If anybody is in both; the message names up to five of them.
        """
        shared = sorted(set(self.speakers) & set(speakers))
        if shared:
            more = f" and {len(shared) - 5} more" if len(shared) > 5 else ""
            raise ScoringError(
                f"{len(shared)} speakers are in the cohort and in the trials: {', '.join(shared[:5])}{more}; "
                "take them out of the cohort"
            )

    def statistics(self, embeddings: ArrayLike, *, top_k: int = 300) -> CohortStatistics:
        """Mean and standard deviation of each embedding's `top_k` highest cohort scores.

        Parameters
        ----------
        embeddings : array_like of shape (n, dim)
            Unit-length rows: voiceprints or test clips.
        top_k : int
            How many of the closest cohort embeddings to use, at least 2 and at most the cohort's size.

        Returns
        -------
        CohortStatistics
            One entry per row.

        Raises
        ------
        ScoringError
            If `top_k` does not fit the cohort, or an embedding's cohort scores are all equal.
        """
        size = len(self.speakers)
        if not 2 <= top_k <= size:
            raise ScoringError(f"top_k is {top_k}; it must be from 2 to {size}, the size of the cohort")
        blocks = [self._block_statistics(block, top_k) for block in _blocks(_vectors(embeddings), size)]
        mean = np.concatenate([mean for mean, _ in blocks])
        std = np.concatenate([std for _, std in blocks])
        if np.any(std == 0.0):
            raise ScoringError(
                f"embedding {int(np.argmin(std))} scores all its cohort alike; use a larger cohort"
            )
        return CohortStatistics(mean=mean, std=std)

    def _block_statistics(
        self, embeddings: NDArray[np.float32], top_k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scores = cosine_matrix(embeddings, self.embeddings)
        best = np.partition(scores, scores.shape[1] - top_k, axis=1)[:, -top_k:].astype(np.float64)
        return best.mean(axis=1), best.std(axis=1)


def as_norm(scores: ArrayLike, *, enroll: CohortStatistics, test: CohortStatistics) -> NDArray[np.float64]:
    """Adaptive symmetric score normalisation (AS-norm).

    Parameters
    ----------
    scores : array_like of shape (trials,)
        Raw scores.
    enroll, test : CohortStatistics
        Statistics of either side, one entry per trial (see `CohortStatistics.take`).

    Returns
    -------
    ndarray of shape (trials,), float64
        ``((s - mean_e) / std_e + (s - mean_t) / std_t) / 2``. Thresholds fitted on raw scores do
        not apply to it.

    Raises
    ------
    ScoringError
        If the lengths differ.

    References
    ----------
    P. Matejka et al., "Analysis of score normalization in multilingual speaker recognition",
    Interspeech 2017, the form called adaptive S-norm 1.
    """
    raw = np.asarray(scores, dtype=np.float64)
    if not raw.shape == enroll.mean.shape == test.mean.shape:
        raise ScoringError(
            f"{raw.shape} scores need as many statistics of either side, "
            f"got {enroll.mean.shape} of enrollment and {test.mean.shape} of test"
        )
    return np.asarray(((raw - enroll.mean) / enroll.std + (raw - test.mean) / test.std) / 2.0)


def _vectors(embeddings: ArrayLike) -> NDArray[np.float32]:
    vectors = np.asarray(embeddings, dtype=np.float32)
    if vectors.ndim == 0:
        raise ScoringError("an embedding is a vector of shape (dim,), got a single number")
    return vectors


def _lengths(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    # float64: squares of small float32 values would underflow to a false zero.
    lengths = np.sqrt(np.einsum("...d,...d->...", vectors, vectors, dtype=np.float64))
    broken = ~np.isfinite(lengths)
    if np.any(broken):
        raise ScoringError(f"{_first(broken)} holds a value that is not finite; embed the clip again")
    return np.asarray(lengths, dtype=np.float64)


def _first(wrong: NDArray[np.bool_]) -> str:
    return f"embedding {int(np.argmax(wrong))}" if wrong.ndim else "the embedding"


def _same_dim(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ScoringError(
            f"embeddings of {a.shape[-1]} and {b.shape[-1]} dimensions do not compare; use one model"
        )


def _blocks(rows: NDArray[np.float32], columns: int) -> Sequence[NDArray[np.float32]]:
    """Split rows so that a block's score matrix stays near 16 million entries, 64 MB."""
    step = max(1, (1 << 24) // columns)
    return [rows[start : start + step] for start in range(0, len(rows), step)] or [rows]
