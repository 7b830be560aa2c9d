"""The calibration that a model's card carries: a grid over enrollment clips and seconds of test speech.

Averaging clips raises scores and short clips scatter them, so one threshold cannot serve all. Each cell of
the grid is fitted on trials of one shape; what lies between cells is interpolated, what lies outside takes
the nearest.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import CalibrationError

__all__ = ["Calibration", "CalibrationCell", "OperatingPoint"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold and the errors it makes.

    Parameters
    ----------
    p_fa : float
        False-accept rate the threshold stands for, above 0 and below 1.
    p_miss : float
        Miss rate measured at the threshold.
    threshold : float
        Accept if ``score >= threshold``.
    resolved : bool
        Whether the trials were enough to measure the rate; if not, the threshold is extrapolated.
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
    points : tuple of OperatingPoint
        By falling `p_fa`; thresholds never fall.
    tail : float
        Score by which the threshold rises when the rate falls by a factor of e below the last point.
    n_target, n_nontarget : int
        Trials of either kind.
    n_speakers, n_pairs : int
        Speakers in the trials, and pairs of two speakers in the nontarget trials.

    Raises
    ------
    CalibrationError
        If a value is out of range.
    """

    n_enroll: int
    seconds: float
    slope: float
    offset: float
    eer: float
    eer_threshold: float
    points: tuple[OperatingPoint, ...]
    tail: float
    n_target: int
    n_nontarget: int
    n_speakers: int
    n_pairs: int

    def __post_init__(self) -> None:
        for name in (
            "n_enroll",
            "seconds",
            "slope",
            "tail",
            "n_target",
            "n_nontarget",
            "n_speakers",
            "n_pairs",
        ):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise CalibrationError(f"{self._where}: {name} is {value}; it must be above 0 and finite")
        for name in ("offset", "eer_threshold"):
            if not math.isfinite(getattr(self, name)):
                raise CalibrationError(f"{self._where}: {name} is {getattr(self, name)}; it must be finite")
        if not 0.0 <= self.eer <= 1.0:
            raise CalibrationError(f"{self._where}: eer is {self.eer}; it must be from 0 to 1")
        self._check_points()

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

    def threshold(self, p_fa: float) -> float:
        """Score threshold for a false-accept rate.

        Between points on the normal-deviate scale of the rate; below the last along an exponential tail,
        which is never too lenient for scores whose tail is as light as a Gaussian's; above the first, the
        first's.

        Parameters
        ----------
        p_fa : float
            Above 0 and below 1.

        Returns
        -------
        float
        """
        last = self.points[-1]
        if p_fa < last.p_fa:
            return last.threshold + self.tail * math.log(last.p_fa / p_fa)
        deviates = [-NormalDist().inv_cdf(point.p_fa) for point in self.points]
        thresholds = [point.threshold for point in self.points]
        return float(np.interp(-NormalDist().inv_cdf(p_fa), deviates, thresholds))

    def resolves(self, p_fa: float) -> bool:
        """Whether the cell's trials were enough to measure a false-accept rate.

        Parameters
        ----------
        p_fa : float
            Above 0 and below 1.

        Returns
        -------
        bool
        """
        return any(point.resolved and point.p_fa <= p_fa * (1.0 + 1e-12) for point in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Log-likelihood ratios and thresholds for any voiceprint and clip.

    Parameters
    ----------
    cells : tuple of CalibrationCell
        A full grid: each number of enrollment clips with each length of speech, once.
    p_target : float
        Prior at which the likelihood ratios were fitted.
    fingerprint : str
        sha256 of the trials, 64 hexadecimal digits.

    Raises
    ------
    CalibrationError
        If cells are missing or repeated, or a value is out of range.
    """

    cells: tuple[CalibrationCell, ...]
    p_target: float
    fingerprint: str

    def __post_init__(self) -> None:
        if not 0.0 < self.p_target < 1.0:
            raise CalibrationError(
                f"calibration: p_target is {self.p_target}; it must be above 0 and below 1"
            )
        if not _SHA256.fullmatch(self.fingerprint):
            raise CalibrationError(
                f"calibration: fingerprint is {self.fingerprint!r}; it must be 64 hexadecimal digits"
            )
        shapes = [(cell.n_enroll, cell.seconds) for cell in self.cells]
        wanted = list(itertools.product(self.n_enroll, self.seconds))
        if not shapes or sorted(shapes) != wanted:
            raise CalibrationError(
                f"calibration: every number of clips {self.n_enroll} needs every length {self.seconds} s "
                f"exactly once, got {len(shapes)} cells: {shapes}"
            )

    @property
    def n_enroll(self) -> tuple[int, ...]:
        """Numbers of enrollment clips that have cells, rising."""
        return tuple(sorted({cell.n_enroll for cell in self.cells}))

    @property
    def seconds(self) -> tuple[float, ...]:
        """Lengths of test speech that have cells, rising."""
        return tuple(sorted({cell.seconds for cell in self.cells}))

    def cell(self, *, n_enroll: int, seconds: float) -> CalibrationCell:
        """Look up one cell.

        Parameters
        ----------
        n_enroll : int
        seconds : float
            Both as in the grid.

        Returns
        -------
        CalibrationCell

        Raises
        ------
        CalibrationError
            If the grid has no such cell.
        """
        for cell in self.cells:
            if cell.n_enroll == n_enroll and cell.seconds == seconds:
                return cell
        raise CalibrationError(
            f"no calibration cell of {n_enroll} clips and {seconds:g} s; there are {self.n_enroll} clips "
            f"and {self.seconds} s"
        )

    def threshold(self, *, p_fa: float | None = None, n_enroll: int, seconds: float) -> float:
        """Score at or above which to accept.

        Parameters
        ----------
        p_fa : float, optional
            How often a wrong person may be accepted, above 0 and below 1. None stands for the equal error
            rate. To give a stranger *any* of N names with probability at most ``far``, ask for ``far / N``:
            the chance of at least one false accept is at most the sum of the N chances.
        n_enroll : int
            Clips in the voiceprint, at least 1.
        seconds : float
            Speech in the test clip, above 0. Under the shortest cell the threshold is that cell's, and
            rates are not promised.

        Returns
        -------
        float
            Never falls as `p_fa` falls.

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        if p_fa is not None:
            _check_rate(p_fa)
        return sum(
            weight * (cell.eer_threshold if p_fa is None else cell.threshold(p_fa))
            for weight, cell in self._near(n_enroll, seconds)
        )

    def resolves(self, p_fa: float, *, n_enroll: int, seconds: float) -> bool:
        """Whether the trials were enough to measure a false-accept rate where it is asked for.

        Parameters
        ----------
        p_fa : float
        n_enroll : int
        seconds : float
            All as in `threshold`.

        Returns
        -------
        bool
            False where the rate is extrapolated or the speech is shorter than any that was measured.

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        _check_rate(p_fa)
        near = list(self._near(n_enroll, seconds))
        return seconds >= self.seconds[0] and all(cell.resolves(p_fa) for _, cell in near)

    def llr(self, score: float, *, n_enroll: int, seconds: float) -> float:
        """Natural-log likelihood ratio of a score: how much it speaks for the same person.

        Parameters
        ----------
        score : float
        n_enroll : int
        seconds : float
            As in `threshold`.

        Returns
        -------
        float
            Above 0 for the same person, below 0 for another; rises with the score.

        Raises
        ------
        CalibrationError
            If the score is not finite or an argument is out of range.
        """
        if not math.isfinite(score):
            raise CalibrationError(f"score is {score}; it must be finite")
        return float(self.llrs([score], n_enroll=n_enroll, seconds=seconds)[0])

    def llrs(self, scores: ArrayLike, *, n_enroll: int, seconds: float) -> NDArray[np.float64]:
        """Natural-log likelihood ratios of scores of one shape of trial.

        Parameters
        ----------
        scores : array_like of shape (n,)
        n_enroll : int
        seconds : float
            As in `threshold`.

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        near = list(self._near(n_enroll, seconds))
        slope = sum(weight * cell.slope for weight, cell in near)
        offset = sum(weight * cell.offset for weight, cell in near)
        return slope * np.asarray(scores, dtype=np.float64) + offset

    def _near(self, n_enroll: int, seconds: float) -> Iterator[tuple[float, CalibrationCell]]:
        """Cells around a shape of trial with their shares, which add up to 1; bilinear in the logarithms."""
        if n_enroll < 1 or not 0.0 < seconds < math.inf:
            raise CalibrationError(
                f"n_enroll is {n_enroll} (at least 1) and seconds {seconds} (above 0 and finite)"
            )
        for clip_share, clips in _shares(self.n_enroll, n_enroll):
            for second_share, length in _shares(self.seconds, seconds):
                yield clip_share * second_share, self.cell(n_enroll=int(clips), seconds=length)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, as they stand in model.toml under ``[calibration]``.

        Returns
        -------
        dict
            `from_dict` gives back an equal calibration.
        """
        return {
            "p_target": self.p_target,
            "fingerprint": self.fingerprint,
            "cells": [_cell_to_dict(cell) for cell in self.cells],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read and check what `to_dict` wrote.

        Parameters
        ----------
        data : mapping

        Returns
        -------
        Calibration

        Raises
        ------
        CalibrationError
            If a key is missing or unknown, has the wrong type, or a value is out of range.
        """
        _check_keys(data, ("p_target", "fingerprint", "cells"), "calibration")
        if not isinstance(data["fingerprint"], str):
            raise CalibrationError(
                f"calibration: fingerprint is {data['fingerprint']!r}; it must be a string"
            )
        cells = _sequence(data["cells"], "calibration: cells")
        return cls(
            cells=tuple(
                _cell_from_dict(cell, f"calibration cell {i}") for i, cell in enumerate(cells, start=1)
            ),
            p_target=_number(data["p_target"], "calibration: p_target"),
            fingerprint=data["fingerprint"],
        )


_INTEGERS = ("n_enroll", "n_target", "n_nontarget", "n_speakers", "n_pairs")
_NUMBERS = ("seconds", "slope", "offset", "eer", "eer_threshold", "tail")
_COLUMNS = ("p_fa", "p_miss", "threshold", "resolved")


def _cell_to_dict(cell: CalibrationCell) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(cell, name) for name in (*_INTEGERS, *_NUMBERS)}
    columns = {name: [getattr(point, name) for point in cell.points] for name in _COLUMNS}
    return plain | columns


def _cell_from_dict(data: Any, where: str) -> CalibrationCell:
    _check_keys(data, (*_INTEGERS, *_NUMBERS, *_COLUMNS), where)
    values: dict[str, Any] = {name: _integer(data[name], f"{where}: {name}") for name in _INTEGERS}
    values |= {name: _number(data[name], f"{where}: {name}") for name in _NUMBERS}
    return CalibrationCell(**values, points=_points_from_dict(data, where))


def _points_from_dict(data: Mapping[str, Any], where: str) -> tuple[OperatingPoint, ...]:
    columns = {name: _sequence(data[name], f"{where}: {name}") for name in _COLUMNS}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise CalibrationError(f"{where}: the lists of its points differ in length: {lengths}")
    return tuple(
        OperatingPoint(
            p_fa=_number(p_fa, f"{where}: p_fa"),
            p_miss=_number(p_miss, f"{where}: p_miss"),
            threshold=_number(threshold, f"{where}: threshold"),
            resolved=_boolean(resolved, f"{where}: resolved"),
        )
        for p_fa, p_miss, threshold, resolved in zip(*columns.values(), strict=True)
    )


def _check_keys(data: Any, names: Sequence[str], where: str) -> None:
    if not isinstance(data, Mapping):
        raise CalibrationError(f"{where} is {data!r}; it must be a table")
    missing, unknown = sorted(set(names) - set(data)), sorted(set(data) - set(names))
    if missing or unknown:
        raise CalibrationError(f"{where}: missing keys {missing}, unknown keys {unknown}")


def _sequence(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise CalibrationError(f"{where} is {value!r}; it must be a list")
    return value


def _number(value: Any, where: str) -> float:
    # bool is an int in Python, and no number in TOML.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CalibrationError(f"{where} is {value!r}; it must be a number")
    return float(value)


def _integer(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CalibrationError(f"{where} is {value!r}; it must be a whole number")
    return value


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise CalibrationError(f"{where} is {value!r}; it must be true or false")
    return value


def _check_rate(p_fa: float) -> None:
    if not 0.0 < p_fa < 1.0:
        raise CalibrationError(f"false-accept rate is {p_fa}; it must be above 0 and below 1 (1 % is 0.01)")


def _shares(axis: Sequence[float], value: float) -> list[tuple[float, float]]:
    """Neighbours of a value on a rising axis and their shares, linear in the logarithm; ends are clamped."""
    place = min(max(value, axis[0]), axis[-1])
    above = next(i for i, knot in enumerate(axis) if knot >= place)
    if axis[above] == place:
        return [(1.0, axis[above])]
    low, high = axis[above - 1], axis[above]
    share = math.log(place / low) / math.log(high / low)
    return [(1.0 - share, low), (share, high)]
