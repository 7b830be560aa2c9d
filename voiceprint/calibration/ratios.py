"""Scores to natural-log likelihood ratios: logistic regression and isotonic regression.

References
----------
N. Brummer and J. du Preez, "Application-independent evaluation of speaker detection", 2006.
J. Platt, "Probabilistic outputs for support vector machines", 1999: the smoothed labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import CalibrationError, TrialError
from voiceprint.metrics import convex_hull, det_curve

_MOST_STEPS = 100
_SMALL_DECREMENT = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticCalibration:
    """``llr = slope * score + side . side_weights + offset``.

    Parameters
    ----------
    slope : float
        Above 0: a higher score is more evidence for the same person.
    side_weights : tuple of float
        One per column of side information, such as log seconds of speech or SNR in dB; empty without.

    Examples
    --------
    >>> from voiceprint.calibration import LogisticCalibration
    >>> LogisticCalibration(slope=10.0, offset=-5.0).llrs([0.5, 0.7])
    array([0., 2.])
    """

    slope: float
    offset: float
    side_weights: tuple[float, ...] = ()

    def llrs(self, scores: ArrayLike, *, side: ArrayLike | None = None) -> NDArray[np.float64]:
        """Natural-log likelihood ratios (n,), float64, of scores.

        Parameters
        ----------
        scores : array_like of shape (n,)
        side : array_like of shape (n, q), optional
            Side information in the columns it was fitted with.

        Raises
        ------
        CalibrationError
            If the side information does not have the fitted columns.

        Examples
        --------
        >>> from voiceprint.calibration import fit_logistic
        >>> fitted = fit_logistic([0.8, 0.6, 0.4], [0.0, 0.2, 0.5])
        >>> low, high = fitted.llrs([0.0, 0.8])
        >>> bool(low < 0.0 < high)
        True
        """
        columns = _columns(np.asarray(scores, dtype=np.float64), side)
        if columns.shape[1] != 1 + len(self.side_weights):
            raise CalibrationError(
                f"this calibration was fitted with {len(self.side_weights)} columns of side information, "
                f"got {columns.shape[1] - 1}"
            )
        return np.asarray(columns @ np.array([self.slope, *self.side_weights]) + self.offset)


def fit_logistic(
    targets: ArrayLike,
    nontargets: ArrayLike,
    *,
    p_target: float = 0.5,
    target_side: ArrayLike | None = None,
    nontarget_side: ArrayLike | None = None,
) -> LogisticCalibration:
    """Fit likelihood ratios by logistic regression in which either kind of trial weighs as much as its prior.

    Labels are smoothed as Platt did (a target counts as one with probability ``(n + 1) / (n + 2)``), so that
    scores without overlap still give finite ratios, the bolder the more trials there are.

    Parameters
    ----------
    targets, nontargets : array_like of shape (n,)
        Scores.
    p_target : float
        The prior at which the fit is best; 0.5 minimises Cllr.
    target_side, nontarget_side : array_like of shape (n, q), optional
        Side information of either kind of trial.

    Raises
    ------
    CalibrationError
        If either kind has no trial, a value is not finite, a column is constant, the prior is out of range,
        or targets do not score higher than nontargets.

    Examples
    --------
    >>> fitted = fit_logistic([1.0, 2.0, 3.0], [-3.0, -2.0, 1.5])
    >>> fitted.slope > 0
    True
    """
    if not 0.0 < p_target < 1.0:
        raise CalibrationError(f"p_target is {p_target}; it must be above 0 and below 1")
    target = _columns(np.asarray(targets, dtype=np.float64), target_side)
    nontarget = _columns(np.asarray(nontargets, dtype=np.float64), nontarget_side)
    columns = _stack(target, nontarget)
    counts = np.repeat([len(target), len(nontarget)], [len(target), len(nontarget)])
    is_target = np.arange(len(columns)) < len(target)
    weights = np.where(is_target, p_target, 1.0 - p_target) / counts
    labels = np.where(is_target, counts + 1.0, 1.0) / (counts + 2.0)
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    if np.any(scale == 0.0):
        raise CalibrationError(f"column {int(np.argmin(scale))} (0 is the score) is the same in every trial")
    design = np.column_stack([(columns - mean) / scale, np.ones(len(columns))])
    theta = _newton(design, labels, weights, log_odds=math.log(p_target / (1.0 - p_target)))
    slopes = theta[:-1] / scale
    if slopes[0] <= 0.0:
        raise CalibrationError(
            "targets do not score higher than nontargets, so nothing can be calibrated; check the trials"
        )
    return LogisticCalibration(
        slope=float(slopes[0]),
        offset=float(theta[-1] - slopes @ mean),
        side_weights=tuple(float(weight) for weight in slopes[1:]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IsotonicCalibration:
    """The best rising step function from score to likelihood ratio, for analysis.

    It follows its own data to the last step, infinite at either end unless it was fitted to be finite.

    Parameters
    ----------
    thresholds : ndarray of shape (k,), float
        Where steps begin, rising; scores below the first belong to the first step.
    values : ndarray of shape (k,), float64
        Natural-log likelihood ratio of each step, rising; ``-inf`` and ``inf`` where one kind is alone.

    Examples
    --------
    >>> from voiceprint.calibration import IsotonicCalibration
    >>> steps = IsotonicCalibration(thresholds=np.array([0.0, 0.5]), values=np.array([-1.0, 2.0]))
    >>> steps.llrs([0.1, 0.49, 0.5])
    array([-1., -1.,  2.])
    """

    thresholds: NDArray[np.floating]
    values: NDArray[np.float64]

    def llrs(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Natural-log likelihood ratios (n,), float64, of scores (n,).

        Examples
        --------
        >>> from voiceprint.calibration import fit_isotonic
        >>> fitted = fit_isotonic([0.8, 0.6, 0.4], [0.0, 0.2, 0.5], finite=True)
        >>> bool((np.diff(fitted.llrs([0.0, 0.3, 0.8])) >= 0).all())  # it never falls
        True
        """
        step = np.searchsorted(self.thresholds, np.asarray(scores), side="right") - 1
        return self.values[np.maximum(step, 0)]


def fit_isotonic(targets: ArrayLike, nontargets: ArrayLike, *, finite: bool = False) -> IsotonicCalibration:
    """Fit likelihood ratios by isotonic regression (pool adjacent violators), through the ROC convex hull.

    Parameters
    ----------
    targets, nontargets : array_like of shape (n,)
        Scores.
    finite : bool
        Bound a step in which one kind is alone by the ratio that one trial of the other would make of it.

    Raises
    ------
    CalibrationError
        If either kind has no trial or a score is not finite.

    Examples
    --------
    >>> fitted = fit_isotonic([1.0, 2.0], [-2.0, -1.0], finite=True)
    >>> type(fitted).__name__
    'IsotonicCalibration'
    """
    try:
        hull = convex_hull(det_curve(targets, nontargets))
    except TrialError as error:
        raise CalibrationError(str(error)) from error
    target, nontarget = np.diff(hull.misses), -np.diff(hull.false_accepts)
    if finite:
        target, nontarget = np.maximum(target, 1), np.maximum(nontarget, 1)
    with np.errstate(divide="ignore"):
        values = np.log(target / hull.n_target) - np.log(nontarget / hull.n_nontarget)
    if (
        finite
    ):  # only the first and the last step can be of one kind, and one trial more may move them too far
        values[0] = values.min()
        values = np.maximum.accumulate(values)
    return IsotonicCalibration(thresholds=hull.thresholds[:-1], values=values)


def _columns(scores: NDArray[np.float64], side: ArrayLike | None) -> NDArray[np.float64]:
    """Scores and side information side by side, shape (n, 1 + q)."""
    if scores.ndim != 1:
        raise CalibrationError(f"scores must be one row of numbers, got shape {scores.shape}")
    if side is None:
        return scores[:, None]
    extra = np.asarray(side, dtype=np.float64)
    if extra.ndim != 2 or len(extra) != len(scores):
        raise CalibrationError(f"side information must have shape ({len(scores)}, q), got {extra.shape}")
    return np.column_stack([scores, extra])


def _stack(target: NDArray[np.float64], nontarget: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(target) == 0 or len(nontarget) == 0:
        raise CalibrationError(
            f"calibration needs trials of both kinds, got {len(target)} target and {len(nontarget)} nontarget"
        )
    if target.shape[1] != nontarget.shape[1]:
        raise CalibrationError("target and nontarget trials need the same columns of side information")
    columns = np.concatenate([target, nontarget])
    if not np.isfinite(columns).all():
        raise CalibrationError("scores and side information must be finite; leave out trials without a score")
    return columns


def _newton(
    design: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64], *, log_odds: float
) -> NDArray[np.float64]:
    """Minimise weighted cross-entropy of ``design @ theta + log_odds`` by Newton steps, halved where long."""
    theta = np.zeros(design.shape[1])
    loss = _cross_entropy(design @ theta + log_odds, labels, weights)
    for _ in range(_MOST_STEPS):
        stated = np.exp(-np.logaddexp(0.0, -(design @ theta + log_odds)))
        gradient = design.T @ (weights * (stated - labels))
        curvature = (design * (weights * stated * (1.0 - stated))[:, None]).T @ design
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        if gradient @ step < _SMALL_DECREMENT:
            # Losses differ by rounding only from here on, but one more full step doubles the correct digits.
            return np.asarray(theta - step)
        length = 1.0
        while (new := _cross_entropy(design @ (theta - length * step) + log_odds, labels, weights)) > loss:
            length /= 2.0
        theta, loss = theta - length * step, new
    raise CalibrationError(
        f"logistic regression did not settle in {_MOST_STEPS} steps; check for stray scores"
    )


def _cross_entropy(
    log_odds: NDArray[np.float64], labels: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    return float(weights @ (np.logaddexp(0.0, log_odds) - labels * log_odds))
