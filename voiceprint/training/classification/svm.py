"""Support vector machines on one vector a clip: fitted by scikit-learn, stored without pickle.

A fitted SVM depends on its support vectors alone. Fitted on these again, it is the same one, so that a file
of arrays is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from voiceprint.config import require_positive
from voiceprint.errors import TrainingError

Vectors = NDArray[np.float32]

_TINY = 1e-12
_TOLERANCE = 1e-6  # where the second fit ends; scikit-learn's default, for the first fit, is 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SVMConfig:
    """The ``[svm]`` table of a recipe; every dimension is brought to mean 0 and deviation 1 first.

    Parameters
    ----------
    kernel : {"rbf", "linear"}
        Curved or flat borders between speakers.
    c : float
        Price of a clip on the wrong side; the higher, the more the border bends for single clips.
    """

    kernel: Literal["rbf", "linear"] = "rbf"
    c: float = 10.0

    def __post_init__(self) -> None:
        require_positive("svm", self, "c")


class SVM:
    """An SVM of several classes, made of the arrays that a file holds.

    Parameters
    ----------
    gamma : float
        Of the kernel ``exp(-gamma |x - y|^2)``; of no meaning to a linear one.
    mean, deviation : ndarray, shape (dim,), float32
        Of every dimension, in training.
    support : ndarray, shape (n, dim), float64
        The support vectors, brought to mean 0 and deviation 1, class by class.
    counts : ndarray, shape (classes,), int64
        How many of them are of each class; they sum to n.

    Raises
    ------
    ValueError
        The arrays do not belong together.
    """

    def __init__(
        self,
        config: SVMConfig,
        *,
        gamma: float,
        mean: Vectors,
        deviation: Vectors,
        support: NDArray[np.float64],
        counts: NDArray[np.int64],
    ) -> None:
        self.gamma, self.mean, self.deviation = gamma, mean, deviation
        self.support, self.counts = support, counts
        if (*mean.shape, *deviation.shape, int(counts.sum())) != (*support.shape[1:] * 2, len(support)):
            raise ValueError(
                f"{len(support)} support vectors of {support.shape[1:]} numbers, {counts.sum()} in "
                f"{len(counts)} classes, mean {mean.shape}, deviation {deviation.shape}"
            )
        labels = np.repeat(np.arange(len(counts)), counts)
        self._svc = SVC(C=config.c, kernel=config.kernel, gamma=gamma, tol=_TOLERANCE).fit(support, labels)

    def arrays(self) -> dict[str, Any]:
        """The arrays of the file, by name."""
        return {
            "gamma": np.asarray(self.gamma),
            "mean": self.mean,
            "deviation": self.deviation,
            "support": self.support,
            "counts": self.counts,
        }

    def standardized(self, vectors: Vectors) -> Vectors:
        """Bring vectors (n, dim) to the mean 0 and deviation 1 of training."""
        standardized: Vectors = ((vectors - self.mean) / self.deviation).astype(np.float32)
        return standardized

    def scores(self, vectors: Vectors) -> NDArray[np.float64]:
        """Score every class, (n, classes), for vectors (n, dim).

        It is the ``decision_function`` of scikit-learn: the pairs of classes that a class wins, and a
        fraction for how clearly. Two classes have one distance from their border; each gets its side of it.
        """
        scores: NDArray[np.float64] = self._svc.decision_function(self.standardized(vectors).astype(float))
        return np.stack([-scores, scores], axis=1) if len(self.counts) == 2 else scores


def fit_pipeline(known: Vectors, speakers: NDArray[Any], config: SVMConfig) -> Pipeline:
    """Fit a scaler and an SVM behind it.

    Parameters
    ----------
    known : ndarray, shape (n, dim), float32
    speakers : ndarray, shape (n,)
        Whose they are: names or numbers.

    Raises
    ------
    TrainingError
        There are fewer than two speakers.
    """
    if len(np.unique(speakers)) < 2:
        raise TrainingError("a classifier needs clips of two or more speakers")
    pipeline: Pipeline = make_pipeline(StandardScaler(), SVC(C=config.c, kernel=config.kernel))
    pipeline.fit(known, speakers)
    return pipeline


def fit_svm(known: Vectors, labels: NDArray[np.int64], config: SVMConfig) -> SVM:
    """Fit an SVM that can be stored.

    Parameters
    ----------
    known : ndarray, shape (n, dim), float32
        Training vectors.
    labels : ndarray, shape (n,)
        Their classes: 0, 1, ... without a gap.

    Raises
    ------
    TrainingError
        There are fewer than two classes.
    """
    scaler, svc = fit_pipeline(known, labels, config)
    spread = float(scaler.transform(known).astype(np.float64).var())
    return SVM(
        config,
        gamma=1 / max(known.shape[1] * spread, _TINY),  # what gamma="scale" stands for
        mean=scaler.mean_.astype(np.float32),
        deviation=scaler.scale_.astype(np.float32),
        support=np.asarray(svc.support_vectors_, dtype=np.float64),
        counts=svc.n_support_.astype(np.int64),
    )
