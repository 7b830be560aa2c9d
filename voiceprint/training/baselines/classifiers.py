"""Classifiers over vectors, and how often they are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from voiceprint.errors import ConfigError, TrainingError
from voiceprint.metrics import ConfusionMatrix, Interval, rate_interval
from voiceprint.scoring import centroid, cosine_matrix

__all__ = [
    "Answer",
    "Fit",
    "SVMConfig",
    "confusion_interval",
    "fit_centroids",
    "fit_pipeline",
    "fit_svm",
]

Names = NDArray[np.str_]
Vectors = NDArray[np.float32]

Answer = Callable[[Vectors], Names]
"""Vectors (m, dim) -> who speaks (m,)."""
Fit = Callable[[Vectors, Names], Answer]
"""(vectors (n, dim), whose they are (n,)) -> a classifier."""


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
        if not self.c > 0:
            raise ConfigError(f"svm.c: {self.c:g}; give more than 0")


def fit_svm(known: Vectors, speakers: Names, config: SVMConfig) -> Answer:
    """Fit a support vector machine that names the speakers of vectors.

    Parameters
    ----------
    known : ndarray, shape (n, dim)
        What it learns from.
    speakers : ndarray of str, shape (n,)
        Whose they are.
    config : SVMConfig

    Returns
    -------
    callable
        Vectors (m, dim) -> speakers (m,).

    Raises
    ------
    TrainingError
        There are fewer than two speakers.
    """
    machine = fit_pipeline(known, speakers, config)
    return lambda asked: np.asarray(machine.predict(asked), dtype=np.str_)


def fit_pipeline(known: Vectors, speakers: Names | NDArray[np.int64], config: SVMConfig) -> Pipeline:
    """Fit what `fit_svm` asks: a scaler, and a support vector machine behind it.

    Raises
    ------
    TrainingError
        There are fewer than two speakers.
    """
    if len(np.unique(speakers)) < 2:
        raise TrainingError("a classifier needs clips of two or more speakers")
    machine: Pipeline = make_pipeline(StandardScaler(), SVC(C=config.c, kernel=config.kernel))
    machine.fit(known, speakers)
    return machine


def fit_centroids(known: Vectors, speakers: Names) -> Answer:
    """Average what is known of each speaker, as enrolling does; the nearest average is the answer.

    Parameters
    ----------
    known : ndarray, shape (n, dim)
        Rows of unit length.
    speakers : ndarray of str, shape (n,)
        Whose they are.

    Returns
    -------
    callable
        Vectors (m, dim) of unit length -> speakers (m,).
    """
    names = np.unique(speakers)
    centroids = np.stack([centroid(known[speakers == name]) for name in names])
    return lambda asked: np.asarray(names[cosine_matrix(asked, centroids).argmax(axis=1)])


def confusion_interval(confusion: ConfusionMatrix, *, generator: np.random.Generator) -> Interval:
    """The interval of `accuracy_interval` for the answers that a confusion matrix counts."""
    counts = np.array(confusion.counts)
    asked = counts.sum(axis=1)
    return rate_interval(counts.diagonal(), asked, generator=generator)
