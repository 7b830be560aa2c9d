"""Fit the card's calibration to scores of development speakers."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_rate
from voiceprint.calibration.cell import CalibrationCell, MeasuredPoint, rise
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.ratios import fit_isotonic, fit_logistic
from voiceprint.errors import CalibrationError, TooFewTrialsError
from voiceprint.metrics import (
    FEWEST_SPEAKERS,
    RULE_OF_THIRTY,
    SpeakerTrials,
    det_curve,
    eer_hull,
    eer_threshold,
)

Method = Literal["logistic", "isotonic"]
"""How likelihood ratios are fitted."""

FITTED_RATES = (0.5, 0.2, 0.05, 0.01, 0.003, 0.001, 0.0003)
"""False-accept rates with a point in every cell. The first two only guide interpolation above 5 %."""

TAIL_RATE = 0.01
"""The tail is fitted to the scores above the threshold of this rate, or of the nearest that is measured."""

FEWEST_TARGETS = 15
FEWEST_NONTARGETS = 60
"""Five people with three clips each, every clip against everybody: the least that says anything."""

_RULE_OF_THREE = 3
"""With fewer than 3 / p independent cases, even none accepted does not show a rate to be under p."""

_SLACK = 1.0 + 1e-12
"""Keeps 30 of 3000 within a rate of 0.01 whatever the last bit of the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """Scores of the trials of one shape.

    Parameters
    ----------
    targets, nontargets : ndarray of shape (n,), float
        Scores of trials of one person and of two.
    n_pairs : int
        Pairs of two speakers, in whatever order, in the nontarget trials.
    nontarget_pairs : ndarray of shape (n,), int, optional
        Which pair each nontarget trial is of; where it is left out, trials are taken for independent.
    target_snr, nontarget_snr : ndarray of shape (n,), float, optional
        Signal-to-noise ratio of the test clips in dB, NaN where it is not known; for `fit_snr`.

    Examples
    --------
    >>> same, different = np.array([0.8]), np.array([0.1])
    >>> cell = CellScores(
    ...     n_enroll=1, seconds=3.0, targets=same, nontargets=different, n_speakers=2, n_pairs=1
    ... )
    >>> cell.seconds
    3.0
    """

    n_enroll: int
    seconds: float
    targets: NDArray[np.floating]
    nontargets: NDArray[np.floating]
    n_speakers: int
    n_pairs: int
    nontarget_pairs: NDArray[np.int64] | None = None
    target_snr: NDArray[np.float64] | None = None
    nontarget_snr: NDArray[np.float64] | None = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """What each nontarget trial counts (n,), 1 in all: every pair of speakers counts the same.

        Examples
        --------
        >>> from voiceprint.calibration import CellScores
        >>> scores = CellScores(
        ...     n_enroll=1,
        ...     seconds=3.0,
        ...     targets=np.array([0.8]),
        ...     nontargets=np.array([0.1, 0.2, 0.0]),
        ...     n_speakers=3,
        ...     n_pairs=2,
        ...     nontarget_pairs=np.array([0, 0, 1]),
        ... )
        >>> scores.weights  # two trials of the first pair, one of the second
        array([0.25, 0.25, 0.5 ])
        """
        if self.nontarget_pairs is None:
            return np.full(len(self.nontargets), 1.0 / len(self.nontargets))
        of_pair = np.bincount(self.nontarget_pairs)[self.nontarget_pairs]
        return np.asarray(1.0 / of_pair / self.n_pairs)

    @classmethod
    def from_trials(
        cls,
        trials: SpeakerTrials,
        *,
        n_enroll: int,
        seconds: float,
        snr_db: NDArray[np.float64] | None = None,
    ) -> CellScores:
        """Split trials by kind and count their speakers.

        Parameters
        ----------
        snr_db : ndarray of shape (n,), optional
            Of the test clips.

        Examples
        --------
        >>> from voiceprint.calibration import CellScores
        >>> from voiceprint.metrics import SpeakerTrials
        >>> trials = SpeakerTrials(
        ...     scores=np.array([0.9, 0.1]), enroll=np.array(["ada", "ada"]), test=np.array(["ada", "bert"])
        ... )
        >>> cell = CellScores.from_trials(trials, n_enroll=1, seconds=3.0)
        >>> cell.targets, cell.nontargets, cell.n_pairs
        (array([0.9]), array([0.1]), 1)
        """
        names, codes = np.unique(np.concatenate([trials.enroll, trials.test]), return_inverse=True)
        sides = codes.reshape(2, -1)
        is_target = trials.is_target
        low, high = sides.min(axis=0), sides.max(axis=0)
        known, pairs = np.unique((low * len(names) + high)[~is_target], return_inverse=True)
        return cls(
            n_enroll=n_enroll,
            seconds=seconds,
            targets=trials.scores[is_target],
            nontargets=trials.scores[~is_target],
            n_speakers=len(names),
            n_pairs=len(known),
            nontarget_pairs=pairs,
            target_snr=None if snr_db is None else snr_db[is_target],
            nontarget_snr=None if snr_db is None else snr_db[~is_target],
        )


def fit_calibration(
    cells: Iterable[CellScores],
    *,
    p_target: float = 0.5,
    rates: Sequence[float] = FITTED_RATES,
    method: Method = "logistic",
    fingerprint: str | None = None,
) -> Calibration:
    """Fit likelihood ratios and thresholds to scores of development speakers.

    Parameters
    ----------
    cells : iterable of CellScores
        A full grid of trial shapes: each `n_enroll` with each `seconds`, once. Include the shortest speech
        that will be scored; what is shorter than every cell takes the shortest cell's thresholds.
    p_target : float
        Prior at which likelihood ratios are fitted; 0.5 minimises Cllr.
    rates : sequence of float
        False-accept rates to give thresholds for, falling.
    method : {"logistic", "isotonic"}
        How likelihood ratios are fitted: a line, or the best rising steps. Thresholds are the same.
    fingerprint : str, optional
        sha256 of the trial list; by default of the scores themselves.

    Raises
    ------
    CalibrationError
        If a cell has under 5 speakers, 15 target or 60 nontarget trials, a score is not finite, targets do
        not score higher than nontargets, or the grid is not full.

    Examples
    --------
    >>> from voiceprint.calibration import CellScores, fit_calibration
    >>> rng = np.random.default_rng(0)
    >>> cell = CellScores(
    ...     n_enroll=1,
    ...     seconds=3.0,
    ...     targets=rng.normal(0.7, 0.1, 500),
    ...     nontargets=rng.normal(0.1, 0.1, 5000),
    ...     n_speakers=40,
    ...     n_pairs=780,
    ... )
    >>> threshold = fit_calibration([cell]).threshold(p_fa=0.01, n_enroll=1, seconds=3.0)
    >>> f"{threshold:.1f}"  # the mean of 0.1, and 2.3 times the deviation of 0.1
    '0.3'
    """
    shapes = sorted(cells, key=lambda cell: (cell.n_enroll, cell.seconds))
    return Calibration(
        cells=tuple(fit_cell(cell, p_target=p_target, rates=rates, method=method) for cell in shapes),
        p_target=p_target,
        fingerprint=_fingerprint(shapes) if fingerprint is None else fingerprint,
    )


def fit_cell(
    scores: CellScores,
    *,
    p_target: float = 0.5,
    rates: Sequence[float] = FITTED_RATES,
    method: Method = "logistic",
) -> CalibrationCell:
    """Fit one cell of the grid.

    Parameters
    ----------
    method : {"logistic", "isotonic"}
        As in `fit_calibration`.

    Raises
    ------
    CalibrationError
        As in `fit_calibration`.

    Examples
    --------
    >>> from voiceprint.calibration import CellScores, fit_cell
    >>> rng = np.random.default_rng(0)
    >>> scores = CellScores(
    ...     n_enroll=1,
    ...     seconds=3.0,
    ...     targets=rng.normal(0.7, 0.1, 500),
    ...     nontargets=rng.normal(0.1, 0.1, 5000),
    ...     n_speakers=40,
    ...     n_pairs=780,
    ... )
    >>> cell = fit_cell(scores)
    >>> cell.eer < 0.01, f"{cell.eer_threshold:.1f}"
    (True, '0.4')
    """
    check_choice("method", method, get_args(Method))
    check_rate("p_target", p_target)
    _check_size(scores)
    _check_rates(rates)
    line = fit_logistic(scores.targets, scores.nontargets, p_target=p_target)
    curve = det_curve(scores.targets, scores.nontargets)
    points, tail = _fit_points(scores, rates)
    steps = fit_isotonic(scores.targets, scores.nontargets, finite=True) if method == "isotonic" else None
    return CalibrationCell(
        n_enroll=scores.n_enroll,
        seconds=float(scores.seconds),
        slope=line.slope,
        offset=line.offset,
        eer=eer_hull(curve),
        eer_threshold=eer_threshold(curve),
        points=points,
        tail=tail.scale,
        tail_shape=tail.shape,
        n_target=len(scores.targets),
        n_nontarget=len(scores.nontargets),
        n_speakers=scores.n_speakers,
        n_pairs=scores.n_pairs,
        step_scores=() if steps is None else tuple(map(float, steps.thresholds)),
        step_llrs=() if steps is None else tuple(map(float, steps.values)),
    )


def strict_thresholds(scores: CellScores, rates: Sequence[float]) -> dict[float, float]:
    """Thresholds for false-accept rates: measured or, where `TAIL_RATE` is, along the tail below it.

    Returns
    -------
    dict of float to float
        Rate -> the lowest score that at most so many nontargets reach. Rates that the trials can neither
        measure nor extrapolate are left out.
    """
    nontargets = _Nontargets.of(scores)
    found = {rate: nontargets.strict_threshold(rate) for rate in rates if _resolves(scores, rate)}
    if _resolves(scores, TAIL_RATE):
        tail = _fit_tail(nontargets, TAIL_RATE, errors=0.0)
        found |= {rate: tail.at(rate) for rate in rates if rate < TAIL_RATE and rate not in found}
    return found


def _check_size(scores: CellScores) -> None:
    for have, need, what in (
        (scores.n_speakers, FEWEST_SPEAKERS, "speakers"),
        (len(scores.targets), FEWEST_TARGETS, "target trials"),
        (len(scores.nontargets), FEWEST_NONTARGETS, "nontarget trials"),
    ):
        if have < need:
            raise TooFewTrialsError(
                f"{scores.n_enroll} clips against {scores.seconds:g} s: {have} {what} are too few to "
                f"calibrate on; at least {need} are needed"
            )


def _check_rates(rates: Sequence[float]) -> None:
    bounded = (1.0, *rates, 0.0)
    if not rates or not all(low < high for high, low in itertools.pairwise(bounded)):
        raise CalibrationError(f"rates are {tuple(rates)}; they must fall, above 0 and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tail:
    """How scores go on rising beyond a threshold that so many of them reach."""

    rate: float
    threshold: float
    scale: float
    shape: float

    def at(self, rate: float) -> float:
        return self.threshold + self.scale * rise(self.rate / rate, self.shape)

    def beyond(self, rate: float) -> _Tail:
        """The same tail, from a lower rate on."""
        threshold = self.at(rate)
        scale = self.scale + self.shape * (threshold - self.threshold)
        return replace(self, rate=rate, threshold=threshold, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nontargets:
    """Nontarget scores, rising, the share of them from each score on, and the pair that each is of."""

    scores: NDArray[np.float64]
    share: NDArray[np.float64]
    pairs: NDArray[np.int64]

    @classmethod
    def of(cls, trials: CellScores) -> _Nontargets:
        order = np.argsort(trials.nontargets, kind="stable")
        pairs = trials.nontarget_pairs
        return cls(
            scores=np.asarray(trials.nontargets, dtype=np.float64)[order],
            share=np.cumsum(trials.weights[order][::-1])[::-1],
            pairs=np.arange(len(order)) if pairs is None else pairs[order],
        )

    def strict_threshold(self, rate: float) -> float:
        """Lowest score from which on lie at most `rate` of them; above the highest if there is none."""
        within = np.flatnonzero(self.share <= rate * _SLACK)
        if not len(within):
            return float(np.nextafter(self.scores[-1], math.inf))
        # Past scores tied with one that is refused.
        refused = self.scores[within[0] - 1] if within[0] else -math.inf
        place = int(np.searchsorted(self.scores, refused, side="right"))
        last = np.nextafter(self.scores[-1], math.inf)
        return float(self.scores[place] if place < len(self.scores) else last)


def _fit_points(trials: CellScores, rates: Sequence[float]) -> tuple[tuple[MeasuredPoint, ...], _Tail]:
    """Thresholds measured where the trials resolve the rate, extrapolated where not; and the tail below."""
    nontargets = _Nontargets.of(trials)
    resolved = [rate for rate in rates if _resolves(trials, rate)]
    if not resolved:
        raise TooFewTrialsError(
            f"{trials.n_enroll} clips against {trials.seconds:g} s: {len(trials.nontargets)} nontarget "
            f"trials of {trials.n_pairs} speaker pairs measure none of the rates {tuple(rates)}; add speakers"
        )
    anchor = min(resolved)
    fitted = _fit_tail(nontargets, min(resolved, key=lambda rate: abs(math.log(rate / TAIL_RATE))))
    tail = replace(fitted.beyond(anchor), threshold=nontargets.strict_threshold(anchor))
    points = []
    for rate in rates:
        threshold = nontargets.strict_threshold(rate) if rate >= anchor else tail.at(rate)
        p_miss = float(np.mean(np.asarray(trials.targets) < threshold))
        points.append(MeasuredPoint(p_fa=rate, p_miss=p_miss, threshold=threshold, resolved=rate >= anchor))
    return tuple(points), tail.beyond(min(anchor, rates[-1]))


def _resolves(scores: CellScores, rate: float) -> bool:
    enough_trials = rate * len(scores.nontargets) * _SLACK >= RULE_OF_THIRTY
    return enough_trials and rate * scores.n_pairs * _SLACK >= _RULE_OF_THREE


def _fit_tail(nontargets: _Nontargets, rate: float, *, errors: float = 1.0) -> _Tail:
    """Fit a generalised Pareto law to the excesses over the threshold of a rate.

    Excesses over a high threshold tend to that law (Balkema and de Haan 1974, Pickands 1975). It is fitted
    by probability-weighted moments (Hosking and Wallis 1987), with its shape so many standard errors up. A
    cosine is bounded, so the shape is held between an even law's and an exponential's. Trials of one pair of
    speakers are alike: as many excesses count as there are pairs among them.
    """
    threshold = nontargets.strict_threshold(rate)
    high = nontargets.scores >= threshold
    excess, share = nontargets.scores[high] - threshold, nontargets.share[high]
    weights = -np.diff(share, append=0.0)
    total = float(weights.sum())
    mean = float(weights @ excess) / total if total else 0.0
    if not mean:  # all high scores are tied: the overall spread stands in, so that a lower rate is stricter
        scale = float(nontargets.scores.std()) or float(np.spacing(abs(threshold) + 1.0))
        return _Tail(rate=rate, threshold=threshold, scale=scale, shape=0.0)
    above = (share - 0.5 * weights) / total  # of the law, at each excess
    weighted = float(weights @ (above * excess)) / total
    independent = len(np.unique(nontargets.pairs[high]))
    error = math.sqrt(4.0 / 3.0 / independent)  # of the shape of an exponential tail, by these moments
    shape = min(max(2.0 - mean / (mean - 2.0 * weighted) + errors * error, -1.0), 0.0)
    scale = mean * (1.0 - shape)
    return _Tail(rate=rate, threshold=threshold, scale=scale, shape=shape)


def _fingerprint(cells: Sequence[CellScores]) -> str:
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(
            f"{cell.n_enroll} {cell.seconds!r} {len(cell.targets)} {len(cell.nontargets)}\n".encode()
        )
        for scores in (cell.targets, cell.nontargets):
            digest.update(np.sort(np.asarray(scores, dtype="<f8")).tobytes())
    return digest.hexdigest()
