"""How much of a recording was clipped, measured before resampling rounds the flat tops of the wave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FLAT = 1e-4  # samples this close to each other at the ceiling are the flat top of a clipped wave
_LOUD = 0.1  # -20 dBFS: a quieter recording has not been overdriven


class ClippingMeter:
    """Measures a recording that comes block by block; see `clipped_fraction`."""

    def __init__(self) -> None:
        self._peak, self._flat, self._length = 0.0, 0, 0

    def add(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples (n,) into account, and return them."""
        self._length += len(block)
        peak = float(np.abs(block).max(initial=0.0))
        if peak > self._peak + _FLAT:
            self._flat = 0
        self._peak = max(peak, self._peak)
        self._flat += _in_plateaus(block, self._peak)
        return block

    @property
    def fraction(self) -> float:
        """Fraction of the samples so far that are clipped."""
        return self._flat / self._length if self._length and self._peak >= _LOUD else 0.0


def clipped_fraction(samples: NDArray[np.float32]) -> float:
    """Return the fraction of samples (n,) in runs of two or more that sit at the clip's ceiling.

    A recording may be clipped first and turned down later, so the ceiling is the clip's peak, not full scale;
    a peak that is no plateau is a run of one sample and counts nothing.

    Examples
    --------
    >>> clipped_fraction(samples), clipped_fraction(np.clip(4 * samples, -0.5, 0.5)) > 0
    (0.0, True)
    """
    meter = ClippingMeter()
    meter.add(samples)
    return meter.fraction


def _in_plateaus(samples: NDArray[np.float32], peak: float) -> int:
    at_ceiling = np.abs(samples) >= peak - _FLAT
    flat = at_ceiling[1:] & at_ceiling[:-1] & (np.abs(np.diff(samples)) <= _FLAT)
    in_run = np.zeros(len(samples), dtype=bool)
    in_run[1:] |= flat
    in_run[:-1] |= flat
    return int(np.count_nonzero(in_run))
