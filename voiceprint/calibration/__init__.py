"""From a score to evidence (a log-likelihood ratio) and to a decision (a threshold).

- `fit_calibration` turns development scores (`CellScores`) into a `Calibration`, which a model's card
  carries; `fit_pooled` does it for several corpora.
- `Calibration` answers for any number of enrollment clips and seconds of speech.
- `OperatingPoint` says where to decide, `TrialShape` what a trial is, and `Decider` is the one way from a
  score to a verdict.
- `fit_logistic` and `fit_isotonic` calibrate a list of scores without the grid, for analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.calibration.cell import CalibrationCell, MeasuredPoint
    from voiceprint.calibration.decider import Decider, TrialShape
    from voiceprint.calibration.fitting import CellScores, Method, fit_calibration, fit_cell
    from voiceprint.calibration.grid import Calibration
    from voiceprint.calibration.noise import SnrTerm
    from voiceprint.calibration.open_set import OpenSet, mean_of_nearest
    from voiceprint.calibration.operating_point import DEFAULT_FAR, MAX_FAR, OperatingPoint
    from voiceprint.calibration.pooling import MOST_ON_ONE, fit_pooled, lend_cells, pool_cells
    from voiceprint.calibration.promise import MOST_MISSED, PROMISED_RATES, Shortfall, find_shortfall
    from voiceprint.calibration.ratios import (
        IsotonicCalibration,
        LogisticCalibration,
        fit_isotonic,
        fit_logistic,
    )
    from voiceprint.calibration.side_information import fit_snr

__all__ = [
    "DEFAULT_FAR",
    "MAX_FAR",
    "MOST_MISSED",
    "MOST_ON_ONE",
    "PROMISED_RATES",
    "Calibration",
    "CalibrationCell",
    "CellScores",
    "Decider",
    "IsotonicCalibration",
    "LogisticCalibration",
    "MeasuredPoint",
    "Method",
    "OpenSet",
    "OperatingPoint",
    "Shortfall",
    "SnrTerm",
    "TrialShape",
    "find_shortfall",
    "fit_calibration",
    "fit_cell",
    "fit_isotonic",
    "fit_logistic",
    "fit_pooled",
    "fit_snr",
    "lend_cells",
    "mean_of_nearest",
    "pool_cells",
]

__getattr__ = front_page(
    __name__,
    {
        "cell": ("CalibrationCell", "MeasuredPoint"),
        "decider": ("Decider", "TrialShape"),
        "fitting": ("CellScores", "Method", "fit_calibration", "fit_cell"),
        "grid": ("Calibration",),
        "noise": ("SnrTerm",),
        "open_set": ("OpenSet", "mean_of_nearest"),
        "operating_point": ("DEFAULT_FAR", "MAX_FAR", "OperatingPoint"),
        "pooling": ("MOST_ON_ONE", "fit_pooled", "lend_cells", "pool_cells"),
        "promise": ("MOST_MISSED", "PROMISED_RATES", "Shortfall", "find_shortfall"),
        "ratios": ("IsotonicCalibration", "LogisticCalibration", "fit_isotonic", "fit_logistic"),
        "side_information": ("fit_snr",),
    },
)
