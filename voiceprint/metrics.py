"""How well scores separate the same person from different people.

A trial compares a voiceprint with a clip; a *target* trial is of one person, a *nontarget* trial of two. A
trial is accepted if ``score >= threshold``. ``p_miss`` is the fraction of targets rejected (FRR), ``p_fa``
the fraction of nontargets accepted (FAR). One sort is all that millions of trials need.

References
----------
N. Brummer and E. de Villiers, "The BOSARIS toolkit user guide", 2011: convex hull, minDCF, Cllr.
G. Doddington et al., "The NIST speaker recognition evaluation", 2000: at least 30 errors to trust a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import TrialError

__all__ = [
    "AcceptRate",
    "DetCurve",
    "DetectionCost",
    "Interval",
    "ReliabilityBin",
    "SpeakerTrials",
    "VerificationMetrics",
    "act_dcf",
    "auc",
    "cllr",
    "convex_hull",
    "det_curve",
    "det_points",
    "eer_hull",
    "eer_interpolated",
    "eer_threshold",
    "min_cllr",
    "min_dcf",
    "reliability",
    "speaker_bootstrap",
    "tpr_at_far",
    "verification_metrics",
]

RULE_OF_THIRTY = 30
"""Errors that must be expected before a rate is called resolved: within 30 % of the truth 9 times in 10."""

FAR_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
P_TARGETS = (0.01, 0.05)
_FEWEST_BOOTSTRAP_SPEAKERS = 5
_HULL_LOOP_SIZE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class DetCurve:
    """Errors at every threshold that changes a decision, from accepting all trials to rejecting all.

    Parameters
    ----------
    thresholds : ndarray of shape (m,), float
        Rising; the last is ``inf``, beyond every score.
    misses : ndarray of shape (m,), int64
        Targets with a score below the threshold; rises from 0 to `n_target`.
    false_accepts : ndarray of shape (m,), int64
        Nontargets with a score at or above the threshold; falls from `n_nontarget` to 0.
    n_target, n_nontarget : int
        Trials of either kind.
    """

    thresholds: NDArray[np.floating]
    misses: NDArray[np.int64]
    false_accepts: NDArray[np.int64]
    n_target: int
    n_nontarget: int

    @property
    def p_miss(self) -> NDArray[np.float64]:
        """Miss rate at each threshold, shape (m,)."""
        return self.misses / self.n_target

    @property
    def p_fa(self) -> NDArray[np.float64]:
        """False-accept rate at each threshold, shape (m,)."""
        return self.false_accepts / self.n_nontarget

    def at(self, index: NDArray[np.integer] | slice) -> DetCurve:
        """Keep only the points at `index`."""
        return DetCurve(
            thresholds=self.thresholds[index],
            misses=self.misses[index],
            false_accepts=self.false_accepts[index],
            n_target=self.n_target,
            n_nontarget=self.n_nontarget,
        )


def det_curve(targets: ArrayLike, nontargets: ArrayLike) -> DetCurve:
    """Count both errors at every threshold, with one sort.

    Parameters
    ----------
    targets : array_like of shape (n_target,)
        Scores of trials of one person.
    nontargets : array_like of shape (n_nontarget,)
        Scores of trials of two people.

    Returns
    -------
    DetCurve
        One point per distinct score, and one beyond the highest.

    Raises
    ------
    TrialError
        If either kind has no trial, or a score is not finite.

    Examples
    --------
    >>> curve = det_curve([0.9, 0.5], [0.1, 0.5])
    >>> curve.p_miss.tolist(), curve.p_fa.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    target, nontarget = _finite(targets, "target"), _finite(nontargets, "nontarget")
    scores = np.concatenate([target, nontarget])
    order = np.argsort(scores)
    scores = scores[order]
    is_target = order < len(target)
    del order
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1], [True]]))
    misses = np.concatenate([[0], np.cumsum(is_target)])[starts]
    return DetCurve(
        thresholds=np.append(scores, scores.dtype.type(np.inf))[starts],
        misses=misses,
        false_accepts=len(nontarget) - (starts - misses),
        n_target=len(target),
        n_nontarget=len(nontarget),
    )


def convex_hull(curve: DetCurve) -> DetCurve:
    """Keep the points of a curve that are best for some prior and costs: the ROC convex hull.

    Between two of them the best calibration of the scores is constant (isotonic regression, PAV).

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    DetCurve
        From accepting everything to rejecting everything.
    """
    x, y = curve.n_nontarget - curve.false_accepts, curve.misses
    index = _corners(x, y)
    while len(index) > _HULL_LOOP_SIZE:
        kept = index[_below_chord(x[index], y[index])]
        shrunk = len(kept) < 0.9 * len(index)
        index = kept
        if not shrunk:
            break
    return curve.at(index[_lower_hull(x[index].tolist(), y[index].tolist())])


def eer_interpolated(curve: DetCurve) -> float:
    """Equal error rate where the straight line between neighbouring points crosses ``p_miss = p_fa``.

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    float
        0 for separated scores, 1 for reversed ones.

    Examples
    --------
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

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    float
    """
    return eer_interpolated(convex_hull(curve))


def eer_threshold(curve: DetCurve) -> float:
    """Score threshold at which ``p_miss`` and ``p_fa`` are closest; the stricter where two are as close.

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    float
        Finite: the highest score where the closest point is to reject everything.
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
    curve : DetCurve
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
    """
    miss_weight, fa_weight = _cost_weights(p_target, c_miss, c_fa)
    return float(np.min(miss_weight * curve.p_miss + fa_weight * curve.p_fa))


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
    target, nontarget = _scores(target_llrs, "target"), _scores(nontarget_llrs, "nontarget")
    miss_weight, fa_weight = _cost_weights(p_target, c_miss, c_fa)
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
    target, nontarget = _scores(target_llrs, "target"), _scores(nontarget_llrs, "nontarget")
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


def auc(curve: DetCurve) -> float:
    """Area under the ROC: how often a random target scores above a random nontarget, ties counting half.

    Parameters
    ----------
    curve : DetCurve

    Returns
    -------
    float
        1 for separated scores, 0.5 for useless ones.
    """
    hits = curve.n_target - curve.misses
    area = np.sum(-np.diff(curve.false_accepts).astype(np.float64) * (hits[1:] + hits[:-1])) / 2.0
    return float(area / (curve.n_target * curve.n_nontarget))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRate:
    """What is accepted at the most lenient threshold whose false-accept rate is at most `p_fa`.

    Parameters
    ----------
    p_fa : float
        The rate asked for.
    tpr : float
        Fraction of targets accepted there, ``1 - p_miss``.
    threshold : float
        The threshold; ``inf`` where only rejecting everything keeps the rate.
    resolved : bool
        Whether 30 false accepts are expected at that rate; if not, the figure is mostly chance.
    """

    p_fa: float
    tpr: float
    threshold: float
    resolved: bool


def tpr_at_far(curve: DetCurve, rates: Sequence[float] = FAR_RATES) -> tuple[AcceptRate, ...]:
    """Fraction of targets accepted at given false-accept rates.

    Parameters
    ----------
    curve : DetCurve
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
    """
    return tuple(_accept_rate(curve, rate) for rate in rates)


def _accept_rate(curve: DetCurve, rate: float) -> AcceptRate:
    if not 0.0 < rate < 1.0:
        raise TrialError(f"false-accept rate is {rate}; it must be above 0 and below 1")
    # The slack keeps 29 of 100 within a rate of 0.29, whose product with 100 rounds to just under 29.
    allowed = math.floor(rate * curve.n_nontarget * (1.0 + 1e-12))
    # false_accepts falls, so its negation is sorted for the search.
    index = int(np.searchsorted(-curve.false_accepts, -allowed))
    return AcceptRate(
        p_fa=rate,
        tpr=1.0 - int(curve.misses[index]) / curve.n_target,
        threshold=float(curve.thresholds[index]),
        resolved=rate * curve.n_nontarget * (1.0 + 1e-12) >= RULE_OF_THIRTY,
    )


def det_points(curve: DetCurve, *, limit: int = 500) -> DetCurve:
    """Thin a curve for drawing: at most `limit` points, evenly spread over a DET plot's normal-deviate axes.

    Parameters
    ----------
    curve : DetCurve
    limit : int
        Most points to keep, at least 4.

    Returns
    -------
    DetCurve
        The first and last point are kept.

    Raises
    ------
    TrialError
        If `limit` is under 4.
    """
    if limit < 4:
        raise TrialError(f"a DET curve cannot be drawn with {limit} points; ask for at least 4")
    rates = np.array([NormalDist().cdf(z) for z in np.linspace(-5.0, 5.0, (limit - 2) // 2)])
    by_miss = np.searchsorted(curve.misses, rates * curve.n_target)
    by_fa = np.searchsorted(-curve.false_accepts, -rates * curve.n_nontarget)
    last = len(curve.thresholds) - 1
    return curve.at(
        np.unique(np.concatenate([[0, last], np.minimum(by_miss, last), np.minimum(by_fa, last)]))
    )


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
    target, nontarget = _scores(target_llrs, "target"), _scores(nontarget_llrs, "nontarget")
    _check_prior(p_target)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionCost:
    """Detection cost at one operating point.

    Parameters
    ----------
    p_target, c_miss, c_fa : float
        The operating point.
    minimum : float
        `min_dcf`: with the best threshold in hindsight.
    actual : float or None
        `act_dcf`: with the threshold that calibrated ratios imply; None for scores that are not ratios.
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
    n_target, n_nontarget : int
        Trials of either kind.
    eer : float
        By the ROC convex hull (`eer_hull`); the figure to print as "EER".
    eer_interpolated : float
        By interpolation between neighbouring points.
    eer_threshold : float
        Score threshold nearest to equal error rates.
    auc : float
    costs : tuple of DetectionCost
    cllr : float or None
        In bits; None for scores that are not log-likelihood ratios.
    min_cllr : float
    tpr : tuple of AcceptRate
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

    Returns
    -------
    VerificationMetrics

    Raises
    ------
    TrialError
        If either kind has no trial, a value is not finite, or only one side's ratios are given.
    """
    if (target_llrs is None) != (nontarget_llrs is None):
        raise TrialError("log-likelihood ratios were given for one kind of trial only; give both or neither")
    curve = det_curve(targets, nontargets)
    hull = convex_hull(curve)
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
        auc=auc(curve),
        costs=tuple(costs),
        cllr=bits,
        min_cllr=min_cllr(hull),
        tpr=tpr_at_far(curve, rates),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTrials:
    """Scored trials with the speaker of either side; a trial of one speaker is a target.

    Parameters
    ----------
    scores : ndarray of shape (n,), float
        Finite.
    enroll, test : ndarray of shape (n,)
        Speaker of the voiceprint and of the clip: names or numbers.
    """

    scores: NDArray[np.floating]
    enroll: NDArray[np.generic]
    test: NDArray[np.generic]

    def __post_init__(self) -> None:
        if not self.scores.ndim == self.enroll.ndim == self.test.ndim == 1 or not (
            len(self.scores) == len(self.enroll) == len(self.test)
        ):
            raise TrialError(
                "every trial needs a score and the speaker of either side, got shapes "
                f"{self.scores.shape}, {self.enroll.shape} and {self.test.shape}"
            )

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """Whether both sides are one speaker, shape (n,)."""
        return np.asarray(self.enroll == self.test, dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A measure with the interval in which it lies with probability `level`.

    Parameters
    ----------
    value : float
        The measure on all trials.
    low, high : float
        The interval's borders.
    level : float
        Nominal coverage, such as 0.95.
    """

    value: float
    low: float
    high: float
    level: float


def speaker_bootstrap(
    trials: SpeakerTrials,
    metrics: Sequence[Callable[[DetCurve], float]],
    *,
    generator: np.random.Generator,
    repetitions: int = 1000,
    level: float = 0.95,
) -> tuple[Interval, ...]:
    """Intervals of measures for other speakers like these, by drawing the speakers anew with replacement.

    A speaker drawn c times brings c times the target trials; two speakers drawn c and d times bring c d times
    their nontarget trials. Copies of one speaker never meet as nontargets. Trials share speakers, so drawing
    trials instead gives intervals that are far too narrow.

    Parameters
    ----------
    trials : SpeakerTrials
        At least 5 speakers, with target and nontarget trials.
    metrics : sequence of callables
        From `DetCurve` to float, such as `eer_hull`. They see the curve's corners only: points between
        two corners lie on the straight line that joins them.
    generator : numpy.random.Generator
    repetitions : int
        Draws; 1000 for figures to be printed.
    level : float
        Nominal coverage, above 0 and below 1.

    Returns
    -------
    tuple of Interval
        Percentile intervals, in the order of `metrics`.

    Raises
    ------
    TrialError
        If there are under 5 speakers, either kind has no trial, or an argument is out of range.
    """
    if not 0.0 < level < 1.0 or repetitions < 1:
        raise TrialError(f"level is {level} (above 0, below 1) and repetitions {repetitions} (at least 1)")
    resampler = _Resampler(trials)
    values = [metric(resampler.curve) for metric in metrics]
    drawn = np.array(
        [
            [metric(curve) for metric in metrics]
            for curve in (resampler.draw(generator) for _ in range(repetitions))
        ]
    )
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return tuple(
        Interval(value=value, low=float(lo), high=float(hi), level=level)
        for value, lo, hi in zip(values, low, high, strict=True)
    )


class _Resampler:
    """Sorts the trials once; every draw of speakers then costs one weighted cumulative sum."""

    def __init__(self, trials: SpeakerTrials) -> None:
        names, codes = np.unique(np.concatenate([trials.enroll, trials.test]), return_inverse=True)
        if len(names) < _FEWEST_BOOTSTRAP_SPEAKERS:
            raise TrialError(
                f"{len(names)} speakers are too few for an interval; it needs {_FEWEST_BOOTSTRAP_SPEAKERS}"
            )
        self._speakers = len(names)
        is_target = trials.is_target
        curve = det_curve(trials.scores[is_target], trials.scores[~is_target])
        x, y = curve.n_nontarget - curve.false_accepts, curve.misses
        corners = _corners(x, y)
        self.curve = curve.at(corners)
        self._targets_below, self._nontargets_below = y[corners], x[corners]
        enroll, test = codes[: len(is_target)], codes[len(is_target) :]
        order = np.argsort(trials.scores)
        target_order, nontarget_order = order[is_target[order]], order[~is_target[order]]
        self._target_speaker = enroll[target_order]
        self._pair = enroll[nontarget_order], test[nontarget_order]

    def draw(self, generator: np.random.Generator) -> DetCurve:
        """Draw speakers with replacement until both kinds of trial occur."""
        while True:
            copies = np.bincount(
                generator.integers(self._speakers, size=self._speakers), minlength=self._speakers
            )
            misses = _cumulative(copies[self._target_speaker])
            rejected = _cumulative(copies[self._pair[0]] * copies[self._pair[1]])
            if misses[-1] and rejected[-1]:
                return DetCurve(
                    thresholds=self.curve.thresholds,
                    misses=misses[self._targets_below],
                    false_accepts=rejected[-1] - rejected[self._nontargets_below],
                    n_target=int(misses[-1]),
                    n_nontarget=int(rejected[-1]),
                )


def _cumulative(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.empty(len(weights) + 1, dtype=np.int64)
    total[0] = 0
    np.cumsum(weights, out=total[1:])
    return total


def _scores(values: ArrayLike, kind: str) -> NDArray[np.floating]:
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


def _finite(values: ArrayLike, kind: str) -> NDArray[np.floating]:
    scores = _scores(values, kind)
    infinite = np.isinf(scores)
    if infinite.any():
        place = int(infinite.argmax())
        raise TrialError(f"{kind} score {place} is {scores[place]}; scores must be finite")
    return scores


def _check_prior(p_target: float) -> None:
    if not 0.0 < p_target < 1.0:
        raise TrialError(f"p_target is {p_target}; it must be above 0 and below 1")


def _cost_weights(p_target: float, c_miss: float, c_fa: float) -> tuple[float, float]:
    _check_prior(p_target)
    if not (0.0 < c_miss < math.inf and 0.0 < c_fa < math.inf):
        raise TrialError(f"c_miss is {c_miss} and c_fa {c_fa}; both costs must be above 0 and finite")
    miss, fa = c_miss * p_target, c_fa * (1.0 - p_target)
    return miss / min(miss, fa), fa / min(miss, fa)


def _crossing(curve: DetCurve) -> int:
    """First point, never the very first, at which ``p_miss >= p_fa``; found by bisection."""
    low, high = 0, len(curve.misses) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if int(curve.misses[middle]) * curve.n_nontarget >= int(curve.false_accepts[middle]) * curve.n_target:
            high = middle
        else:
            low = middle
    return high


def _corners(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.intp]:
    """Points where a rising staircase starts, turns or ends; repeated points count once."""
    dx, dy = np.diff(x), np.diff(y)
    moves = np.flatnonzero((dx != 0) | (dy != 0)) + 1
    index: NDArray[np.intp] = np.concatenate([[0], moves])
    dx, dy = dx[moves - 1], dy[moves - 1]
    straight = ((dx[1:] == 0) & (dx[:-1] == 0)) | ((dy[1:] == 0) & (dy[:-1] == 0))
    turns: NDArray[np.intp] = index[np.concatenate([[True], ~straight, [True]])]
    return turns


def _below_chord(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which points lie strictly below the line between their neighbours; vertices of the hull always do."""
    dx, dy = np.diff(x), np.diff(y)
    return np.concatenate([[True], dx[:-1] * dy[1:] - dy[:-1] * dx[1:] > 0, [True]])


def _lower_hull(x: list[int], y: list[int]) -> list[int]:
    """Monotone chain (Andrew 1979) over points sorted by x, then y; exact in integers."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1 and _turns_right(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return hull


def _turns_right(x: list[int], y: list[int], a: int, b: int, c: int) -> bool:
    return (x[b] - x[a]) * (y[c] - y[b]) <= (y[b] - y[a]) * (x[c] - x[b])
