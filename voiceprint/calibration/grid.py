"""The calibration that a model's card carries: a grid over enrollment clips and seconds of test speech.

Averaging clips raises scores and short clips scatter them, so one threshold cannot serve all. Each cell of
the grid is fitted on trials of one shape; what lies between cells is interpolated, what lies outside takes
the nearest.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.cell import CalibrationCell, cell_from_dict, cell_to_dict
from voiceprint.calibration.noise import SnrTerm
from voiceprint.calibration.plain import check_keys, read_number, read_sequence
from voiceprint.errors import CalibrationError

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
        What noise in the test clip adds to a score. The `Decider` adds `snr_shifts` to every score before it
        asks for a ratio, and subtracts it from every threshold.
    recording : float
        What is added likewise to the score of one of several speakers of a recording, at least 0: they are
        farther from the microphone than whoever speaks a clip.

    Raises
    ------
    CalibrationError
        If cells are missing or repeated, or a value is out of range.

    Examples
    --------
    >>> calibration = model.card.calibration
    >>> calibration.n_enroll, calibration.seconds
    ((1, 3, 5, 10), (0.5, 1.0, 2.0, 3.0, 5.0, 10.0))
    >>> calibration.llr(0.9, n_enroll=3, seconds=3.0) > 0 > calibration.llr(0.0, n_enroll=3, seconds=3.0)
    True
    """

    cells: tuple[CalibrationCell, ...]
    p_target: float
    fingerprint: str
    snr: SnrTerm | None = None
    recording: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.recording <= 1.0:
            raise CalibrationError(f"calibration: recording is {self.recording}; it must be from 0 to 1")
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

    def thresholds(
        self, *, p_fa: float | None = None, n_enroll: ArrayLike, seconds: ArrayLike
    ) -> NDArray[np.float64]:
        """Scores at or above which to accept, for one trial or a million.

        Parameters
        ----------
        p_fa : float, optional
            How often an impostor may be accepted, above 0 and below 1. None stands for the equal error rate.
        n_enroll : array_like of int
            Clips in the voiceprints, at least 1.
        seconds : array_like of float
            Speech in the test clips, above 0. Under the shortest cell the threshold is that cell's, and
            rates are not promised.

        Returns
        -------
        ndarray of float64, of the shape that `n_enroll` and `seconds` broadcast to
            They never fall as `p_fa` falls.

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        if p_fa is None:
            return self.interpolate(lambda cell: cell.eer_threshold, n_enroll=n_enroll, seconds=seconds)
        _check_rate(p_fa)
        return self.interpolate(lambda cell: cell.threshold(p_fa), n_enroll=n_enroll, seconds=seconds)

    def threshold(self, *, p_fa: float | None = None, n_enroll: int, seconds: float) -> float:
        """Score at or above which to accept a trial: `thresholds` for one.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> rates = (0.05, 0.01, 0.001)
        >>> limits = [calibration.threshold(p_fa=rate, n_enroll=3, seconds=3.0) for rate in rates]
        >>> limits == sorted(limits)  # the rarer a false accept may be, the more is asked
        True
        """
        return float(self.thresholds(p_fa=p_fa, n_enroll=n_enroll, seconds=seconds))

    def p_miss(self, *, p_fa: float, n_enroll: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Miss rates at the thresholds of a false-accept rate, on the people whom they were fitted to.

        Parameters
        ----------
        p_fa, n_enroll, seconds
            As in `thresholds`.

        Returns
        -------
        ndarray of float64, of the shape that `n_enroll` and `seconds` broadcast to

        Raises
        ------
        CalibrationError
            If an argument is out of range.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> by_length = calibration.p_miss(p_fa=0.01, n_enroll=3, seconds=[0.5, 3.0, 10.0])
        >>> bool((np.diff(by_length) < 0).all())  # who speaks longer is missed less often
        True
        """
        _check_rate(p_fa)
        return self.interpolate(lambda cell: cell.p_miss(p_fa), n_enroll=n_enroll, seconds=seconds)

    def resolves(self, p_fa: float, *, n_enroll: ArrayLike, seconds: ArrayLike) -> bool:
        """Whether the trials were enough to measure a false-accept rate wherever it is asked for.

        Parameters
        ----------
        p_fa, n_enroll, seconds
            As in `thresholds`.

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
        measured = np.array([cell.resolves(p_fa) for cell in self._ordered])
        corners = self._corners(n_enroll, seconds)
        short = np.asarray(seconds, dtype=np.float64) < self.seconds[0]
        return not short.any() and all(measured[cell][share > 0.0].all() for share, cell in corners)

    def llr(self, score: float, *, n_enroll: int, seconds: float) -> float:
        """Natural-log likelihood ratio of a score: `llrs` for one, which must be finite."""
        if not math.isfinite(score):
            raise CalibrationError(f"score is {score}; it must be finite")
        return float(self.llrs(score, n_enroll=n_enroll, seconds=seconds))

    def llrs(self, scores: ArrayLike, *, n_enroll: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Natural-log likelihood ratios of scores: how much they speak for the same person.

        Parameters
        ----------
        scores : array_like of float
        n_enroll, seconds : array_like
            As in `thresholds`.

        Returns
        -------
        ndarray of float64, of the shape that all three broadcast to
            Above 0 for the same person, below 0 for another; rising with the score.

        Raises
        ------
        CalibrationError
            If an argument is out of range.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> ratios = calibration.llrs([0.0, 0.9], n_enroll=3, seconds=3.0)
        >>> bool(ratios[0] < 0.0 < ratios[1])
        True
        """
        values, clips, lengths = np.broadcast_arrays(np.asarray(scores, dtype=np.float64), n_enroll, seconds)
        ratios = np.zeros(values.shape)
        for share, cells in self._corners(clips, lengths):
            ratios += share * self._cell_llrs(values, cells)
        return ratios

    def scores_at(self, llr: float, *, n_enroll: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Lowest scores whose log-likelihood ratio is at least `llr`.

        Parameters
        ----------
        n_enroll, seconds : array_like
            As in `thresholds`.

        Returns
        -------
        ndarray of float64, of the shape that `n_enroll` and `seconds` broadcast to
            Above every cosine where none is so much evidence, as may be with isotonic steps.

        Raises
        ------
        CalibrationError
            If an argument is out of range.

        Examples
        --------
        >>> calibration = model.card.calibration
        >>> score = float(calibration.scores_at(2.0, n_enroll=3, seconds=3.0))
        >>> f"{calibration.llr(score, n_enroll=3, seconds=3.0):.3f}"
        '2.000'
        """
        clips, lengths = np.broadcast_arrays(n_enroll, seconds)
        if not any(cell.step_scores for cell in self.cells):
            return self._on_the_line(llr, clips, lengths)
        shapes, place = np.unique(np.stack([clips.ravel(), lengths.ravel()]), axis=1, return_inverse=True)
        found = [self._step_at(llr, n_enroll=int(n), seconds=float(s)) for n, s in shapes.T]
        return np.array(found)[place.ravel()].reshape(clips.shape)

    def snr_shifts(self, snr_db: ArrayLike | None) -> NDArray[np.float64]:
        """What to add to scores for the noise in the test clips.

        Parameters
        ----------
        snr_db : array_like of float, or None
            NaN, or None for all, where it is not known.

        Returns
        -------
        ndarray of float64, of the shape of `snr_db`
            0 without `snr`, or where it is not known.
        """
        known = np.asarray(np.nan if snr_db is None else snr_db, dtype=np.float64)
        return np.zeros(known.shape) if self.snr is None else self.snr.shifts(known)

    def interpolate(
        self, value: Callable[[CalibrationCell], float], *, n_enroll: ArrayLike, seconds: ArrayLike
    ) -> NDArray[np.float64]:
        """Interpolate a number that each cell has; bilinear in the logarithms, clamped at the grid's ends.

        Parameters
        ----------
        value : callable
            What a cell has; finite.
        n_enroll, seconds : array_like
            As in `thresholds`.

        Returns
        -------
        ndarray of float64, of the shape that `n_enroll` and `seconds` broadcast to

        Raises
        ------
        CalibrationError
            If an argument is out of range.
        """
        corners, ordered = self._corners(n_enroll, seconds), self._ordered
        values = np.zeros(len(ordered))
        # One trial lies between four cells at most; what the others have need not be worked out.
        for number in {cell for share, cells in corners for cell in _distinct(cells[share > 0.0])}:
            values[number] = value(ordered[number])
        return np.asarray(sum(share * values[cell] for share, cell in corners), dtype=np.float64)

    @property
    def _ordered(self) -> list[CalibrationCell]:
        """The cells by clips, then by seconds: the order in which `_corners` counts them."""
        return sorted(self.cells, key=lambda cell: (cell.n_enroll, cell.seconds))

    def _corners(
        self, n_enroll: ArrayLike, seconds: ArrayLike
    ) -> list[tuple[NDArray[np.float64], NDArray[np.intp]]]:
        """The four cells around each trial (of `_ordered`), with their shares, which add up to 1."""
        clips, lengths = np.broadcast_arrays(
            np.asarray(n_enroll, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
        )
        if not (np.all((clips >= 1) & np.isfinite(clips)) and np.all((lengths > 0) & np.isfinite(lengths))):
            raise CalibrationError(
                f"n_enroll is {clips} (at least 1) and seconds {lengths} (above 0 and finite)"
            )
        width = len(self.seconds)
        return [
            (clip_share * length_share, row * width + column)
            for clip_share, row in _shares(self.n_enroll, clips)
            for length_share, column in _shares(self.seconds, lengths)
        ]

    def _cell_llrs(self, scores: NDArray[np.float64], cells: NDArray[np.intp]) -> NDArray[np.float64]:
        """Ratios of scores, each by a cell of its own."""
        ratios, ordered = np.empty(scores.shape), self._ordered
        for cell in _distinct(cells):
            here = cells == cell
            ratios[here] = ordered[cell].llrs(scores[here])
        return ratios

    def _on_the_line(self, llr: float, n_enroll: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Scores with a ratio where it is a straight line."""
        at_zero, at_one = (self.llrs(end, n_enroll=n_enroll, seconds=seconds) for end in (0.0, 1.0))
        return np.asarray((llr - at_zero) / (at_one - at_zero))

    def _step_at(self, llr: float, *, n_enroll: int, seconds: float) -> float:
        """Lowest step of the cells around one shape of trial that reaches a ratio."""
        near = {int(cell) for share, cell in self._corners(n_enroll, seconds) if float(share) > 0.0}
        ordered = self._ordered
        steps = sorted({score for cell in near for score in ordered[cell].step_scores})
        if not steps:
            return float(self._on_the_line(llr, n_enroll, seconds))
        reached = self.llrs(steps, n_enroll=n_enroll, seconds=seconds) >= llr
        return steps[int(reached.argmax())] if reached.any() else _beyond(steps[-1])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, as they stand in model.toml under ``[calibration]``.

        Returns
        -------
        dict
            `from_dict` gives back an equal calibration.
        """
        snr = {} if self.snr is None else {"snr": self.snr.to_dict()}
        recording = {"recording": self.recording} if self.recording else {}
        return {
            "p_target": self.p_target,
            "fingerprint": self.fingerprint,
            **recording,
            **snr,
            "cells": [cell_to_dict(cell) for cell in self.cells],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read and check what `to_dict` wrote.

        Raises
        ------
        CalibrationError
            If a key is missing or unknown, has the wrong type, or a value is out of range.
        """
        check_keys(data, ("p_target", "fingerprint", "cells"), "calibration", optional=("snr", "recording"))
        if not isinstance(data["fingerprint"], str):
            raise CalibrationError(
                f"calibration: fingerprint is {data['fingerprint']!r}; it must be a string"
            )
        cells = read_sequence(data["cells"], "calibration: cells")
        return cls(
            cells=tuple(
                cell_from_dict(cell, f"calibration cell {i}") for i, cell in enumerate(cells, start=1)
            ),
            p_target=read_number(data["p_target"], "calibration: p_target"),
            fingerprint=data["fingerprint"],
            snr=SnrTerm.from_dict(data["snr"]) if "snr" in data else None,
            recording=read_number(data.get("recording", 0.0), "calibration: recording"),
        )


def _beyond(score: float) -> float:
    return math.nextafter(max(score, 1.0), math.inf)


def _check_rate(p_fa: float) -> None:
    if not 0.0 < p_fa < 1.0:
        raise CalibrationError(f"false-accept rate is {p_fa}; it must be above 0 and below 1 (1 % is 0.01)")


def _shares(
    axis: Sequence[float], values: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.intp]], tuple[NDArray[np.float64], NDArray[np.intp]]]:
    """Shares and places of the neighbours of values on a rising axis, linear in the logarithm; clamped."""
    knots = np.asarray(axis, dtype=np.float64)
    places = np.clip(values, knots[0], knots[-1])
    above = np.searchsorted(knots, places)
    below = np.where(knots[above] == places, above, above - 1)
    apart = np.where(above == below, 1.0, np.log(knots[above] / knots[below]))
    share = np.log(places / knots[below]) / apart
    return (1.0 - share, below), (share, above)


def _distinct(cells: NDArray[np.intp]) -> list[int]:
    """Return the cells that occur; np.unique would load numpy.ma, which takes longer than a decision."""
    return [int(cell) for cell in np.flatnonzero(np.bincount(cells.ravel()))]
