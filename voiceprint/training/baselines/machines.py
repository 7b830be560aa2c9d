"""A fitted support vector machine as its numbers, so that it can be kept in a file and asked again.

Of every pair of classes one says how far a vector lies on either side of the border between them; a class's
score is the pairs it wins, and a fraction for how clearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.training.baselines.classifiers import SVMConfig, fit_pipeline

__all__ = ["Machine", "fit_machine"]

Vectors = NDArray[np.float32]
Numbers = NDArray[np.float64]

_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """A support vector machine of several classes, on vectors brought to mean 0 and deviation 1.

    Parameters
    ----------
    kernel : {"rbf", "linear"}
    gamma : float
        Of the kernel ``exp(-gamma |x - y|^2)``; of no meaning to a linear one.
    mean, deviation : ndarray, shape (dim,), float32
        Of every dimension, in training.
    support : ndarray, shape (n, dim), float64
        The support vectors, brought to mean 0 and deviation 1, class by class.
    counts : ndarray, shape (classes,), int64
        How many of them are of each class; they sum to n.
    dual : ndarray, shape (classes - 1, n), float64
        Their weights against each of the other classes.
    intercepts : ndarray, shape (pairs,), float64
        Of the pairs (0, 1), (0, 2), ..., (1, 2), ...
    """

    kernel: Literal["rbf", "linear"]
    gamma: float
    mean: Vectors
    deviation: Vectors
    support: Numbers
    counts: NDArray[np.int64]
    dual: Numbers
    intercepts: Numbers

    def __post_init__(self) -> None:
        n, classes = len(self.support), len(self.counts)
        shapes = (
            (*self.mean.shape, *self.deviation.shape, self.counts.sum(), *self.dual.shape),
            self.intercepts.shape,
        )
        dim = self.support.shape[1]
        if shapes != ((dim, dim, n, classes - 1, n), (classes * (classes - 1) // 2,)):
            raise ValueError(
                f"{n} support vectors of {dim} numbers, {classes} classes: the rest does not fit"
            )

    def standardized(self, vectors: Vectors) -> Vectors:
        """Bring vectors (n, dim) to the mean 0 and deviation 1 of training."""
        brought: Vectors = ((vectors - self.mean) / self.deviation).astype(np.float32)
        return brought

    def borders(self, vectors: Vectors) -> Numbers:
        """How far vectors (n, dim) lie on the side of the first class of each pair, (n, pairs)."""
        kernel = self._kernel(self.standardized(vectors).astype(np.float64))
        ends = np.cumsum(self.counts)
        own = [slice(end - count, end) for end, count in zip(ends, self.counts, strict=True)]
        # Against the other class of a pair, whose place among the *other* classes is one less after its own.
        sums = [
            kernel[:, own[i]] @ self.dual[j - 1, own[i]] + kernel[:, own[j]] @ self.dual[i, own[j]]
            for i, j in combinations(range(len(self.counts)), 2)
        ]
        return np.stack(sums, axis=1) + self.intercepts

    def scores(self, vectors: Vectors) -> Numbers:
        """Pairs that each class wins, and within a third how clearly, of vectors (n, dim): (n, classes).

        The same as the ``decision_function`` of scikit-learn's SVC, which for two classes gives only the
        distance from the border between them: that is the second one's score, and less that the first one's.
        """
        borders = self.borders(vectors)
        if len(self.counts) == 2:
            return np.concatenate([borders, -borders], axis=1)
        wins, clearly = np.zeros((2, len(vectors), len(self.counts)))
        for border, (i, j) in zip(borders.T, combinations(range(len(self.counts)), 2), strict=True):
            wins[:, i] += border >= 0
            wins[:, j] += border < 0
            clearly[:, i] += border
            clearly[:, j] -= border
        scores: Numbers = wins + clearly / (3 * (np.abs(clearly) + 1))
        return scores

    def _kernel(self, vectors: Numbers) -> Numbers:
        """Of vectors and support vectors, (n, support vectors)."""
        products: Numbers = vectors @ self.support.T
        if self.kernel == "linear":
            return products
        squares = np.square(vectors).sum(axis=1)[:, None] + np.square(self.support).sum(axis=1)
        kernel: Numbers = np.exp(-self.gamma * np.maximum(squares - 2 * products, 0))
        return kernel


def fit_machine(known: Vectors, labels: NDArray[np.int64], config: SVMConfig) -> Machine:
    """Fit a support vector machine, as `fit_svm` does, and take its numbers.

    Parameters
    ----------
    known : ndarray, shape (n, dim), float32
        What it learns from.
    labels : ndarray, shape (n,)
        Their classes: 0, 1, ... without a gap.
    config : SVMConfig

    Raises
    ------
    TrainingError
        There are fewer than two classes.
    """
    pipeline = fit_pipeline(known, labels, config)
    scaler, svc = pipeline[0], pipeline[1]
    spread = float(scaler.transform(known).astype(np.float64).var())
    # For two classes scikit-learn turns the signs of what libsvm gives, so that above 0 is the second class.
    sign = -1.0 if len(svc.classes_) == 2 else 1.0
    return Machine(
        kernel=config.kernel,
        gamma=1 / max(known.shape[1] * spread, _TINY),  # what gamma="scale" stands for
        mean=scaler.mean_.astype(np.float32),
        deviation=scaler.scale_.astype(np.float32),
        support=np.asarray(svc.support_vectors_, dtype=np.float64),
        counts=svc.n_support_.astype(np.int64),
        dual=sign * svc.dual_coef_,
        intercepts=sign * svc.intercept_,
    )
