"""How good log-likelihood ratios are as numbers, not only as an order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voiceprint.metrics.checks import checked_scores, cost_weights
from voiceprint.metrics.curve import DetCurve, convex_hull

_RELIABILITY_BINS = 14
_FEWEST_IN_A_BIN = 5


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

    Examples
    --------
    >>> float(act_dcf([2.0, -1.0], [-3.0, -2.0], p_target=0.5))
    0.5
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

    Returns
    -------
    float
        From 0 to 1, in bits.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> min_cllr(det_curve([2.0, 3.0], [0.0, 1.0]))
    0.0
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
    """Trials whose log-likelihood ratios are alike.

    Parameters
    ----------
    llr : float
        Mean of what the model said.
    observed : float
        What the trials say: the logarithm of how many times likelier this bin is for targets than nontargets.

    Examples
    --------
    >>> from voiceprint.metrics import reliability_bins
    >>> first = reliability_bins(np.linspace(-2, 3, 500), np.linspace(-3, 2, 500))[0]
    >>> first.n_target > 0 and first.n_nontarget > 0
    True
    """

    llr: float
    observed: float
    n_target: int
    n_nontarget: int


def reliability_bins(target_llrs: ArrayLike, nontarget_llrs: ArrayLike) -> tuple[ReliabilityBin, ...]:
    """Put log-likelihood ratios into bins of equal weight, for a reliability diagram.

    Parameters
    ----------
    target_llrs, nontarget_llrs : array_like of shape (n,)
        Natural-log likelihood ratios; either kind weighs as much.

    Returns
    -------
    tuple of ReliabilityBin
        Bins with under five trials of either kind are left out.

    Raises
    ------
    TrialError
        If either kind has no trial, or a ratio is NaN.

    Examples
    --------
    >>> bins = reliability_bins(np.linspace(-2, 3, 500), np.linspace(-3, 2, 500))
    >>> len(bins) > 0
    True
    """
    targets, nontargets = checked_scores(target_llrs, "target"), checked_scores(nontarget_llrs, "nontarget")
    llrs = np.concatenate([targets, nontargets])
    weights = np.repeat([0.5 / len(targets), 0.5 / len(nontargets)], [len(targets), len(nontargets)])
    order = np.argsort(llrs)
    borders = np.interp(
        np.linspace(0.0, 1.0, _RELIABILITY_BINS + 1)[1:-1], np.cumsum(weights[order]), llrs[order]
    )
    places = np.searchsorted(borders, llrs)
    bins = []
    for place in range(_RELIABILITY_BINS):
        mine = places == place
        n_target = int(mine[: len(targets)].sum())
        n_nontarget = int(mine.sum()) - n_target
        if min(n_target, n_nontarget) < _FEWEST_IN_A_BIN:
            continue  # a ratio of nothing to something says nothing
        observed = np.log((n_target / len(targets)) / (n_nontarget / len(nontargets)))
        said = float(np.average(llrs[mine], weights=weights[mine]))
        found = ReliabilityBin(llr=said, observed=float(observed), n_target=n_target, n_nontarget=n_nontarget)
        bins.append(found)
    return tuple(bins)
