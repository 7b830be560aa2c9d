"""The enrolled among the speakers: each name once, by the open-set rule of `identify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid
from voiceprint.store import StoreHit

__all__ = ["Naming", "embed_speech", "name_speakers"]

_NEAREST = 20  # enrolled people whom each speaker is compared with
_PIECE = 3 * SAMPLE_RATE  # samples embedded at a time
_TOGETHER = 16  # pieces embedded at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Who of the enrolled a speaker is.

    Parameters
    ----------
    name : str
    score : float
        Cosine of voiceprint and speaker.
    llr : float or None
        Natural-log likelihood ratio; None without a calibration.
    threshold : float
        The lowest score at which the name is given.
    """

    name: str
    score: float
    llr: float | None
    threshold: float


def embed_speech(model: SpeakerModel, speech: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embed what one speaker says (n,) -> (dim,): the mean of pieces of about 3 s, of unit length.

    A voiceprint is the mean of clips, too; all embedded at once is less like it
    (docs/development/experiments.md).

    Parameters
    ----------
    speech : ndarray of float32, shape (n,)
        At least 0.1 s, not digital silence.
    """
    pieces = np.array_split(speech, max(1, round(len(speech) / _PIECE)))
    sounding = [piece for piece in pieces if piece.any()]
    batches = [sounding[first : first + _TOGETHER] for first in range(0, len(sounding), _TOGETHER)]
    return centroid(np.concatenate([model.embed(batch) for batch in batches]))


def name_speakers(
    embeddings: NDArray[np.float32],
    seconds: Sequence[float],
    verifier: Verifier,
    point: OperatingPoint,
) -> list[Naming | None]:
    """Name the speakers of one recording.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (k, dim)
        Of all the speech of each.
    seconds : sequence of float, length k
        Speech in each.
    verifier : Verifier
        Whose store.
    point : OperatingPoint
        Of one comparison; that of the search follows by `OperatingPoint.among`, with all who are enrolled.

    Returns
    -------
    list of Naming or None
        One for each speaker. Nobody's name is given twice: where two speakers could have it, names are given
        so that their likelihood ratios add up to most (the assignment problem).
    """
    # Needs the extra `diarize`, and 100 ms.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    people = len(verifier.store)
    if not people or not len(embeddings):
        return [None] * len(embeddings)
    found = [
        _candidates(embedding, length, verifier, point.among(people))
        for embedding, length in zip(embeddings, seconds, strict=True)
    ]
    names = sorted({each.name for some in found for each in some})
    gains = np.zeros((len(found), len(names)))
    for row, some in enumerate(found):
        for each in some:
            # Above 0 for whoever may be named: the margin decides where there is no calibration.
            gains[row, names.index(each.name)] = 1e3 + (each.llr or 0.0) + each.score - each.threshold
    answers: list[Naming | None] = [None] * len(found)
    for row, column in zip(*linear_sum_assignment(gains, maximize=True), strict=True):
        if gains[row, column] > 0.0:
            answers[row] = next(each for each in found[row] if each.name == names[column])
    return answers


def _candidates(
    embedding: NDArray[np.float32], seconds: float, verifier: Verifier, point: OperatingPoint
) -> list[Naming]:
    """Return the enrolled people whose threshold a speaker reaches; none if there is too little speech."""
    hits = verifier.store.search(embedding, top=_NEAREST)
    if not hits:
        return []
    decider, scores = verifier.decider, np.array([hit.score for hit in hits])
    others = [np.delete(scores, place) for place in range(len(hits))]
    shape = TrialShape(
        n_enroll=[hit.n_utterances for hit in hits],
        seconds=np.full(len(hits), max(seconds, 0.1)),
        rivals=decider.rivals(np.tile(embedding, (len(hits), 1)), others),
        recording=True,
    )
    thresholds, llrs = decider.thresholds(shape, point), decider.llrs(scores, shape)
    return [
        Naming(
            name=hit.name,
            score=hit.score,
            llr=None if llrs is None else float(llrs[place]),
            threshold=float(thresholds[place]),
        )
        for place, hit in enumerate(hits)
        if hit.score >= thresholds[place] and not _too_short(decider, hit, seconds, point)
    ]


def _too_short(decider: Decider, hit: StoreHit, seconds: float, point: OperatingPoint) -> bool:
    """Whether the rate is not promised for so little speech."""
    shape = TrialShape(n_enroll=hit.n_utterances, seconds=max(seconds, 0.1))
    return decider.shortfall(shape, point) is not None
