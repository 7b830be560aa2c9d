"""How good log-likelihood ratios are as numbers, not only as an order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voiceprint.errors import TrialError
from voiceprint.metrics.checks import check_prior, checked_scores, cost_weights
from voiceprint.metrics.curve import DetCurve, convex_hull

__all__ = ["ReliabilityBin", "act_dcf", "cllr", "min_cllr", "reliability"]


def act_dcf(
    target_llrs: ArrayLike,
    nontarget_llrs: ArrayLike,
    *,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> float:
    """Detection cost of trusting log-likelihood ratios: accept if ``llr >= log(c_fa (1 - P) / (c_miss P))``.

    Parameters
    ----------
    target_llrs, nontarget_llrs : array_like of shape (n,)
        Natural-log likelihood ratios; may be infinite.
    p_target, c_miss, c_fa : float
        As in `min_dcf`.

    Returns
    -------
    float
        At least `min_dcf` of the same scores; over 1 where listening does harm.

    Raises
    ------
    TrialError
        If either kind has no trial, a ratio is NaN, or the prior or a cost is out of range.
    """
    target, nontarget = checked_scores(target_llrs, "target"), checked_scores(nontarget_llrs, "nontarget")
    miss_weight, fa_weight = cost_weights(p_target, c_miss, c_fa)
    threshold = math.log(c_fa * (1.0 - p_target) / (c_miss * p_target))
    p_miss = np.count_nonzero(target < threshold) / len(target)
    p_fa = np.count_nonzero(nontarget >= threshold) / len(nontarget)
    return miss_weight * p_miss + fa_weight * p_fa


def cllr(target_llrs: ArrayLike, nontarget_llrs: ArrayLike) -> float:
    """Cost of log-likelihood ratios over all operating points, in bits.

    Parameters
    ----------
    target_llrs, nontarget_llrs : array_like of shape (n,)
        Natural-log likelihood ratios; may be infinite.

    Returns
    -------
    float
        0 is perfect, 1 what saying nothing (all ratios 0) costs; infinite if one is infinitely wrong.

    Raises
    ------
    TrialError
        If either kind has no trial or a ratio is NaN.

    References
    ----------
    N. Brummer and J. du Preez, "Application-independent evaluation of speaker detection", 2006, eq. 15.

    Examples
    --------
    >>> cllr([0.0], [0.0])
    1.0
    """
    target, nontarget = checked_scores(target_llrs, "target"), checked_scores(nontarget_llrs, "nontarget")
    target_bits = np.mean(np.logaddexp(0.0, -target), dtype=np.float64)
    nontarget_bits = np.mean(np.logaddexp(0.0, nontarget), dtype=np.float64)
    return float((target_bits + nontarget_bits) / (2.0 * math.log(2.0)))


def min_cllr(curve: DetCurve) -> float:
    """Lowest Cllr that any rising calibration of the scores reaches (isotonic regression).

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    float
        From 0 to 1, in bits.
    """
    hull = convex_hull(curve)
    target = np.diff(hull.misses) / hull.n_target
    nontarget = -np.diff(hull.false_accepts) / hull.n_nontarget
    # A segment of one kind only has an infinite ratio of the right sign and costs nothing.
    mixed = (target > 0.0) & (nontarget > 0.0)
    t, n = target[mixed], nontarget[mixed]
    return float(np.sum(t * np.log2(1.0 + n / t) + n * np.log2(1.0 + t / n)) / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Trials whose stated probability of being the same person lies in one bin.

    Parameters
    ----------
    low, high : float
        The bin's borders.
    stated : float
        Mean stated probability.
    observed : float
        Fraction that were targets, both kinds weighted to the prior.
    n_trials : int
    """

    low: float
    high: float
    stated: float
    observed: float
    n_trials: int


def reliability(
    target_llrs: ArrayLike, nontarget_llrs: ArrayLike, *, p_target: float = 0.5, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Compare stated probabilities with what happened, for a reliability diagram.

    Parameters
    ----------
    target_llrs, nontarget_llrs : array_like of shape (n,)
        Natural-log likelihood ratios.
    p_target : float
        Prior at which ratios become probabilities, and to which the two kinds of trial are weighted.
    bins : int
        Bins of equal width from 0 to 1.

    Returns
    -------
    tuple of ReliabilityBin
        Bins without trials are left out.

    Raises
    ------
    TrialError
        If either kind has no trial, a ratio is NaN, or an argument is out of range.
    """
    target, nontarget = checked_scores(target_llrs, "target"), checked_scores(nontarget_llrs, "nontarget")
    check_prior(p_target)
    if bins < 1:
        raise TrialError(f"bins is {bins}; it must be at least 1")
    log_odds = np.concatenate([target, nontarget]) + math.log(p_target / (1.0 - p_target))
    stated = np.exp(-np.logaddexp(0.0, -log_odds))
    target_weight = np.full(len(target), p_target / len(target))
    weight = np.concatenate([target_weight, np.full(len(nontarget), (1.0 - p_target) / len(nontarget))])
    place = np.minimum((stated * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    total = np.bincount(place, weights=weight, minlength=bins)
    hits = np.bincount(place[: len(target)], weights=target_weight, minlength=bins)
    sums = np.bincount(place, weights=weight * stated, minlength=bins)
    return tuple(
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            stated=float(sums[i] / total[i]),
            observed=float(hits[i] / total[i]),
            n_trials=int(count[i]),
        )
        for i in np.flatnonzero(count)
    )
