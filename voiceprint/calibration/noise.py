"""How noise in the test clip moves a score: the signal-to-noise ratio as side information."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.plain import check_keys, read_number
from voiceprint.errors import CalibrationError

_FIELDS = ("gain", "reference_db", "low_db", "high_db")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnrTerm:
    """What to add to a score for the noise in the test clip, before anything else is made of it.

    Parameters
    ----------
    gain : float
        Score added for each dB above `reference_db`; below 0 where noise lowers scores, for a score
        measured in noise is then worth more.
    reference_db : float
        SNR at which a score stays as it is; so does that of a clip whose SNR is not known.
    low_db, high_db : float
        The range it was fitted on; what lies outside counts as its nearest end.

    Raises
    ------
    CalibrationError
        If a value is not finite, or the reference is not in the range.

    Examples
    --------
    >>> from voiceprint.calibration import SnrTerm
    >>> term = SnrTerm(gain=0.01, reference_db=20.0, low_db=0.0, high_db=30.0)
    >>> term.shifts(np.array([20.0, 10.0, np.nan]))
    array([ 0. , -0.1,  0. ])
    """

    gain: float
    reference_db: float
    low_db: float
    high_db: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(getattr(self, name)) for name in _FIELDS):
            raise CalibrationError(f"calibration: snr is {self}; its values must be finite")
        if not self.low_db <= self.reference_db <= self.high_db:
            raise CalibrationError(f"calibration: snr is {self}; the reference must be in the range")

    def shifts(self, snr_db: ArrayLike) -> NDArray[np.float64]:
        """What to add to scores (n,), float64.

        Parameters
        ----------
        snr_db : array_like of shape (n,)
            Of the test clips; NaN where it is not known.
        """
        known = np.clip(np.asarray(snr_db, dtype=np.float64), self.low_db, self.high_db)
        return self.gain * np.nan_to_num(known - self.reference_db, nan=0.0)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, as they stand in model.toml."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SnrTerm:
        """Read and check what `to_dict` wrote."""
        check_keys(data, _FIELDS, "calibration: snr")
        return cls(**{name: read_number(data[name], f"calibration: snr: {name}") for name in _FIELDS})
