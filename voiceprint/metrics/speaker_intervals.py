"""Where a measure lies for other speakers like these: the one home of uncertainty over speakers.

Trials share speakers, so drawing trials anew gives intervals that are far too narrow. Everything here draws
the speakers anew, with replacement. Where no error was seen, drawing finds none either; the rule of three
says how many there may be all the same.

References
----------
B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987.
J. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.arguments import check_count, check_rate
from voiceprint.errors import TrialError
from voiceprint.metrics.curve import DetCurve, corners, det_curve

FEWEST_SPEAKERS = 5
"""With fewer speakers than this an interval says nothing: measures have none, and rates have 0 to 1."""
LEVEL = 0.95
"""Nominal coverage of intervals, unless another is given."""

_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTrials:
    """Scored trials with the speaker of either side; a trial of one speaker is a target.

    Parameters
    ----------
    scores : ndarray of shape (n,), float
        Finite.
    enroll, test : ndarray of shape (n,)
        Speaker of the voiceprint and of the clip: names or numbers.

    Examples
    --------
    >>> claimed, spoke = np.array(["ada", "ada"]), np.array(["ada", "bert"])
    >>> trials = SpeakerTrials(scores=np.array([0.9, 0.1]), enroll=claimed, test=spoke)
    >>> trials.is_target
    array([ True, False])
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

    @property
    def curve(self) -> DetCurve:
        """The error rates at every threshold."""
        return det_curve(self.scores[self.is_target], self.scores[~self.is_target])

    def select(self, keep: NDArray[np.bool_]) -> SpeakerTrials:
        """Keep the trials where `keep` (n,) is true."""
        return SpeakerTrials(scores=self.scores[keep], enroll=self.enroll[keep], test=self.test[keep])


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A measure with the interval in which it lies with probability `level`.

    Parameters
    ----------
    value : float
        The measure on all trials.
    level : float
        Nominal coverage, such as 0.95.

    Examples
    --------
    >>> Interval(value=0.02, low=0.01, high=0.04, level=0.95).value
    0.02
    """

    value: float
    low: float
    high: float
    level: float


def draw_speakers(speakers: int, *, generator: np.random.Generator, draws: int = 1) -> NDArray[np.int64]:
    """Draw speakers with replacement: how often each comes up in each draw, (draws, speakers).

    Parameters
    ----------
    speakers : int
        How many there are, and how many are drawn each time.

    Examples
    --------
    >>> draw_speakers(4, generator=np.random.default_rng(0), draws=2).sum(axis=1)
    array([4, 4])
    """
    chosen = generator.integers(speakers, size=(draws, speakers))
    places = np.arange(draws)[:, None] * speakers + chosen
    return np.bincount(places.ravel(), minlength=draws * speakers).reshape(draws, speakers)


def rate_interval(
    events: ArrayLike,
    chances: ArrayLike,
    *,
    generator: np.random.Generator,
    draws: int = _DRAWS,
    level: float = LEVEL,
) -> Interval:
    """Interval of a rate that is counted speaker by speaker.

    Parameters
    ----------
    events, chances : ndarray of shape (speakers,)
        How often something happened to each speaker, of how many times it could. Events may be fractions.

    Returns
    -------
    Interval
        0 to 1 with fewer than `FEWEST_SPEAKERS` speakers who had a chance.

    Raises
    ------
    TrialError
        If there was no chance at all.

    Examples
    --------
    >>> import numpy as np
    >>> found = rate_interval(np.zeros(30), np.full(30, 10), generator=np.random.default_rng(0))
    >>> found.value, found.low, round(found.high, 3)
    (0.0, 0.0, 0.1)
    """
    counts = np.stack([np.asarray(values, dtype=np.float64) for values in (events, chances)])  # (2, s)
    counts = counts[:, counts[1] > 0]
    speakers = counts.shape[1]
    copies = draw_speakers(max(speakers, 1), generator=generator, draws=draws)
    drawn = counts @ copies[:, :speakers].T
    return _interval_of_rate(counts.sum(axis=1), drawn, speakers=speakers, units=speakers, level=level)


def accuracy_interval(
    speakers: Sequence[str] | NDArray[np.str_],
    right: NDArray[np.floating] | NDArray[np.bool_],
    *,
    generator: np.random.Generator,
) -> Interval:
    """How often answers are right, for other speakers like these.

    Parameters
    ----------
    speakers : sequence of str (n,)
        Who it was.
    right : ndarray, shape (n,)
        Whether each answer is right, or which fraction of several answers.

    Returns
    -------
    Interval
        Of the mean of ``right``, as for `rate_interval`; a drawn speaker brings all its answers.

    Examples
    --------
    >>> who = np.repeat(["ada", "bert", "cleo"], 10)
    >>> accuracy_interval(who, np.arange(30) % 10 > 0, generator=np.random.default_rng(0)).value
    0.9
    """
    _, code = np.unique(np.asarray(speakers), return_inverse=True)
    return rate_interval(np.bincount(code, weights=right), np.bincount(code), generator=generator)


def pair_rate_interval(
    events: ArrayLike,
    chances: ArrayLike,
    *,
    generator: np.random.Generator,
    draws: int = _DRAWS,
    level: float = LEVEL,
) -> Interval:
    """Interval of a rate that is counted by pairs of two different speakers, such as the false-accept rate.

    Parameters
    ----------
    events, chances : ndarray of shape (speakers, speakers)
        How often something happened between two speakers, of how many times; the diagonal does not count.
    generator, draws, level
        As for `rate_interval`.

    Returns
    -------
    Interval
        As for `rate_interval`. A pair comes up as often as both of its speakers do.

    Raises
    ------
    TrialError
        If there was no chance at all.

    Examples
    --------
    >>> from voiceprint.metrics import pair_rate_interval
    >>> events, chances = np.array([[0, 1], [0, 0]]), np.array([[0, 10], [10, 0]])
    >>> rate = pair_rate_interval(events, chances, generator=np.random.default_rng(0), draws=100)
    >>> rate.value
    0.05
    """
    counts = np.stack([np.asarray(values, dtype=np.float64) for values in (events, chances)])  # (2, s, s)
    speakers = counts.shape[1]
    counts *= 1 - np.eye(speakers)
    copies = draw_speakers(speakers, generator=generator, draws=draws)
    drawn = np.stack([np.einsum("rs,rs->r", copies @ one, copies) for one in counts])
    pairs = int(np.triu(counts[1] + counts[1].T > 0, k=1).sum())
    return _interval_of_rate(counts.sum(axis=(1, 2)), drawn, speakers=speakers, units=pairs, level=level)


def _interval_of_rate(
    counted: NDArray[np.float64], drawn: NDArray[np.float64], *, speakers: int, units: int, level: float
) -> Interval:
    """The central part of drawn rates, of events and chances (2,) and such drawn (2, draws).

    So many independent ``units`` had a chance: speakers, or pairs of them.
    """
    events, chances = counted
    if chances <= 0:
        raise TrialError("no rate can be measured where nothing had a chance to happen; give some trials")
    drawn = drawn[:, drawn[1] > 0]
    rates = drawn[0] / drawn[1]
    if speakers < FEWEST_SPEAKERS or not len(rates):
        low, high = 0.0, 1.0
    else:
        low, high = map(float, np.quantile(rates, [(1 - level) / 2, (1 + level) / 2]))
    value = float(events / chances)
    if value == 0.0:
        high = max(high, _unseen(units))
    if value == 1.0:
        low = min(low, 1.0 - _unseen(units))
    return Interval(value=value, low=low, high=high, level=level)


def _unseen(units: int) -> float:
    """The rule of three: the highest rate at which none of so many independent chances is still likely."""
    return min(1.0, 3.0 / max(units, 1))


def speaker_bootstrap(
    trials: SpeakerTrials,
    metrics: Sequence[Callable[[DetCurve], float]],
    *,
    generator: np.random.Generator,
    repetitions: int = 1000,
    level: float = LEVEL,
) -> tuple[Interval, ...]:
    """Intervals of error measures for other speakers like these, by drawing the speakers anew.

    A speaker drawn c times brings c times the target trials; two speakers drawn c and d times bring c d times
    their nontarget trials. Copies of one speaker never meet as nontargets.

    Parameters
    ----------
    trials : SpeakerTrials
        At least 5 speakers, with target and nontarget trials.
    metrics : sequence of callables
        From `DetCurve` to float, such as `eer_hull`. They see the curve's corners only: points between
        two corners lie on the straight line that joins them.
    repetitions : int
        Draws; 1000 for figures to be printed.
    level : float
        Nominal coverage, above 0 and below 1.

    Returns
    -------
    tuple of Interval
        Bias-corrected percentile intervals, in the order of `metrics`. One of 0 ends at 3 / speakers.

    Raises
    ------
    TrialError
        If there are under 5 speakers, or either kind has no trial.

    Examples
    --------
    >>> from voiceprint.metrics import SpeakerTrials, eer_hull, speaker_bootstrap
    >>> people = np.repeat(["ada", "bert", "cleo", "edda", "finn"], 4)
    >>> rows, columns = np.triu_indices(20, 1)
    >>> scores = np.where(people[rows] == people[columns], 0.8, 0.2) + np.linspace(-0.4, 0.4, 190)
    >>> trials = SpeakerTrials(scores=scores, enroll=people[rows], test=people[columns])
    >>> (eer,) = speaker_bootstrap(trials, [eer_hull], generator=np.random.default_rng(0), repetitions=50)
    >>> eer.low <= eer.value <= eer.high
    True
    """
    check_rate("level", level)
    check_count("repetitions", repetitions)
    resampler = _Resampler(trials)
    values = [metric(resampler.curve) for metric in metrics]
    drawn = resampler.measure(metrics, generator, repetitions)
    return tuple(
        bias_corrected(value, column, speakers=resampler.speakers, level=level)
        for value, column in zip(values, drawn.T, strict=True)
    )


def speaker_draws(
    trials: SpeakerTrials,
    metrics: Sequence[Callable[[DetCurve], float]],
    *,
    generator: np.random.Generator,
    repetitions: int = 1000,
) -> NDArray[np.float64]:
    """What measures are on speakers drawn anew, (repetitions, len(metrics)): `speaker_bootstrap` rests on it.

    Trials of the same speakers and pairs, under two conditions for example, are drawn alike by generators of
    the same seed, so that rows can be averaged before an interval is made of them.

    Parameters
    ----------
    trials, metrics, generator, repetitions
        As for `speaker_bootstrap`.

    Raises
    ------
    TrialError
        If there are under 5 speakers, or either kind has no trial.

    Examples
    --------
    >>> from voiceprint.metrics import SpeakerTrials, eer_hull, speaker_draws
    >>> people = np.repeat(["ada", "bert", "cleo", "edda", "finn"], 4)
    >>> rows, columns = np.triu_indices(20, 1)
    >>> scores = np.where(people[rows] == people[columns], 0.8, 0.2) + np.linspace(-0.4, 0.4, 190)
    >>> trials = SpeakerTrials(scores=scores, enroll=people[rows], test=people[columns])
    >>> speaker_draws(trials, [eer_hull], generator=np.random.default_rng(0), repetitions=5).shape
    (5, 1)
    """
    return _Resampler(trials).measure(metrics, generator, repetitions)


def bias_corrected(
    value: float, drawn: NDArray[np.float64], *, speakers: int | None = None, level: float = LEVEL
) -> Interval:
    """Percentile interval, moved by as much as the draws lie off the value they should surround.

    A hull or a minimum over thresholds profits from chance, and on drawn speakers profits once more; without
    the correction of Efron (1987) the interval of such a measure lies too low.

    Parameters
    ----------
    value : float
        The measure on all speakers.
    drawn : ndarray of shape (draws,)
        What it is on speakers drawn anew, as `speaker_draws` gives it.
    speakers : int, optional
        How many there are, where the measure is an error: one of 0 ends at 3 / speakers.

    Examples
    --------
    >>> from voiceprint.metrics import bias_corrected
    >>> interval = bias_corrected(0.1, np.linspace(0.05, 0.15, 101))
    >>> interval.low < 0.1 < interval.high
    True
    """
    normal = NormalDist()
    below = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn <= value)) / 2.0
    # Half a draw from either end keeps the deviate finite.
    shift = 2.0 * normal.inv_cdf(min(max(below, 0.5), len(drawn) - 0.5) / len(drawn))
    reach = normal.inv_cdf((1.0 + level) / 2.0)
    low, high = np.quantile(drawn, [normal.cdf(shift - reach), normal.cdf(shift + reach)])
    if value == 0.0 and speakers is not None:
        high = max(high, _unseen(speakers))
    return Interval(value=value, low=float(low), high=float(high), level=level)


class _Resampler:
    """Sorts the trials once; every draw of speakers then costs one weighted cumulative sum."""

    def __init__(self, trials: SpeakerTrials) -> None:
        names, codes = np.unique(np.concatenate([trials.enroll, trials.test]), return_inverse=True)
        if len(names) < FEWEST_SPEAKERS:
            raise TrialError(f"{len(names)} speakers are too few for an interval; it needs {FEWEST_SPEAKERS}")
        self.speakers = len(names)
        is_target = trials.is_target
        self.curve = corners(trials.curve)
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
            copies = draw_speakers(self.speakers, generator=generator)[0]
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
