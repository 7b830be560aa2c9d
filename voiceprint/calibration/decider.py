"""Decider: the one way from a score to a likelihood ratio and a verdict, for one trial or a million."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.cell import CalibrationCell
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.operating_point import OperatingPoint
from voiceprint.errors import NotCalibratedError

__all__ = ["Decider", "TrialShape"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialShape:
    """What a score is of, besides two voices; numbers for one trial, arrays for many.

    Parameters
    ----------
    n_enroll : int or array_like
        Clips in the voiceprint, at least 1.
    seconds : float or array_like
        Speech in the test clip.
    snr_db : float or array_like, optional
        Signal-to-noise ratio of the test clip; None or NaN where it is not known.
    """

    n_enroll: ArrayLike
    seconds: ArrayLike
    snr_db: ArrayLike | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that its fields broadcast to; ``()`` for one trial."""
        snr_db = 0.0 if self.snr_db is None else self.snr_db
        return np.broadcast_shapes(np.shape(self.n_enroll), np.shape(self.seconds), np.shape(snr_db))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Thresholds, likelihood ratios and verdicts of one model, maybe in one store.

    A given threshold is taken as it is. Every other one comes from the calibration, less what the noise in
    the test clip adds to a score, plus the store's shift. A score at the threshold is accepted.

    Parameters
    ----------
    calibration : Calibration or None
        The model's; None where it has none, and only a given threshold can be decided at.
    default : OperatingPoint
        Where to decide unless a call says otherwise: the card's point.
    shift : float
        Of the store (`StoreTuning.shift`), added to every threshold of the calibration.
    model : str
        The model's folder, which errors name.

    Examples
    --------
    >>> decider = Decider(calibration=None, default=OperatingPoint.threshold(0.5))
    >>> decider.accepts([0.4, 0.5], TrialShape(n_enroll=3, seconds=[2.0, 4.0]))
    array([False,  True])
    """

    calibration: Calibration | None
    default: OperatingPoint = field(default_factory=OperatingPoint)
    shift: float = 0.0
    model: str = ""

    def thresholds(self, shape: TrialShape, point: OperatingPoint | None = None) -> NDArray[np.float64]:
        """Lowest scores that are accepted.

        Parameters
        ----------
        shape : TrialShape
        point : OperatingPoint, optional
            Where to decide; the default's unless given.

        Returns
        -------
        ndarray of float64, of the shape of the trials
            Of no dimension for one trial: ``float(...)`` gives the number.

        Raises
        ------
        NotCalibratedError
            If there is no calibration and the point is not a threshold.
        CalibrationError
            If clips or seconds are out of range.

        Notes
        -----
        The least expected cost is at a log-likelihood ratio of ``log(c_fa * (1 - p_target) / p_target)``
        (Bayes' decision; Brümmer and du Preez, "Application-independent evaluation of speaker detection",
        2006). Among n people each is the speaker with a prior of ``p_target / n``.
        """
        point = self.default if point is None else point
        if point.kind == "threshold":
            return np.full(shape.shape, point.score)
        if self.calibration is None:
            raise NotCalibratedError(path=self.model)
        limits = _limits(self.calibration, shape, point) - self.calibration.snr_shifts(shape.snr_db)
        return np.asarray(limits + self.shift)

    def accepts(
        self, scores: ArrayLike, shape: TrialShape, point: OperatingPoint | None = None
    ) -> NDArray[np.bool_]:
        """Whether scores reach their thresholds.

        Parameters
        ----------
        scores : array_like
            Cosines.
        shape, point
            As in `thresholds`, which also says what is raised.

        Returns
        -------
        ndarray of bool, of the shape of the trials
        """
        return np.asarray(np.asarray(scores) >= self.thresholds(shape, point), dtype=np.bool_)

    def llrs(self, scores: ArrayLike, shape: TrialShape) -> NDArray[np.float64] | None:
        """Natural-log likelihood ratios of same over different person, by the model's own calibration.

        The store's shift moves where to decide, not what a score says.

        Parameters
        ----------
        scores : array_like
            Cosines.
        shape : TrialShape

        Returns
        -------
        ndarray of float64, of the shape of the trials, or None
            None without a calibration.
        """
        if self.calibration is None:
            return None
        shifted = np.asarray(scores, dtype=np.float64) + self.calibration.snr_shifts(shape.snr_db)
        return self.calibration.llrs(shifted, n_enroll=shape.n_enroll, seconds=shape.seconds)

    def resolves(self, shape: TrialShape, point: OperatingPoint | None = None) -> bool:
        """Whether the calibration's trials were enough to measure every threshold.

        Parameters
        ----------
        shape, point
            As in `thresholds`.

        Returns
        -------
        bool
            True of points that are no false-accept rate.
        """
        point = self.default if point is None else point
        if point.kind != "far":
            return True
        if self.calibration is None:
            raise NotCalibratedError(path=self.model)
        rate = point.p_fa / point.people
        return self.calibration.resolves(rate, n_enroll=shape.n_enroll, seconds=shape.seconds)


def _limits(calibration: Calibration, shape: TrialShape, point: OperatingPoint) -> NDArray[np.float64]:
    """Thresholds of the card, for test clips of the reference noise."""
    if point.kind == "cost":
        needed = math.log(point.c_fa * point.people * (1.0 - point.p_target) / point.p_target)
        return calibration.scores_at(needed, n_enroll=shape.n_enroll, seconds=shape.seconds)
    if point.kind == "eer":
        return calibration.interpolate(
            lambda cell: _equal_errors(cell, point.people), n_enroll=shape.n_enroll, seconds=shape.seconds
        )
    rate = point.p_fa / point.people
    return calibration.thresholds(p_fa=rate, n_enroll=shape.n_enroll, seconds=shape.seconds)


def _equal_errors(cell: CalibrationCell, people: int) -> float:
    """The threshold at the EER; among more people, that for the EER divided by their number."""
    if people == 1:
        return cell.eer_threshold
    rate = max(cell.eer, 1.0 / cell.n_nontarget) / people
    return max(cell.eer_threshold, cell.threshold(rate))
