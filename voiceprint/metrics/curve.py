"""Errors at every threshold: the curve that all measures are read from."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics.checks import finite_scores

_HULL_LOOP_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DetCurve:
    """Errors at every threshold that changes a decision, from accepting all trials to rejecting all.

    Parameters
    ----------
    thresholds : ndarray of shape (m,), float
        Rising; the last is ``inf``, beyond every score.
    misses : ndarray of shape (m,), int64
        Targets with a score below the threshold; rises from 0 to `n_target`.
    false_accepts : ndarray of shape (m,), int64
        Nontargets with a score at or above the threshold; falls from `n_nontarget` to 0.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> curve = det_curve([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.0, 2.0])
    >>> curve.thresholds
    array([-1.,  0.,  1.,  2.,  3.,  4., inf])
    >>> curve.misses, curve.false_accepts
    (array([0, 0, 0, 1, 2, 3, 4]), array([4, 3, 2, 1, 0, 0, 0]))
    """

    thresholds: NDArray[np.floating]
    misses: NDArray[np.int64]
    false_accepts: NDArray[np.int64]
    n_target: int
    n_nontarget: int

    @property
    def p_miss(self) -> NDArray[np.float64]:
        """Miss rate at each threshold, shape (m,).

        Examples
        --------
        >>> from voiceprint.metrics import det_curve
        >>> curve = det_curve([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.0, 2.0])
        >>> curve.p_miss
        array([0.  , 0.  , 0.  , 0.25, 0.5 , 0.75, 1.  ])
        """
        return self.misses / self.n_target

    @property
    def p_fa(self) -> NDArray[np.float64]:
        """False-accept rate at each threshold, shape (m,).

        Examples
        --------
        >>> from voiceprint.metrics import det_curve
        >>> curve = det_curve([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.0, 2.0])
        >>> curve.p_fa
        array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  , 0.  ])
        """
        return self.false_accepts / self.n_nontarget

    def at(self, index: NDArray[np.integer] | slice) -> DetCurve:
        """Keep only the points at `index`.

        Examples
        --------
        >>> from voiceprint.metrics import det_curve
        >>> curve = det_curve([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.0, 2.0])
        >>> curve.at(slice(2, 4)).thresholds
        array([1., 2.])
        """
        return DetCurve(
            thresholds=self.thresholds[index],
            misses=self.misses[index],
            false_accepts=self.false_accepts[index],
            n_target=self.n_target,
            n_nontarget=self.n_nontarget,
        )


def det_curve(targets: ArrayLike, nontargets: ArrayLike) -> DetCurve:
    """Count both errors at every threshold, with one sort.

    Parameters
    ----------
    targets : array_like of shape (n_target,)
        Scores of trials of one person.
    nontargets : array_like of shape (n_nontarget,)
        Scores of trials of two people.

    Returns
    -------
    DetCurve
        One point per distinct score, and one beyond the highest.

    Raises
    ------
    TrialError
        If either kind has no trial, or a score is not finite.

    Examples
    --------
    >>> curve = det_curve([0.9, 0.5], [0.1, 0.5])
    >>> curve.p_miss.tolist(), curve.p_fa.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    target, nontarget = finite_scores(targets, "target"), finite_scores(nontargets, "nontarget")
    # The sentinel becomes the last point, at which everything is rejected.
    scores = np.concatenate([target, nontarget, np.array([np.inf], dtype=target.dtype)])
    order = np.argsort(scores)
    scores = scores[order]
    is_target = order < len(target)
    del order  # of 10 million trials it is 80 MB
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    misses: NDArray[np.int64] = np.cumsum(is_target, dtype=np.int64)[starts]
    misses -= is_target[starts]
    thresholds = scores[starts]
    del scores, is_target
    false_accepts = len(nontarget) + misses
    false_accepts -= starts
    return DetCurve(
        thresholds=thresholds,
        misses=misses,
        false_accepts=false_accepts,
        n_target=len(target),
        n_nontarget=len(nontarget),
    )


def corners(curve: DetCurve) -> DetCurve:
    """Keep the points at which a curve starts, turns or ends.

    What is left out lies on the straight line between its neighbours: rates, costs and areas stay the same.
    """
    same_x = curve.false_accepts[1:] == curve.false_accepts[:-1]
    same_y = curve.misses[1:] == curve.misses[:-1]
    moves = ~(same_x & same_y)
    flat, steep = same_y[moves], same_x[moves]
    straight = (flat[1:] & flat[:-1]) | (steep[1:] & steep[:-1])
    kept = np.ones(len(curve.misses), dtype=np.bool_)
    # The point after each move; the last move ends the curve.
    kept[1:] = moves
    kept[1:][moves] = np.append(~straight, True)
    return curve.at(np.flatnonzero(kept))


def convex_hull(curve: DetCurve) -> DetCurve:
    """Keep the points of a curve that are best for some prior and costs: the ROC convex hull.

    Between two of them the best calibration of the scores is constant (isotonic regression, PAV).

    Returns
    -------
    DetCurve
        From accepting everything to rejecting everything.

    Examples
    --------
    >>> curve = det_curve([1.0, 2.0, 3.0], [0.0, 1.5, 2.5])
    >>> len(curve.thresholds), len(convex_hull(curve).thresholds)
    (7, 4)
    """
    points = corners(curve)
    while len(points.misses) > _HULL_LOOP_SIZE:
        kept = points.at(np.flatnonzero(_below_chord(points)))
        shrunk = len(kept.misses) < 0.8 * len(points.misses)
        points = kept
        if not shrunk:
            break
    return points.at(np.array(_lower_hull(points)))


def det_points(curve: DetCurve, *, limit: int = 500) -> DetCurve:
    """Thin a curve for drawing: at most `limit` points, evenly spread over a DET plot's normal-deviate axes.

    Parameters
    ----------
    limit : int
        Most points to keep, at least 4.

    Returns
    -------
    DetCurve
        The first and last point are kept.

    Raises
    ------
    TrialError
        If `limit` is under 4.

    Examples
    --------
    >>> from voiceprint.metrics import det_curve
    >>> curve = det_curve(np.linspace(0, 2, 2000), np.linspace(-1, 1, 2000))
    >>> len(det_points(curve, limit=100).thresholds) <= 100
    True
    """
    if limit < 4:
        raise TrialError(f"a DET curve cannot be drawn with {limit} points; ask for at least 4")
    rates = np.array([NormalDist().cdf(z) for z in np.linspace(-5.0, 5.0, (limit - 2) // 2)])
    by_miss = np.searchsorted(curve.misses, rates * curve.n_target)
    by_fa = np.searchsorted(-curve.false_accepts, -rates * curve.n_nontarget)
    last = len(curve.thresholds) - 1
    return curve.at(
        np.unique(np.concatenate([[0, last], np.minimum(by_miss, last), np.minimum(by_fa, last)]))
    )


def _below_chord(curve: DetCurve) -> NDArray[np.bool_]:
    """Which points lie strictly below the line between their neighbours; vertices of the hull always do."""
    dx, dy = -np.diff(curve.false_accepts), np.diff(curve.misses)
    return np.concatenate([[True], dx[:-1] * dy[1:] > dy[:-1] * dx[1:], [True]])


def _lower_hull(curve: DetCurve) -> list[int]:
    """Vertices of the hull, by a monotone chain (Andrew 1979) that is exact in whole numbers."""
    x, y = (-curve.false_accepts).tolist(), curve.misses.tolist()
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1 and _turns_right(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    return hull


def _turns_right(x: list[int], y: list[int], a: int, b: int, c: int) -> bool:
    return (x[b] - x[a]) * (y[c] - y[b]) <= (y[b] - y[a]) * (x[c] - x[b])
