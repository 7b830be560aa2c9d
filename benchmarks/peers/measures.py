"""Error rates and accuracy of embeddings, with intervals by drawing the speakers anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from voiceprint.evaluation import all_pairs
from voiceprint.metrics import (
    LEVEL,
    ConfusionMatrix,
    Interval,
    eer_interpolated,
    rate_interval,
    speaker_bootstrap,
)

__all__ = ["Measured", "all_pairs_eer", "probe_accuracy", "probe_confusion"]

Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A system's figure on a row.

    Parameters
    ----------
    own : Interval
        On every clip that it answered.
    common : Interval
        On the clips that no system failed on.
    failed : int
        Clips that it failed on.
    """

    own: Interval
    common: Interval
    failed: int


def all_pairs_eer(embeddings: Embeddings, speakers: NDArray[np.str_], *, repetitions: int) -> Interval:
    """EER by cosine over all pairs of utterances, nothing normalised.

    Parameters
    ----------
    embeddings : ndarray, shape (n, dim)
        Of unit length.
    speakers : ndarray, shape (n,)
    """
    (eer,) = speaker_bootstrap(
        all_pairs(embeddings, speakers),
        [eer_interpolated],
        generator=np.random.default_rng(0),
        repetitions=repetitions,
        level=LEVEL,
    )
    return eer


def probe_accuracy(
    embeddings: Embeddings,
    speakers: NDArray[np.str_],
    splits: NDArray[np.str_],
    *,
    repetitions: int,
) -> Interval:
    """Accuracy on ``test`` of logistic regression fitted to frozen embeddings of ``train``.

    Parameters
    ----------
    embeddings : ndarray, shape (n, dim)
        Of unit length.
    speakers, splits : ndarray, shape (n,)
    repetitions : int
        Draws of speakers, each of whom brings all its test clips.
    """
    matrix = probe_confusion(embeddings, speakers, splits)
    asked = np.sum(matrix.counts, axis=1) > 0  # a name that was only answered has no clips to draw
    hits, clips = np.diag(matrix.counts)[asked], np.sum(matrix.counts, axis=1)[asked]
    return rate_interval(hits, clips, generator=np.random.default_rng(0), draws=repetitions, level=LEVEL)


def probe_confusion(
    embeddings: Embeddings, speakers: NDArray[np.str_], splits: NDArray[np.str_], *, test: str = "test"
) -> ConfusionMatrix:
    """Who is taken for whom by logistic regression fitted to frozen embeddings of ``train``.

    Parameters
    ----------
    embeddings, speakers, splits
        As for `probe_accuracy`.
    """
    fitting, asked = splits == "train", splits == test
    classifier = LogisticRegression(max_iter=1000).fit(embeddings[fitting], speakers[fitting])
    return ConfusionMatrix.count(speakers[asked].tolist(), classifier.predict(embeddings[asked]).tolist())
