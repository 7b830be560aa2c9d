"""All measures of one list of scored trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from voiceprint.errors import TrialError
from voiceprint.metrics.curve import convex_hull, corners, det_curve
from voiceprint.metrics.rates import (
    FAR_RATES,
    AcceptRate,
    auc,
    eer_interpolated,
    eer_threshold,
    min_dcf,
    tpr_at_far,
)
from voiceprint.metrics.ratios import act_dcf, cllr, min_cllr

P_TARGETS = (0.01, 0.05)
"""Priors of a true claim for which detection costs are reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionCost:
    """Detection cost at one operating point.

    Parameters
    ----------
    minimum : float
        `min_dcf`: with the best threshold in hindsight.
    actual : float or None
        `act_dcf`: with the threshold that calibrated ratios imply; None for scores that are not ratios.

    Examples
    --------
    >>> from voiceprint.metrics import verification_metrics
    >>> cost = verification_metrics([1.0, 2.0, 3.0], [-1.0, 0.0, 1.5]).costs[0]
    >>> cost.p_target, cost.minimum <= 1.0, cost.actual
    (0.01, True, None)
    """

    p_target: float
    c_miss: float
    c_fa: float
    minimum: float
    actual: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationMetrics:
    """The measures of one list of scored trials.

    Parameters
    ----------
    eer : float
        By the ROC convex hull (`eer_hull`); the figure to print as "EER".
    eer_interpolated : float
        By interpolation between neighbouring points.
    eer_threshold : float
        Score threshold nearest to equal error rates.
    cllr : float or None
        In bits; None for scores that are not log-likelihood ratios.

    Examples
    --------
    >>> from voiceprint.metrics import verification_metrics
    >>> found = verification_metrics([1.0, 2.0, 3.0], [-1.0, 0.0, 1.5])
    >>> found.n_target, found.n_nontarget, 0.0 < found.eer < 0.5
    (3, 3, True)
    """

    n_target: int
    n_nontarget: int
    eer: float
    eer_interpolated: float
    eer_threshold: float
    auc: float
    costs: tuple[DetectionCost, ...]
    cllr: float | None
    min_cllr: float
    tpr: tuple[AcceptRate, ...]


def verification_metrics(
    targets: ArrayLike,
    nontargets: ArrayLike,
    *,
    target_llrs: ArrayLike | None = None,
    nontarget_llrs: ArrayLike | None = None,
    p_targets: Sequence[float] = P_TARGETS,
    rates: Sequence[float] = FAR_RATES,
) -> VerificationMetrics:
    """Measure scored trials.

    Parameters
    ----------
    targets, nontargets : array_like of shape (n,)
        Scores.
    target_llrs, nontarget_llrs : array_like of shape (n,), optional
        The same trials' natural-log likelihood ratios, for Cllr and actDCF.
    p_targets : sequence of float
        Priors of the detection costs; both costs are 1.
    rates : sequence of float
        False-accept rates at which to give the rate of accepted targets.

    Raises
    ------
    TrialError
        If either kind has no trial, a value is not finite, or only one side's ratios are given.

    Examples
    --------
    >>> measured = verification_metrics([2.0, 3.0, 4.0], [0.0, 1.0, 2.5])
    >>> round(measured.eer, 3), measured.n_target
    (0.167, 3)
    """
    if (target_llrs is None) != (nontarget_llrs is None):
        raise TrialError("log-likelihood ratios were given for one kind of trial only; give both or neither")
    curve = det_curve(targets, nontargets)
    turns = corners(curve)
    hull = convex_hull(turns)
    bits: float | None = None
    actual: list[float | None] = [None] * len(p_targets)
    if target_llrs is not None and nontarget_llrs is not None:
        bits = cllr(target_llrs, nontarget_llrs)
        actual = [act_dcf(target_llrs, nontarget_llrs, p_target=p) for p in p_targets]
    costs = [
        DetectionCost(p_target=p, c_miss=1.0, c_fa=1.0, minimum=min_dcf(hull, p_target=p), actual=cost)
        for p, cost in zip(p_targets, actual, strict=True)
    ]
    return VerificationMetrics(
        n_target=curve.n_target,
        n_nontarget=curve.n_nontarget,
        eer=eer_interpolated(hull),
        eer_interpolated=eer_interpolated(curve),
        eer_threshold=eer_threshold(curve),
        auc=auc(turns),
        costs=tuple(costs),
        cllr=bits,
        min_cllr=min_cllr(hull),
        tpr=tpr_at_far(curve, rates),
    )
