"""Drift: whether recent accepted claims fit a voiceprint less well than enrollment promised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from voiceprint.calibration import Decider, TrialShape
from voiceprint.scoring import centroid, cosine
from voiceprint.store.accepted import AcceptedClaims
from voiceprint.store.records import EnrolledUtterance

__all__ = ["Drift", "measure_drift", "promised_llr"]

_FEWEST = 5.0  # claims, by their weight
_ERRORS = 2.0  # standard errors of the mean
_RATIO = math.log(2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What recent accepted claims say of a voiceprint.

    Attributes
    ----------
    claims : float
        How many claims this rests on, of which older ones count less.
    recent : float
        Mean log-likelihood ratio of these claims.
    promised : float or None
        Mean ratio of each enrolled clip against the others; None of a voiceprint of one clip.
    drifted : bool
        Whether `recent` lies below `promised` by more than two standard errors, and by a ratio of 2.
    advice : str
        What to do; empty unless it has drifted.
    """

    claims: float
    recent: float
    promised: float | None
    drifted: bool
    advice: str = ""


def measure_drift(
    claims: AcceptedClaims | None, utterances: list[EnrolledUtterance], *, decider: Decider
) -> Drift | None:
    """Compare recent accepted claims with what enrollment promised.

    Parameters
    ----------
    claims : AcceptedClaims or None
        As the store keeps them.
    utterances : list of EnrolledUtterance
        The clips of the voiceprint.
    decider : Decider
        By which the claims were decided.

    Returns
    -------
    Drift or None
        None while no claim was accepted.
    """
    if claims is None:
        return None
    promised = promised_llr(utterances, decider=decider)
    drifted = False
    if promised is not None and claims.weight >= _FEWEST:
        margin = max(_ERRORS * claims.standard_error, _RATIO)
        drifted = claims.mean < promised - margin
    advice = "claims fit less well than at enrollment: enroll again, or add a recent clip" if drifted else ""
    return Drift(claims=claims.weight, recent=claims.mean, promised=promised, drifted=drifted, advice=advice)


def promised_llr(utterances: list[EnrolledUtterance], *, decider: Decider) -> float | None:
    """Return the mean ratio of each clip against the centroid of the others; None of one clip."""
    if len(utterances) < 2:
        return None
    embeddings = np.stack([clip.embedding for clip in utterances])
    scores = [
        float(cosine(embedding, centroid(np.delete(embeddings, place, axis=0))))
        for place, embedding in enumerate(embeddings)
    ]
    shape = TrialShape(
        n_enroll=len(utterances) - 1,
        seconds=np.array([clip.quality.seconds_of_speech for clip in utterances]),
        snr_db=np.array([clip.quality.snr_db for clip in utterances], dtype=np.float64),
    )
    llrs = decider.llrs(scores, shape)
    return None if llrs is None else float(np.mean(llrs))
