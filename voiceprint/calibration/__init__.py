"""From a score to evidence (a log-likelihood ratio) and to a decision (a threshold).

- `fit_calibration` turns development scores (`CellScores`) into a `Calibration`, which a model's card
  carries; `fit_pooled` does it for several corpora.
- `Calibration` answers for any number of enrollment clips and seconds of speech.
- `OperatingPoint` says where to decide, `TrialShape` what a trial is, and `Decider` is the one way from a
  score to a verdict.
- `fit_logistic` and `fit_isotonic` calibrate a list of scores without the grid, for analysis.
"""

from voiceprint.calibration.cell import CalibrationCell, MeasuredPoint
from voiceprint.calibration.decider import Decider, TrialShape
from voiceprint.calibration.fitting import CellScores, Method, fit_calibration, fit_cell
from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.noise import SnrTerm
from voiceprint.calibration.operating_point import DEFAULT_FAR, MAX_FAR, OperatingPoint
from voiceprint.calibration.pooling import MOST_ON_ONE, fit_pooled, lend_cells, pool_cells
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
    "MOST_ON_ONE",
    "Calibration",
    "CalibrationCell",
    "CellScores",
    "Decider",
    "IsotonicCalibration",
    "LogisticCalibration",
    "MeasuredPoint",
    "Method",
    "OperatingPoint",
    "SnrTerm",
    "TrialShape",
    "fit_calibration",
    "fit_cell",
    "fit_isotonic",
    "fit_logistic",
    "fit_pooled",
    "fit_snr",
    "lend_cells",
    "pool_cells",
]
