"""Refusals of scores and operating points that no measure can use."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import TrialError


def checked_scores(values: ArrayLike, kind: str) -> NDArray[np.floating]:
    """Scores of one kind of trial as floats, shape (n,): not empty, none NaN."""
    scores = np.asarray(values)
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if scores.ndim != 1:
        raise TrialError(f"{kind} scores must be one row of numbers, got shape {scores.shape}")
    if len(scores) == 0:
        raise TrialError(f"there are no {kind} trials; error rates need trials of both kinds")
    nan = np.isnan(scores)
    if nan.any():
        raise TrialError(f"{kind} score {int(nan.argmax())} is NaN; leave out trials that cannot be scored")
    return scores


def finite_scores(values: ArrayLike, kind: str) -> NDArray[np.floating]:
    """Scores of one kind of trial as floats, shape (n,): not empty, all finite."""
    scores = checked_scores(values, kind)
    infinite = np.isinf(scores)
    if infinite.any():
        place = int(infinite.argmax())
        raise TrialError(f"{kind} score {place} is {scores[place]}; scores must be finite")
    return scores


def check_prior(p_target: float) -> None:
    """Refuse a prior that is not above 0 and below 1."""
    if not 0.0 < p_target < 1.0:
        raise TrialError(f"p_target is {p_target}; it must be above 0 and below 1")


def cost_weights(p_target: float, c_miss: float, c_fa: float) -> tuple[float, float]:
    """Weights of the miss and false-accept rates in a detection cost, the smaller of them 1."""
    check_prior(p_target)
    if not (0.0 < c_miss < math.inf and 0.0 < c_fa < math.inf):
        raise TrialError(f"c_miss is {c_miss} and c_fa {c_fa}; both costs must be above 0 and finite")
    miss, fa = c_miss * p_target, c_fa * (1.0 - p_target)
    return miss / min(miss, fa), fa / min(miss, fa)
