"""Scores and cells made for the tests of calibration."""

import numpy as np
from numpy.typing import ArrayLike

from voiceprint.calibration import (
    Calibration,
    CalibrationCell,
    CellScores,
    MeasuredPoint,
)

ANY_SHA256 = "0" * 64


def scores(
    targets: ArrayLike,
    nontargets: ArrayLike,
    *,
    n_enroll: int = 1,
    seconds: float = 2.0,
    n_speakers: int = 100,
    n_pairs: int = 4950,
) -> CellScores:
    return CellScores(
        n_enroll=n_enroll,
        seconds=seconds,
        targets=np.asarray(targets, dtype=np.float64),
        nontargets=np.asarray(nontargets, dtype=np.float64),
        n_speakers=n_speakers,
        n_pairs=n_pairs,
    )


def gaussian_scores(
    rng: np.random.Generator,
    *,
    n_enroll: int = 1,
    seconds: float = 2.0,
    n_target: int = 500,
    n_nontarget: int = 50_000,
) -> CellScores:
    return scores(
        rng.normal(0.5, 0.1, n_target), rng.normal(0.1, 0.1, n_nontarget), n_enroll=n_enroll, seconds=seconds
    )


def shifted(*, shift: float, n: int, n_pairs: int, seed: int = 0) -> CellScores:
    rng = np.random.default_rng(seed)
    targets, nontargets = rng.normal(0.7, 0.1, 500), rng.normal(shift, 0.1, n)
    return scores(targets, nontargets, n_speakers=40, n_pairs=n_pairs)


def cell(
    n_enroll: int = 1, seconds: float = 1.0, *, shift: float = 0.0, slope: float = 10.0
) -> CalibrationCell:
    points = [(0.05, 0.1, 0.3), (0.01, 0.2, 0.4), (0.001, 0.5, 0.5)]
    return CalibrationCell(
        n_enroll=n_enroll,
        seconds=seconds,
        slope=slope,
        offset=-4.0,
        eer=0.07,
        eer_threshold=0.25 + shift,
        points=tuple(
            MeasuredPoint(p_fa=p_fa, p_miss=p_miss, threshold=threshold + shift, resolved=p_fa >= 0.01)
            for p_fa, p_miss, threshold in points
        ),
        tail=0.05,
        n_target=100,
        n_nontarget=10_000,
        n_speakers=50,
        n_pairs=1225,
    )


def grid() -> Calibration:
    cells = (
        cell(1, 1.0),
        cell(1, 4.0, shift=0.04, slope=12.0),
        cell(4, 1.0, shift=0.1, slope=14.0),
        cell(4, 4.0, shift=0.14, slope=16.0),
    )
    return Calibration(cells=cells, p_target=0.5, fingerprint=ANY_SHA256)
