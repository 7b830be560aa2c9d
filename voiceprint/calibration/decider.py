"""Decider: the one way from a score to a likelihood ratio and a verdict, for one trial or a million."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.cell import CalibrationCell
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.open_set import OpenSet, mean_of_nearest
from voiceprint.calibration.operating_point import OperatingPoint
from voiceprint.calibration.promise import Shortfall, find_shortfall
from voiceprint.errors import NotCalibratedError


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
    rivals : float or array_like, optional
        In a search, what `Decider.rivals` makes of everybody's scores but the best; None where not known.
    recording : bool
        Whether one of several speakers of a recording is compared, not who speaks a clip.

    Examples
    --------
    >>> decider = model.decider()
    >>> few, many = (float(decider.thresholds(TrialShape(n_enroll=n, seconds=3.0))) for n in (1, 10))
    >>> few < many  # averaging raises the scores of the right person
    True
    """

    n_enroll: ArrayLike
    seconds: ArrayLike
    snr_db: ArrayLike | None = None
    rivals: ArrayLike | None = None
    recording: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that its fields broadcast to; ``()`` for one trial.

        Examples
        --------
        >>> from voiceprint.calibration import TrialShape
        >>> TrialShape(n_enroll=[[1], [3]], seconds=[1.0, 2.0, 3.0]).shape
        (2, 3)
        """
        known = (each for each in (self.snr_db, self.rivals) if each is not None)
        return np.broadcast_shapes(*(np.shape(each) for each in (self.n_enroll, self.seconds, *known)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Thresholds, likelihood ratios and verdicts of one model, maybe in one store.

    A given threshold is taken as it is. Every other one comes from the calibration, less what is added to a
    score for noise in the test clip and for a recording of several people, plus the store's shift. A score at
    the threshold is accepted.

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
    open_set : OpenSet, optional
        How a search among several people decides by rate; without it each of N by the Nth part of the rate.
    cohort : ndarray of shape (n, dim), float32, optional
        Voices that come with the model, unit length: rivals of whoever is best.

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
    open_set: OpenSet | None = None
    cohort: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    def rivals(self, embeddings: NDArray[np.float32], others: ArrayLike) -> NDArray[np.float64] | None:
        """Score the rivals of the best of several people, for `TrialShape.rivals`.

        Parameters
        ----------
        embeddings : ndarray of shape (..., dim), float32
            Of the test clips.
        others : array_like of shape (..., n)
            Scores of the enrolled people but the best; the nearest of them suffice, n may be 0.

        Returns
        -------
        ndarray of shape (...), float64, or None
            Mean score of the nearest of these people and of the model's cohort; None where they do not count.

        Examples
        --------
        >>> embedding = model.embed([clip])[0]
        >>> alone, among = model.decider().rivals(embedding, []), model.decider().rivals(embedding, [0.9])
        >>> bool(among > alone)  # somebody who is nearly as near makes a name less certain
        True
        """
        if self.open_set is None or self.cohort is None:
            return None
        every = np.concatenate([np.asarray(others, dtype=np.float64), embeddings @ self.cohort.T], axis=-1)
        return mean_of_nearest(every, self.open_set.nearest)

    def thresholds(self, shape: TrialShape, point: OperatingPoint | None = None) -> NDArray[np.float64]:
        """Lowest scores that are accepted.

        Parameters
        ----------
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

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> from voiceprint.calibration import TrialShape
        >>> shape = TrialShape(n_enroll=3, seconds=[1.0, 3.0])
        >>> model.decider().thresholds(shape, OperatingPoint.threshold(0.5))
        array([0.5, 0.5])
        """
        point = self.default if point is None else point
        if point.kind == "threshold":
            return np.full(shape.shape, point.score)
        calibration = self._calibration
        if self.open_set is not None and self._searches(shape, point):
            limits = _search_limits(calibration, self.open_set, shape, point)
        else:
            limits = _limits(calibration, shape, point)
        return np.asarray(limits - _added(calibration, shape) + self.shift)

    def _searches(self, shape: TrialShape, point: OperatingPoint) -> bool:
        """Whether it is decided over rivals, where the model can."""
        return shape.rivals is not None and point.kind == "far" and point.people > 1

    @property
    def _calibration(self) -> Calibration:
        if self.calibration is None:
            raise NotCalibratedError(path=self.model)
        return self.calibration

    def accepts(
        self, scores: ArrayLike, shape: TrialShape, point: OperatingPoint | None = None
    ) -> NDArray[np.bool_]:
        """Whether scores reach their thresholds: bool, of the shape of the trials.

        Parameters
        ----------
        scores : array_like
            Cosines.
        shape, point
            As in `thresholds`, which also says what is raised.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> from voiceprint.calibration import TrialShape
        >>> shape = TrialShape(n_enroll=3, seconds=3.0)
        >>> model.decider().accepts([0.5, 0.49], shape, OperatingPoint.threshold(0.5))
        array([ True, False])
        """
        return np.asarray(np.asarray(scores) >= self.thresholds(shape, point), dtype=np.bool_)

    def llrs(self, scores: ArrayLike, shape: TrialShape) -> NDArray[np.float64] | None:
        """Natural-log likelihood ratios of same over different person, by the model's own calibration.

        The store's shift moves where to decide, not what a score says.

        Parameters
        ----------
        scores : array_like
            Cosines.

        Returns
        -------
        ndarray of float64, of the shape of the trials, or None
            None without a calibration.

        Examples
        --------
        >>> from voiceprint.calibration import TrialShape
        >>> low, high = model.decider().llrs([0.0, 0.9], TrialShape(n_enroll=3, seconds=3.0))
        >>> bool(low < 0.0 < high)
        True
        """
        if self.calibration is None:
            return None
        shifted = np.asarray(scores, dtype=np.float64) + _added(self.calibration, shape)
        return self.calibration.llrs(shifted, n_enroll=shape.n_enroll, seconds=shape.seconds)

    def shortfall(self, shape: TrialShape, point: OperatingPoint | None = None) -> Shortfall | None:
        """Say what one trial's clip lacks for the false-accept rate to be promised.

        Parameters
        ----------
        point : OperatingPoint, optional
            As in `thresholds`. Among several people its rate is that of the whole search.

        Returns
        -------
        Shortfall or None
            None where the rate is promised, without a calibration, and at points that are no rate.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> from voiceprint.calibration import TrialShape
        >>> short = model.decider().shortfall(TrialShape(n_enroll=1, seconds=0.5), OperatingPoint.far(0.0001))
        >>> short.held_far > 0.0001  # half a second of speech cannot keep so low a rate
        True
        """
        point = self.default if point is None else point
        if point.kind != "far" or self.calibration is None:
            return None
        return find_shortfall(
            self.calibration,
            point.p_fa,
            n_enroll=int(np.asarray(shape.n_enroll)),
            seconds=float(np.asarray(shape.seconds)),
        )

    def p_miss(self, shape: TrialShape, point: OperatingPoint | None = None) -> NDArray[np.float64] | None:
        """Miss rates to expect: of the clips of an enrolled person, those that do not reach the threshold.

        Parameters
        ----------
        shape, point
            As in `thresholds`.

        Returns
        -------
        ndarray of float64, of the shape of the trials, or None
            On the people whom the calibration was fitted to, at the model's thresholds. None without a
            calibration, and at points that are no false-accept rate.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> from voiceprint.calibration import TrialShape
        >>> shape = TrialShape(n_enroll=3, seconds=3.0)
        >>> strict = model.decider().p_miss(shape, OperatingPoint.far(0.001))
        >>> bool(strict > model.decider().p_miss(shape, OperatingPoint.far(0.05)))
        True
        """
        point = self.default if point is None else point
        if point.kind != "far" or self.calibration is None:
            return None
        trials = {"n_enroll": shape.n_enroll, "seconds": shape.seconds}
        if self.open_set is None or self.cohort is None:
            return self.calibration.p_miss(p_fa=point.p_fa / point.people, **trials)
        share = self.open_set.share(point.people)
        claim = self.calibration.p_miss(p_fa=point.p_fa, **trials)
        search = self.open_set.grid.p_miss(p_fa=point.p_fa, **trials)
        return np.asarray((1.0 - share) * claim + share * search)

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

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> from voiceprint.calibration import TrialShape
        >>> model.decider().resolves(TrialShape(n_enroll=3, seconds=3.0), OperatingPoint.far(0.05))
        True
        """
        point = self.default if point is None else point
        if point.kind != "far":
            return True
        calibration, rate = self._calibration, point.p_fa / point.people
        if self.open_set is not None and self._searches(shape, point):
            calibration, rate = self.open_set.grid, point.p_fa
        return calibration.resolves(rate, n_enroll=shape.n_enroll, seconds=shape.seconds)


def _added(calibration: Calibration, shape: TrialShape) -> NDArray[np.float64]:
    """What to add to scores for how they were recorded."""
    return calibration.snr_shifts(shape.snr_db) + (calibration.recording if shape.recording else 0.0)


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


def _search_limits(
    calibration: Calibration, open_set: OpenSet, shape: TrialShape, point: OperatingPoint
) -> NDArray[np.float64]:
    """Thresholds over rivals; with few people they go over into those of a claim."""
    share = open_set.share(point.people)
    claim = calibration.thresholds(p_fa=point.p_fa, n_enroll=shape.n_enroll, seconds=shape.seconds)
    rivals = 0.0 if shape.rivals is None else shape.rivals
    search = open_set.thresholds(
        p_fa=point.p_fa, rivals=rivals, n_enroll=shape.n_enroll, seconds=shape.seconds
    )
    return np.asarray((1.0 - share) * claim + share * search)
