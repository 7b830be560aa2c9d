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
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.cell import CalibrationCell, cell_from_dict, cell_to_dict
from voiceprint.calibration.noise import SnrTerm
from voiceprint.calibration.plain import check_keys, read_list, read_number
from voiceprint.errors import CalibrationError

__all__ = ["Calibration"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    snr : SnrTerm, optional
        What noise in the test clip adds to a score. Whoever has a term adds `snr_shift` to every score before
        asking for its ratio, or subtracts it from the threshold.

    Raises
    ------
    CalibrationError
        If cells are missing or repeated, or a value is out of range.
    """

    cells: tuple[CalibrationCell, ...]
    p_target: float
    fingerprint: str
    snr: SnrTerm | None = None

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
        values = np.asarray(scores, dtype=np.float64)
        ratios = np.zeros(values.shape)
        for weight, cell in self._near(n_enroll, seconds):
            ratios += weight * cell.llrs(values)
        return ratios

    def score_at(self, llr: float, *, n_enroll: int, seconds: float) -> float:
        """Lowest score whose log-likelihood ratio is at least `llr`.

        Parameters
        ----------
        llr : float
        n_enroll : int
        seconds : float
            As in `threshold`.

        Returns
        -------
        float
            Above every cosine where none is so much evidence, as may be with isotonic steps.

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        steps = sorted({score for _, cell in self._near(n_enroll, seconds) for score in cell.step_scores})
        if steps:
            reached = self.llrs(steps, n_enroll=n_enroll, seconds=seconds) >= llr
            return steps[int(reached.argmax())] if reached.any() else _beyond(steps[-1])
        at_zero, at_one = self.llrs([0.0, 1.0], n_enroll=n_enroll, seconds=seconds)
        return float((llr - at_zero) / (at_one - at_zero))

    def snr_shift(self, snr_db: float | None) -> float:
        """What to add to a score for the noise in the test clip; 0 without `snr`, or where it is not known.

        Parameters
        ----------
        snr_db : float or None

        Returns
        -------
        float
        """
        if self.snr is None or snr_db is None:
            return 0.0
        return float(self.snr.shifts([snr_db])[0])

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
        snr = {} if self.snr is None else {"snr": self.snr.to_dict()}
        return {
            "p_target": self.p_target,
            "fingerprint": self.fingerprint,
            **snr,
            "cells": [cell_to_dict(cell) for cell in self.cells],
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
        check_keys(data, ("p_target", "fingerprint", "cells"), "calibration", optional=("snr",))
        if not isinstance(data["fingerprint"], str):
            raise CalibrationError(
                f"calibration: fingerprint is {data['fingerprint']!r}; it must be a string"
            )
        cells = read_list(data["cells"], "calibration: cells")
        return cls(
            cells=tuple(
                cell_from_dict(cell, f"calibration cell {i}") for i, cell in enumerate(cells, start=1)
            ),
            p_target=read_number(data["p_target"], "calibration: p_target"),
            fingerprint=data["fingerprint"],
            snr=SnrTerm.from_dict(data["snr"]) if "snr" in data else None,
        )


def _beyond(score: float) -> float:
    return math.nextafter(max(score, 1.0), math.inf)


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
