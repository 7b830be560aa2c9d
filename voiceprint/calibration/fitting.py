"""Fit the card's calibration to scores of development speakers."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_rate
from voiceprint.calibration.cell import CalibrationCell, MeasuredPoint
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.ratios import fit_isotonic, fit_logistic
from voiceprint.errors import CalibrationError
from voiceprint.metrics import (
    FEWEST_SPEAKERS,
    RULE_OF_THIRTY,
    SpeakerTrials,
    det_curve,
    eer_hull,
    eer_threshold,
)

__all__ = ["FITTED_RATES", "CellScores", "Method", "fit_calibration", "fit_cell", "strict_thresholds"]

Method = Literal["logistic", "isotonic"]
"""How likelihood ratios are fitted."""

FITTED_RATES = (0.5, 0.2, 0.05, 0.01, 0.001)
"""False-accept rates with a point in every cell. The first two only guide interpolation above 5 %."""

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
    n_enroll : int
        Clips averaged into each voiceprint.
    seconds : float
        Speech in each test clip.
    targets, nontargets : ndarray of shape (n,), float
        Scores of trials of one person and of two.
    n_speakers : int
        Speakers in the trials.
    n_pairs : int
        Pairs of two speakers, in whatever order, in the nontarget trials.
    target_snr, nontarget_snr : ndarray of shape (n,), float, optional
        Signal-to-noise ratio of the test clips in dB, NaN where it is not known; for `fit_snr`.
    """

    n_enroll: int
    seconds: float
    targets: NDArray[np.floating]
    nontargets: NDArray[np.floating]
    n_speakers: int
    n_pairs: int
    target_snr: NDArray[np.float64] | None = None
    nontarget_snr: NDArray[np.float64] | None = None

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
        trials : SpeakerTrials
        n_enroll : int
        seconds : float
        snr_db : ndarray of shape (n,), optional
            Of the test clips.

        Returns
        -------
        CellScores
        """
        names, codes = np.unique(np.concatenate([trials.enroll, trials.test]), return_inverse=True)
        sides = codes.reshape(2, -1)
        is_target = trials.is_target
        low, high = sides.min(axis=0), sides.max(axis=0)
        return cls(
            n_enroll=n_enroll,
            seconds=seconds,
            targets=trials.scores[is_target],
            nontargets=trials.scores[~is_target],
            n_speakers=len(names),
            n_pairs=len(np.unique((low * len(names) + high)[~is_target])),
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

    Returns
    -------
    Calibration

    Raises
    ------
    ArgumentError
        If an argument is out of range.
    CalibrationError
        If a cell has under 5 speakers, 15 target or 60 nontarget trials, a score is not finite, targets do
        not score higher than nontargets, or the grid is not full.
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
    scores : CellScores
    p_target : float
    rates : sequence of float
    method : {"logistic", "isotonic"}
        As in `fit_calibration`.

    Returns
    -------
    CalibrationCell

    Raises
    ------
    ArgumentError
        If an argument is out of range.
    CalibrationError
        As in `fit_calibration`.
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
        tail=tail,
        n_target=len(scores.targets),
        n_nontarget=len(scores.nontargets),
        n_speakers=scores.n_speakers,
        n_pairs=scores.n_pairs,
        step_scores=() if steps is None else tuple(map(float, steps.thresholds)),
        step_llrs=() if steps is None else tuple(map(float, steps.values)),
    )


def strict_thresholds(scores: CellScores, rates: Sequence[float]) -> dict[float, float]:
    """Thresholds for the false-accept rates that the trials are enough to measure.

    Parameters
    ----------
    scores : CellScores
    rates : sequence of float

    Returns
    -------
    dict of float to float
        Rate -> the lowest score that at most so many nontargets reach; rates not measured are left out.
    """
    rising = np.sort(np.asarray(scores.nontargets, dtype=np.float64))
    return {rate: _strict_threshold(rising, rate) for rate in rates if _resolves(scores, rate)}


def _check_size(scores: CellScores) -> None:
    for have, need, what in (
        (scores.n_speakers, FEWEST_SPEAKERS, "speakers"),
        (len(scores.targets), FEWEST_TARGETS, "target trials"),
        (len(scores.nontargets), FEWEST_NONTARGETS, "nontarget trials"),
    ):
        if have < need:
            raise CalibrationError(
                f"{scores.n_enroll} clips against {scores.seconds:g} s: {have} {what} are too few to "
                f"calibrate on; at least {need} are needed"
            )


def _check_rates(rates: Sequence[float]) -> None:
    bounded = (1.0, *rates, 0.0)
    if not rates or not all(low < high for high, low in itertools.pairwise(bounded)):
        raise CalibrationError(f"rates are {tuple(rates)}; they must fall, above 0 and below 1")


def _fit_points(scores: CellScores, rates: Sequence[float]) -> tuple[tuple[MeasuredPoint, ...], float]:
    """Thresholds measured where the trials resolve the rate, extrapolated where not; and the tail's scale."""
    rising = np.sort(np.asarray(scores.nontargets, dtype=np.float64))
    resolved = [rate for rate in rates if _resolves(scores, rate)]
    if not resolved:
        raise CalibrationError(
            f"{scores.n_enroll} clips against {scores.seconds:g} s: {len(rising)} nontarget trials of "
            f"{scores.n_pairs} speaker pairs measure none of the rates {tuple(rates)}; add speakers"
        )
    anchor = min(resolved)
    anchor_threshold = _strict_threshold(rising, anchor)
    tail = _tail_scale(rising, anchor_threshold)
    points = []
    for rate in rates:
        if rate >= anchor:
            threshold = _strict_threshold(rising, rate)
        else:
            threshold = anchor_threshold + tail * math.log(anchor / rate)
        p_miss = float(np.mean(np.asarray(scores.targets) < threshold))
        points.append(MeasuredPoint(p_fa=rate, p_miss=p_miss, threshold=threshold, resolved=rate >= anchor))
    return tuple(points), tail


def _resolves(scores: CellScores, rate: float) -> bool:
    enough_trials = rate * len(scores.nontargets) * _SLACK >= RULE_OF_THIRTY
    return enough_trials and rate * scores.n_pairs * _SLACK >= _RULE_OF_THREE


def _strict_threshold(rising: NDArray[np.float64], rate: float) -> float:
    """Lowest nontarget score at or above which lie at most `rate` of them; above the highest if none."""
    allowed = math.floor(rate * len(rising) * _SLACK)
    # The first place from which on no more than `allowed` remain, past scores tied with one that is refused.
    refused = rising[len(rising) - allowed - 1]
    place = int(np.searchsorted(rising, refused, side="right"))
    return float(rising[place]) if place < len(rising) else float(np.nextafter(refused, math.inf))


def _tail_scale(rising: NDArray[np.float64], anchor: float) -> float:
    """Mean excess over the anchor, one standard error up.

    Excesses over a high threshold tend to an exponential law, or to a lighter one if scores are bounded or
    Gaussian (Balkema and de Haan 1974, Pickands 1975), so their mean extrapolates on the strict side.
    """
    excess = rising[rising >= anchor] - anchor
    mean = float(excess.mean()) * (1.0 + 1.0 / math.sqrt(len(excess))) if len(excess) else 0.0
    # Where all high scores are tied, the overall spread stands in, so that a lower rate is always stricter.
    return mean or float(rising.std()) or float(np.spacing(abs(anchor) + 1.0))


def _fingerprint(cells: Sequence[CellScores]) -> str:
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(
            f"{cell.n_enroll} {cell.seconds!r} {len(cell.targets)} {len(cell.nontargets)}\n".encode()
        )
        for scores in (cell.targets, cell.nontargets):
            digest.update(np.sort(np.asarray(scores, dtype="<f8")).tobytes())
    return digest.hexdigest()
