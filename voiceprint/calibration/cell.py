"""One cell of the calibration's grid: ratios and thresholds for one shape of trial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration.plain import check_keys, read_boolean, read_integer, read_number, read_sequence
from voiceprint.errors import CalibrationError

_INTEGERS = ("n_enroll", "n_target", "n_nontarget", "n_speakers", "n_pairs")
_NUMBERS = ("seconds", "slope", "offset", "eer", "eer_threshold", "tail")
_COLUMNS = ("p_fa", "p_miss", "threshold", "resolved")
_STEPS = ("step_scores", "step_llrs")
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPoint:
    """A threshold and the errors it makes.

    Parameters
    ----------
    p_fa : float
        False-accept rate the threshold stands for, above 0 and below 1.
    threshold : float
        Accept if ``score >= threshold``.
    resolved : bool
        Whether the trials were enough to measure the rate; if not, the threshold is extrapolated.

    Examples
    --------
    >>> calibration = model.card.calibration
    >>> point = calibration.cell(n_enroll=3, seconds=2.0).points[-1]
    >>> point.p_fa, 0.0 < point.threshold < 1.0
    (0.0003, True)
    """

    p_fa: float
    p_miss: float
    threshold: float
    resolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationCell:
    """Calibration for one number of enrollment clips and one length of test speech.

    Parameters
    ----------
    n_enroll : int
        Clips averaged into the voiceprint.
    seconds : float
        Speech in the test clip.
    slope, offset : float
        ``llr = slope * score + offset``, natural log; the slope is above 0.
    eer, eer_threshold : float
        Equal error rate and the score threshold there.
    points : tuple of MeasuredPoint
        By falling `p_fa`; thresholds never fall.
    tail : float
        Score by which the threshold begins to rise below the last point, as the rate falls by a factor of e.
    tail_shape : float
        Shape of that tail, of a generalised Pareto law: 0 for an exponential one, below 0 for one that ends,
        as the tail of a bounded score does.
    n_speakers, n_pairs : int
        Speakers in the trials, and pairs of two speakers in the nontarget trials.
    step_scores, step_llrs : tuple of float
        Of ratios fitted by isotonic regression: the score at which each step begins, and its ratio, both
        rising. They then stand instead of `slope` and `offset`, which say the logistic fit all the same.

    Raises
    ------
    CalibrationError
        If a value is out of range.

    Examples
    --------
    >>> calibration = model.card.calibration
    >>> cell = calibration.cell(n_enroll=3, seconds=2.0)
    >>> cell.llrs(np.array([0.5])) == cell.slope * 0.5 + cell.offset
    array([ True])
    """

    n_enroll: int
    seconds: float
    slope: float
    offset: float
    eer: float
    eer_threshold: float
    points: tuple[MeasuredPoint, ...]
    tail: float
    n_target: int
    n_nontarget: int
    n_speakers: int
    n_pairs: int
    tail_shape: float = 0.0
    step_scores: tuple[float, ...] = ()
    step_llrs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in (*_INTEGERS, "seconds", "slope", "tail"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise CalibrationError(f"{self._where}: {name} is {value}; it must be above 0 and finite")
        for name in ("offset", "eer_threshold"):
            if not math.isfinite(getattr(self, name)):
                raise CalibrationError(f"{self._where}: {name} is {getattr(self, name)}; it must be finite")
        if not -1.0 <= self.tail_shape <= 0.0:
            raise CalibrationError(f"{self._where}: tail_shape is {self.tail_shape}; it must be from -1 to 0")
        if not 0.0 <= self.eer <= 1.0:
            raise CalibrationError(f"{self._where}: eer is {self.eer}; it must be from 0 to 1")
        self._check_points()
        self._check_steps()

    @property
    def _where(self) -> str:
        return f"calibration cell of {self.n_enroll} clips and {self.seconds:g} s"

    def _check_points(self) -> None:
        if not self.points:
            raise CalibrationError(f"{self._where}: there are no thresholds")
        for point in self.points:
            if not (0.0 < point.p_fa < 1.0 and 0.0 <= point.p_miss <= 1.0 and math.isfinite(point.threshold)):
                raise CalibrationError(f"{self._where}: {point} has a value that is out of range")
        for higher, lower in itertools.pairwise(self.points):
            if not (lower.p_fa < higher.p_fa and lower.threshold >= higher.threshold):
                raise CalibrationError(
                    f"{self._where}: thresholds must rise as rates fall, got {higher.threshold} at p_fa "
                    f"{higher.p_fa} before {lower.threshold} at p_fa {lower.p_fa}"
                )

    def _check_steps(self) -> None:
        if len(self.step_scores) != len(self.step_llrs):
            raise CalibrationError(
                f"{self._where}: {len(self.step_scores)} steps have {len(self.step_llrs)} ratios; "
                "each needs one"
            )
        for name in _STEPS:
            values = getattr(self, name)
            rising = all(low <= high for low, high in itertools.pairwise(values))
            if not (rising and all(map(math.isfinite, values))):
                raise CalibrationError(f"{self._where}: {name} must be finite and never fall, got {values}")

    def llrs(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Natural-log likelihood ratios (n,), float64, of scores (n,).

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> cell = calibration.cell(n_enroll=3, seconds=2.0)
        >>> bool(cell.llrs(np.array([0.2]))[0] < cell.llrs(np.array([0.8]))[0])
        True
        """
        if not self.step_scores:
            return self.slope * scores + self.offset
        step = np.searchsorted(self.step_scores, scores, side="right") - 1
        return np.asarray(self.step_llrs)[np.maximum(step, 0)]

    def threshold(self, p_fa: float) -> float:
        """Score threshold for a false-accept rate.

        Between points on the normal-deviate scale of the rate; below the last along the tail; above the
        first, the first's.

        Parameters
        ----------
        p_fa : float
            Above 0 and below 1.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> cell = calibration.cell(n_enroll=3, seconds=2.0)
        >>> cell.threshold(0.05) < cell.threshold(0.01) < cell.threshold(0.0001)
        True
        """
        last = self.points[-1]
        if p_fa < last.p_fa:
            return last.threshold + self.tail * rise(last.p_fa / p_fa, self.tail_shape)
        deviates = [-_NORMAL.inv_cdf(point.p_fa) for point in self.points]
        thresholds = [point.threshold for point in self.points]
        return float(np.interp(-_NORMAL.inv_cdf(p_fa), deviates, thresholds))

    def p_miss(self, p_fa: float) -> float:
        """Miss rate at the threshold of a false-accept rate, on the people whom it was fitted to.

        Parameters
        ----------
        p_fa : float
            Above 0 and below 1. Below the last point the misses go on as between the last two.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> cell = calibration.cell(n_enroll=3, seconds=2.0)
        >>> cell.p_miss(0.05) < cell.p_miss(0.01)  # who accepts fewer impostors rejects more right people
        True
        """
        deviates = np.array([-_NORMAL.inv_cdf(point.p_fa) for point in self.points])
        least = 0.5 / self.n_target
        misses = [_NORMAL.inv_cdf(min(max(point.p_miss, least), 1.0 - least)) for point in self.points]
        wanted = -_NORMAL.inv_cdf(p_fa)
        beyond = wanted - float(deviates[-1])
        found = float(np.interp(wanted, deviates, misses))
        if beyond > 0.0 and len(misses) > 1:
            found += beyond * max(0.0, misses[-1] - misses[-2]) / float(deviates[-1] - deviates[-2])
        return _NORMAL.cdf(found)

    def resolves(self, p_fa: float) -> bool:
        """Whether the cell's trials were enough to measure a false-accept rate.

        Parameters
        ----------
        p_fa : float
            Above 0 and below 1.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> cell = calibration.cell(n_enroll=3, seconds=2.0)
        >>> cell.resolves(0.05), cell.resolves(1e-9)
        (True, False)
        """
        return any(point.resolved and point.p_fa <= p_fa * (1.0 + 1e-12) for point in self.points)


def rise(times: float, shape: float) -> float:
    """How many scales a quantile of a generalised Pareto law rises when its rate falls so many times."""
    return math.log(times) if shape == 0.0 else math.expm1(shape * math.log(times)) / shape


def cell_to_dict(cell: CalibrationCell) -> dict[str, Any]:
    """Plain numbers and lists; the points as one list per field."""
    plain: dict[str, Any] = {name: getattr(cell, name) for name in (*_INTEGERS, *_NUMBERS)}
    columns = {name: [getattr(point, name) for point in cell.points] for name in _COLUMNS}
    steps = {name: list(getattr(cell, name)) for name in _STEPS if cell.step_scores}
    shape = {"tail_shape": cell.tail_shape} if cell.tail_shape else {}
    return plain | shape | columns | steps


def cell_from_dict(data: Any, where: str) -> CalibrationCell:
    """Read and check what `cell_to_dict` wrote; errors begin with `where`."""
    check_keys(data, (*_INTEGERS, *_NUMBERS, *_COLUMNS), where, optional=("tail_shape", *_STEPS))
    values: dict[str, Any] = {name: read_integer(data[name], f"{where}: {name}") for name in _INTEGERS}
    values |= {name: read_number(data[name], f"{where}: {name}") for name in _NUMBERS}
    values["tail_shape"] = read_number(data.get("tail_shape", 0.0), f"{where}: tail_shape")
    for name in _STEPS:
        steps = read_sequence(data.get(name, ()), f"{where}: {name}")
        values[name] = tuple(read_number(step, f"{where}: {name}") for step in steps)
    return CalibrationCell(**values, points=_points_from_dict(data, where))


def _points_from_dict(data: Mapping[str, Any], where: str) -> tuple[MeasuredPoint, ...]:
    columns = {name: read_sequence(data[name], f"{where}: {name}") for name in _COLUMNS}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise CalibrationError(f"{where}: the lists of its points differ in length: {lengths}")
    return tuple(
        MeasuredPoint(
            p_fa=read_number(p_fa, f"{where}: p_fa"),
            p_miss=read_number(p_miss, f"{where}: p_miss"),
            threshold=read_number(threshold, f"{where}: threshold"),
            resolved=read_boolean(resolved, f"{where}: resolved"),
        )
        for p_fa, p_miss, threshold, resolved in zip(*columns.values(), strict=True)
    )
