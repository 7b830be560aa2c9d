"""Fit one calibration to several corpora, none of which may break the promise that the others keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration.cell import CalibrationCell, MeasuredPoint
from voiceprint.calibration.fitting import (
    FITTED_RATES,
    CellScores,
    Method,
    fit_calibration,
    strict_thresholds,
)
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.side_information import fit_snr, shifted

__all__ = ["fit_pooled", "pool_cells"]


def fit_pooled(
    corpora: Mapping[str, Sequence[CellScores]],
    *,
    p_target: float = 0.5,
    rates: Sequence[float] = FITTED_RATES,
    method: Method = "logistic",
    snr: bool = False,
    fingerprint: str | None = None,
) -> Calibration:
    """Fit to the trials of several corpora together, and hold the false-accept rates on each of them alone.

    Likelihood ratios and equal error rates are those of all trials. A threshold for a false-accept rate is
    that of all trials or, where one corpus by itself asks for a higher one, that corpus's: a corpus of many
    easy trials would otherwise hide how often strangers pass in a small, harder one. A corpus has no say in
    rates that it is too small to measure.

    Parameters
    ----------
    corpora : mapping of str to sequence of CellScores
        As `calibration_trials` gives them: name -> cells; a shape may be missing from some.
    p_target, rates, method, fingerprint
        As in `fit_calibration`.
    snr : bool
        Also fit what the noise in a test clip says beside its score (`fit_snr`).

    Returns
    -------
    Calibration

    Raises
    ------
    CalibrationError
        As in `fit_calibration`.
    """
    every = [cell for cells in corpora.values() for cell in cells]
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
        cells=tuple(_hold_on_each(cell, groups[cell.n_enroll, cell.seconds]) for cell in fitted.cells),
    )


def _by_shape(cells: Iterable[CellScores]) -> dict[tuple[int, float], list[CellScores]]:
    groups: dict[tuple[int, float], list[CellScores]] = {}
    for cell in cells:
        groups.setdefault((cell.n_enroll, cell.seconds), []).append(cell)
    return groups


def pool_cells(cells: Sequence[CellScores]) -> CellScores:
    """Join the trials of one shape from corpora that share no speaker.

    Parameters
    ----------
    cells : sequence of CellScores
        At least one, all of one shape.

    Returns
    -------
    CellScores
    """
    return CellScores(
        n_enroll=cells[0].n_enroll,
        seconds=cells[0].seconds,
        targets=np.concatenate([cell.targets for cell in cells]),
        nontargets=np.concatenate([cell.nontargets for cell in cells]),
        n_speakers=sum(cell.n_speakers for cell in cells),
        n_pairs=sum(cell.n_pairs for cell in cells),
        target_snr=_joined([cell.target_snr for cell in cells]),
        nontarget_snr=_joined([cell.nontarget_snr for cell in cells]),
    )


def _joined(sides: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """Side information of all cells; None where one has none."""
    known = [side for side in sides if side is not None]
    return np.concatenate(known) if len(known) == len(sides) else None


def _hold_on_each(pooled: CalibrationCell, corpora: Sequence[CellScores]) -> CalibrationCell:
    """Raise the thresholds of a cell to those of the corpora that are harder alone."""
    alone = [strict_thresholds(scores, [point.p_fa for point in pooled.points]) for scores in corpora]
    strictest = [
        max([point.threshold, *(own[point.p_fa] for own in alone if point.p_fa in own)])
        for point in pooled.points
    ]
    targets = np.concatenate([scores.targets for scores in corpora])
    # A threshold for a lower rate is never lower, whichever corpus asks for the higher one.
    thresholds = np.maximum.accumulate(strictest)
    points = [
        _moved(point, float(threshold), targets)
        for point, threshold in zip(pooled.points, thresholds, strict=True)
    ]
    return replace(pooled, points=tuple(points))


def _moved(point: MeasuredPoint, threshold: float, targets: NDArray[np.floating]) -> MeasuredPoint:
    return replace(point, threshold=threshold, p_miss=float(np.mean(targets < threshold)))
