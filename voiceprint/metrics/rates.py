"""Equal error rate, detection cost, area and accept rates of a curve."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voiceprint.errors import TrialError
from voiceprint.metrics.checks import cost_weights
from voiceprint.metrics.curve import DetCurve, convex_hull

RULE_OF_THIRTY = 30
"""Errors that must be expected before a rate is called resolved: within 30 % of the truth 9 times in 10."""

FAR_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
"""False-accept rates at which the true-positive rate is reported."""


def eer_interpolated(curve: DetCurve) -> float:
    """Equal error rate where the straight line between neighbouring points crosses ``p_miss = p_fa``.

    Returns
    -------
    float
        0 for separated scores, 1 for reversed ones.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> eer_interpolated(det_curve([0.9, 0.5], [0.1, 0.5]))
    0.25
    """
    after = _crossing(curve)
    miss = [int(curve.misses[after + side]) / curve.n_target for side in (-1, 0)]
    fa = [int(curve.false_accepts[after + side]) / curve.n_nontarget for side in (-1, 0)]
    # gap = p_fa - p_miss is 1 at the first point and -1 at the last, so it crosses zero between two of them.
    gap = [fa[0] - miss[0], fa[1] - miss[1]]
    share = gap[0] / (gap[0] - gap[1])
    return miss[0] + share * (miss[1] - miss[0])


def eer_hull(curve: DetCurve) -> float:
    """Equal error rate of the ROC convex hull: the worst error rate over all priors of the best decisions.

    Never above `eer_interpolated`, nor above 0.5; insensitive to steps of the curve.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> round(eer_hull(det_curve([2.0, 3.0, 4.0], [0.0, 1.0, 2.5])), 3)
    0.167
    """
    return eer_interpolated(convex_hull(curve))


def eer_threshold(curve: DetCurve) -> float:
    """Score threshold at which ``p_miss`` and ``p_fa`` are closest; the stricter where two are as close.

    Returns
    -------
    float
        Finite: the highest score where the closest point is to reject everything.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> eer_threshold(det_curve([2.0, 3.0], [0.0, 1.0]))
    2.0
    """
    after = _crossing(curve)
    gaps = [
        abs(int(curve.misses[i]) / curve.n_target - int(curve.false_accepts[i]) / curve.n_nontarget)
        for i in (after - 1, after)
    ]
    nearest = after - 1 if gaps[0] < gaps[1] else after
    return float(curve.thresholds[min(nearest, len(curve.thresholds) - 2)])


def min_dcf(curve: DetCurve, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Lowest detection cost that any threshold reaches, over that of deciding without listening.

    Parameters
    ----------
    p_target : float
        Share of trials in use that are of the claimed person, above 0 and below 1.
    c_miss, c_fa : float
        Cost of a miss and of a false accept, above 0.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    TrialError
        If the prior or a cost is out of range.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> min_dcf(det_curve([2.0, 3.0], [0.0, 1.0]), p_target=0.5)
    0.0
    """
    miss_weight, fa_weight = cost_weights(p_target, c_miss, c_fa)
    return float(np.min(miss_weight * curve.p_miss + fa_weight * curve.p_fa))


def auc(curve: DetCurve) -> float:
    """Area under the ROC: how often a random target scores above a random nontarget, ties counting half.

    Returns
    -------
    float
        1 for separated scores, 0.5 for useless ones.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> auc(det_curve([2.0, 3.0], [0.0, 2.5]))
    0.75
    """
    hits = curve.n_target - curve.misses
    area = np.sum(-np.diff(curve.false_accepts).astype(np.float64) * (hits[1:] + hits[:-1])) / 2.0
    return float(area / (curve.n_target * curve.n_nontarget))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRate:
    """What is accepted at the most lenient threshold whose false-accept rate is at most `p_fa`.

    Parameters
    ----------
    tpr : float
        Fraction of targets accepted there, ``1 - p_miss``.
    threshold : float
        The threshold; ``inf`` where only rejecting everything keeps the rate.
    resolved : bool
        Whether 30 false accepts are expected at that rate; if not, the figure is mostly chance.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve, tpr_at_far
    >>> curve = det_curve([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.0, 2.0])
    >>> (rate,) = tpr_at_far(curve, [0.25])
    >>> rate
    AcceptRate(p_fa=0.25, tpr=0.75, threshold=2.0, resolved=False)
    """

    p_fa: float
    tpr: float
    threshold: float
    resolved: bool


def tpr_at_far(curve: DetCurve, rates: Sequence[float] = FAR_RATES) -> tuple[AcceptRate, ...]:
    """Fraction of targets accepted at given false-accept rates.

    Parameters
    ----------
    rates : sequence of float
        False-accept rates, above 0 and below 1.

    Returns
    -------
    tuple of AcceptRate
        One per rate, in the order given.

    Raises
    ------
    TrialError
        If a rate is out of range.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> [rate.tpr for rate in tpr_at_far(det_curve([2.0, 3.0], [0.0, 1.0]), [0.1])]
    [1.0]
    """
    return tuple(_accept_rate(curve, rate) for rate in rates)


def _accept_rate(curve: DetCurve, rate: float) -> AcceptRate:
    if not 0.0 < rate < 1.0:
        raise TrialError(f"false-accept rate is {rate}; it must be above 0 and below 1")
    # The slack keeps 29 of 100 within a rate of 0.29, whose product with 100 rounds to just under 29.
    allowed = math.floor(rate * curve.n_nontarget * (1.0 + 1e-12))
    points = range(len(curve.false_accepts))
    index = bisect_left(points, True, key=lambda point: bool(curve.false_accepts[point] <= allowed))
    return AcceptRate(
        p_fa=rate,
        tpr=1.0 - int(curve.misses[index]) / curve.n_target,
        threshold=float(curve.thresholds[index]),
        resolved=rate * curve.n_nontarget * (1.0 + 1e-12) >= RULE_OF_THIRTY,
    )


def _crossing(curve: DetCurve) -> int:
    """First point, never the very first, at which ``p_miss >= p_fa``; in whole numbers, by bisection."""

    def has_crossed(point: int) -> bool:
        misses, false_accepts = int(curve.misses[point]), int(curve.false_accepts[point])
        return misses * curve.n_nontarget >= false_accepts * curve.n_target

    return bisect_left(range(len(curve.misses)), True, lo=1, key=has_crossed)
