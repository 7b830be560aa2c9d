"""Fit one calibration to several corpora, none of which may break the promise that the others keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration.cell import CalibrationCell
from voiceprint.calibration.fitting import (
    FITTED_RATES,
    CellScores,
    Method,
    fit_calibration,
    strict_thresholds,
)
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.side_information import fit_snr, shifted

MOST_ON_ONE = 1.5
"""How many times the rate of all corpora together one of them may have, where claims are decided."""

_NEAR = 2.0
"""Doublings of clips or seconds over which trials are lent."""


def fit_pooled(
    corpora: Mapping[str, Sequence[CellScores]],
    *,
    p_target: float = 0.5,
    rates: Sequence[float] = FITTED_RATES,
    method: Method = "logistic",
    snr: bool = False,
    most_on_one: float = MOST_ON_ONE,
    fingerprint: str | None = None,
) -> Calibration:
    """Fit to the trials of several corpora together, and hold the false-accept rates on each of them alone.

    Likelihood ratios and equal error rates are those of all trials. So is a threshold for a false-accept
    rate, unless it lets `most_on_one` times the rate pass on one of the corpora: then it is raised to what
    that corpus needs for so much. A corpus of many easy trials would otherwise hide how often impostors are
    accepted in a small, harder one. Below the rates that it measures, its own tail goes on
    (`strict_thresholds`); a corpus too small for that has no say. Where its people have too few clips for a
    shape, it lends the trials of its nearest one (`lend_cells`).

    Parameters
    ----------
    corpora : mapping of str to sequence of CellScores
        As `calibration_trials` gives them: name -> cells; a shape may be missing from some.
    p_target, rates, method, fingerprint
        As in `fit_calibration`.
    snr : bool
        Also fit what the noise in a test clip says beside its score (`fit_snr`).
    most_on_one : float
        How many times the rate of all corpora together one of them may have.

    Raises
    ------
    CalibrationError
        As in `fit_calibration`.
    """
    every = [cell for cells in lend_cells(corpora).values() for cell in cells]
    term = (
        fit_snr([pool_cells(group) for group in _by_shape(every).values()], p_target=p_target)
        if snr
        else None
    )
    groups = _by_shape(every if term is None else [shifted(cell, term) for cell in every])
    fitted = fit_calibration(
        map(pool_cells, groups.values()),
        p_target=p_target,
        rates=rates,
        method=method,
        fingerprint=fingerprint,
    )
    return replace(
        fitted,
        snr=term,
        cells=tuple(
            _hold_on_each(cell, groups[cell.n_enroll, cell.seconds], most_on_one) for cell in fitted.cells
        ),
    )


def lend_cells(corpora: Mapping[str, Sequence[CellScores]]) -> dict[str, tuple[CellScores, ...]]:
    """Add to each corpus the shapes of trial that others have and it lacks, where it has one that is near.

    Corpora differ in how many clips a person has. If a shape were fitted to fewer corpora than its
    neighbour, thresholds would jump from one to the other. So a corpus lends the trials of its nearest shape:
    mean and spread of either kind of trial are moved as they move, between the two shapes, in the corpora
    that have both.

    Parameters
    ----------
    corpora : mapping of str to sequence of CellScores
        Name -> cells.

    Returns
    -------
    dict of str to tuple of CellScores
        The same cells, and the lent ones.

    Examples
    --------
    >>> from voiceprint.calibration import CellScores, lend_cells
    >>> def cell(n_enroll, score):
    ...     return CellScores(
    ...         n_enroll=n_enroll,
    ...         seconds=3.0,
    ...         targets=np.array([0.8]),
    ...         nontargets=np.array([score]),
    ...         n_speakers=2,
    ...         n_pairs=1,
    ...     )
    >>> lent = lend_cells({"rich": [cell(1, 0.1), cell(2, 0.2)], "poor": [cell(1, 0.3)]})
    >>> [(each.n_enroll, float(each.nontargets[0])) for each in lent["poor"]]  # 0.1 more, as in the other
    [(1, 0.3), (2, 0.4)]
    """
    shapes = {
        name: {(cell.n_enroll, cell.seconds): cell for cell in cells} for name, cells in corpora.items()
    }
    every = sorted(set().union(*shapes.values()))
    return {
        name: (*corpora[name], *(c for c in (_lent(shapes, name, shape) for shape in every) if c is not None))
        for name in corpora
    }


Shape = tuple[int, float]


def _lent(corpora: Mapping[str, Mapping[Shape, CellScores]], name: str, to: Shape) -> CellScores | None:
    """What a corpus lends for a shape; None where it has that shape, or none that is near."""
    mine = corpora[name]
    if to in mine:
        return None
    near = sorted((_distance(shape, to), shape) for shape in mine if _distance(shape, to) <= _NEAR)
    for _, shape in near:
        both = [(of[shape], of[to]) for of in corpora.values() if shape in of and to in of]
        if both:
            return replace(
                mine[shape],
                n_enroll=to[0],
                seconds=to[1],
                targets=_moved_as(mine[shape].targets, [(a.targets, b.targets) for a, b in both]),
                nontargets=_moved_as(mine[shape].nontargets, [(a.nontargets, b.nontargets) for a, b in both]),
            )
    return None


def _distance(a: Shape, b: Shape) -> float:
    """How many doublings of clips or of seconds, whichever are more, part two shapes."""
    return max(abs(math.log2(a[0] / b[0])), abs(math.log2(a[1] / b[1])))


def _moved_as(
    scores: NDArray[np.floating], shared: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
) -> NDArray[np.floating]:
    """Move mean and spread of scores as they move in the shared pairs, on average."""
    shift = float(np.mean([b.mean() - a.mean() for a, b in shared]))
    spread = float(np.mean([b.std() / max(a.std(), 1e-9) for a, b in shared]))
    mean = scores.mean()
    return np.asarray(mean + shift + spread * (scores - mean))


def _by_shape(cells: Iterable[CellScores]) -> dict[Shape, list[CellScores]]:
    groups: dict[Shape, list[CellScores]] = {}
    for cell in cells:
        groups.setdefault((cell.n_enroll, cell.seconds), []).append(cell)
    return groups


def pool_cells(cells: Sequence[CellScores]) -> CellScores:
    """Join the trials of one shape from corpora that share no speaker.

    Parameters
    ----------
    cells : sequence of CellScores
        At least one, all of one shape.

    Examples
    --------
    >>> from voiceprint.calibration import CellScores, pool_cells
    >>> one, other = (
    ...     CellScores(
    ...         n_enroll=1,
    ...         seconds=3.0,
    ...         targets=np.array([0.8]),
    ...         nontargets=np.array([score]),
    ...         n_speakers=2,
    ...         n_pairs=1,
    ...     )
    ...     for score in (0.1, 0.2)
    ... )
    >>> both = pool_cells([one, other])
    >>> both.nontargets, both.n_speakers
    (array([0.1, 0.2]), 4)
    """
    return CellScores(
        n_enroll=cells[0].n_enroll,
        seconds=cells[0].seconds,
        targets=np.concatenate([cell.targets for cell in cells]),
        nontargets=np.concatenate([cell.nontargets for cell in cells]),
        n_speakers=sum(cell.n_speakers for cell in cells),
        n_pairs=sum(cell.n_pairs for cell in cells),
        nontarget_pairs=_joined_pairs(cells),
        target_snr=_joined([cell.target_snr for cell in cells]),
        nontarget_snr=_joined([cell.nontarget_snr for cell in cells]),
    )


def _joined(sides: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """Side information of all cells; None where one has none."""
    known = [side for side in sides if side is not None]
    return np.concatenate(known) if len(known) == len(sides) else None


def _joined_pairs(cells: Sequence[CellScores]) -> NDArray[np.int64] | None:
    """Which pair each trial is of, with numbers of its own for each corpus; None where one does not know."""
    known = [cell.nontarget_pairs for cell in cells if cell.nontarget_pairs is not None]
    if len(known) < len(cells):
        return None
    first = np.cumsum([0, *(cell.n_pairs for cell in cells[:-1])])
    return np.concatenate([pairs + start for pairs, start in zip(known, first, strict=True)])


def _hold_on_each(
    pooled: CalibrationCell, corpora: Sequence[CellScores], most_on_one: float
) -> CalibrationCell:
    """Raise the thresholds of a cell to those of the corpora that are harder alone."""
    most = {point.p_fa: min(most_on_one * point.p_fa, 0.5) for point in pooled.points}
    alone = [strict_thresholds(scores, sorted(most.values())) for scores in corpora]
    strictest = [
        max([point.threshold, *(found[most[point.p_fa]] for found in alone if most[point.p_fa] in found)])
        for point in pooled.points
    ]
    targets = np.concatenate([scores.targets for scores in corpora])
    # A threshold for a lower rate is never lower, whichever corpus asks for the higher one.
    thresholds = np.maximum.accumulate(strictest)
    points = [
        replace(point, threshold=float(threshold), p_miss=float(np.mean(targets < threshold)))
        for point, threshold in zip(pooled.points, thresholds, strict=True)
    ]
    return replace(pooled, points=tuple(points))
