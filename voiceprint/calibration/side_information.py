"""Fit what the noise in a test clip says beside its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration.fitting import CellScores
from voiceprint.calibration.noise import SnrTerm
from voiceprint.calibration.ratios import fit_logistic
from voiceprint.errors import CalibrationError

_RANGE = (5.0, 95.0)  # percentiles; what is rarer says nothing


def fit_snr(cells: Sequence[CellScores], *, p_target: float = 0.5) -> SnrTerm:
    """Fit by how much a score is worth more or less for each dB of signal-to-noise ratio.

    In each cell the SNR is a column of logistic regression beside the score; its weight over that of the
    score is a score per dB. The median over the cells is taken, so that no shape of trial decides alone.

    Parameters
    ----------
    cells : sequence of CellScores
        With the SNR of every trial's test clip, NaN where it is not known.
    p_target : float
        As in `fit_calibration`.

    Raises
    ------
    CalibrationError
        If a cell does not have it, or it is the same in every trial.
    """
    known = np.concatenate([side[np.isfinite(side)] for cell in cells for side in _sides(cell)])
    if not len(known) or np.ptp(known) == 0.0:
        raise CalibrationError(
            "the signal-to-noise ratio is unknown, or the same in every clip; leave it out of the side "
            "information"
        )
    low, reference, high = np.percentile(known, [_RANGE[0], 50.0, _RANGE[1]])
    # With a gain of 1, shifts are dB from the reference.
    term = SnrTerm(gain=1.0, reference_db=float(reference), low_db=float(low), high_db=float(high))
    gains = [_gain(cell, term, p_target) for cell in cells]
    return replace(term, gain=float(np.median(gains)))


def shifted(cell: CellScores, term: SnrTerm) -> CellScores:
    """Scores with what the noise in their test clips adds to them."""
    target_snr, nontarget_snr = _sides(cell)
    return replace(
        cell,
        targets=cell.targets + term.shifts(target_snr),
        nontargets=cell.nontargets + term.shifts(nontarget_snr),
    )


def _gain(cell: CellScores, term: SnrTerm, p_target: float) -> float:
    target_side, nontarget_side = (term.shifts(side)[:, None] for side in _sides(cell))
    fitted = fit_logistic(
        cell.targets,
        cell.nontargets,
        p_target=p_target,
        target_side=target_side,
        nontarget_side=nontarget_side,
    )
    return fitted.side_weights[0] / fitted.slope


def _sides(cell: CellScores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if cell.target_snr is None or cell.nontarget_snr is None:
        raise CalibrationError(
            f"{cell.n_enroll} clips against {cell.seconds:g} s: the signal-to-noise ratio of the trials was "
            "not measured"
        )
    return cell.target_snr, cell.nontarget_snr
