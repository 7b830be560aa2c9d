"""Intervals for other speakers like these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics.curve import DetCurve, corners, det_curve

__all__ = ["Interval", "SpeakerTrials", "bias_corrected", "speaker_bootstrap", "speaker_draws"]

_FEWEST_BOOTSTRAP_SPEAKERS = 5


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
        Bias-corrected percentile intervals, in the order of `metrics`.

    Raises
    ------
    TrialError
        If there are under 5 speakers, either kind has no trial, or an argument is out of range.

    References
    ----------
    B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987.
    """
    if not 0.0 < level < 1.0 or repetitions < 1:
        raise TrialError(f"level is {level} (above 0, below 1) and repetitions {repetitions} (at least 1)")
    resampler = _Resampler(trials)
    values = [metric(resampler.curve) for metric in metrics]
    drawn = resampler.measure(metrics, generator, repetitions)
    return tuple(
        bias_corrected(value, column, level=level) for value, column in zip(values, drawn.T, strict=True)
    )


def speaker_draws(
    trials: SpeakerTrials,
    metrics: Sequence[Callable[[DetCurve], float]],
    *,
    generator: np.random.Generator,
    repetitions: int = 1000,
) -> NDArray[np.float64]:
    """What measures are on speakers drawn anew: what `speaker_bootstrap` makes its intervals of.

    Trials of the same speakers and pairs, under two conditions for example, are drawn alike by generators of
    the same seed, so that rows can be averaged before an interval is made of them.

    Parameters
    ----------
    trials, metrics, generator, repetitions
        As for `speaker_bootstrap`.

    Returns
    -------
    ndarray of float64, (repetitions, len(metrics))

    Raises
    ------
    TrialError
        If there are under 5 speakers, or either kind has no trial.
    """
    return _Resampler(trials).measure(metrics, generator, repetitions)


def bias_corrected(value: float, drawn: NDArray[np.float64], *, level: float = 0.95) -> Interval:
    """Percentile interval, moved by as much as the draws (n,) lie off the value they should surround.

    A hull or a minimum over thresholds profits from chance, and on drawn speakers profits once more; without
    the correction of Efron (1987) the interval of such a measure lies too low.
    """
    normal = NormalDist()
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn <= value)) / 2.0
    # Half a draw from either end keeps the deviate finite.
    shift = 2.0 * normal.inv_cdf(min(max(below, 0.5), len(drawn) - 0.5) / len(drawn))
    reach = normal.inv_cdf((1.0 + level) / 2.0)
    low, high = np.quantile(drawn, [normal.cdf(shift - reach), normal.cdf(shift + reach)])
    return Interval(value=value, low=float(low), high=float(high), level=level)


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
        self.curve = corners(det_curve(trials.scores[is_target], trials.scores[~is_target]))
        self._nontargets_below = self.curve.n_nontarget - self.curve.false_accepts
        enroll, test = codes[: len(is_target)], codes[len(is_target) :]
        order = np.argsort(trials.scores)
        target_order, nontarget_order = order[is_target[order]], order[~is_target[order]]
        self._target_speaker = enroll[target_order]
        self._pair = enroll[nontarget_order], test[nontarget_order]

    def measure(
        self,
        metrics: Sequence[Callable[[DetCurve], float]],
        generator: np.random.Generator,
        repetitions: int,
    ) -> NDArray[np.float64]:
        """Measure drawn speakers, (repetitions, len(metrics))."""
        curves = (self.draw(generator) for _ in range(repetitions))
        return np.array([[metric(curve) for metric in metrics] for curve in curves])

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
                    misses=misses[self.curve.misses],
                    false_accepts=rejected[-1] - rejected[self._nontargets_below],
                    n_target=int(misses[-1]),
                    n_nontarget=int(rejected[-1]),
                )


def _cumulative(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.empty(len(weights) + 1, dtype=np.int64)
    total[0] = 0
    np.cumsum(weights, out=total[1:])
    return total
