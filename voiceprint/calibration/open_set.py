"""OpenSet: where a search among many people decides.

Whoever is nearest to an out-of-set speaker scores the higher, the more people are enrolled and the more
alike they sound. So do their rivals: the next nearest of the enrolled, and of a cohort of voices that comes
with the model. The best score less a part of the rivals' mean, the margin, depends far less on either, so one
threshold for margins holds for stores of any size and kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.calibration.grid import Calibration
from voiceprint.calibration.plain import check_keys, read_integer, read_number
from voiceprint.errors import CalibrationError

GAIN, NEAREST = 0.4, 5
"""Part of the rivals' mean that is subtracted, and how many rivals: chosen on development speakers
(docs/development/calibration.md)."""

PEOPLE = 16
"""How many are enrolled from which on the threshold for margins is that of a search."""


def mean_of_nearest(scores: ArrayLike, nearest: int = NEAREST) -> NDArray[np.float64]:
    """Mean of the highest scores, (..., n) -> (...); of all where n is smaller.

    Examples
    --------
    >>> float(mean_of_nearest([0.5, 0.1, 0.4], nearest=2))
    0.45
    """
    every = np.asarray(scores, dtype=np.float64)
    wanted = min(nearest, every.shape[-1])
    best = np.partition(every, every.shape[-1] - wanted, axis=-1)[..., -wanted:]
    return np.asarray(best.mean(axis=-1))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSet:
    """Thresholds for the margin of the best of several people over their rivals.

    Parameters
    ----------
    grid : Calibration
        Fitted to margins in stores of many sizes and kinds; its false-accept rates are those of a search.
    people : int
        Enrolled people from which on the grid holds. Below, thresholds go over into those of a claim.
    gain : float
        Part of the rivals' mean that is subtracted from the best score, from 0 to 1.

    Raises
    ------
    CalibrationError
        If a value is out of range.

    Examples
    --------
    >>> searches = model.card.open_set
    >>> searches.people, searches.nearest
    (16, 5)
    """

    grid: Calibration
    people: int = PEOPLE
    gain: float = GAIN
    nearest: int = NEAREST

    def __post_init__(self) -> None:
        if not 0.0 <= self.gain <= 1.0:
            raise CalibrationError(f"open_set: gain is {self.gain}; it must be from 0 to 1")
        for name, least in (("nearest", 1), ("people", 2)):
            if getattr(self, name) < least:
                raise CalibrationError(
                    f"open_set: {name} is {getattr(self, name)}; it must be {least} or more"
                )

    def share(self, people: int) -> float:
        """How far so many people are from a claim (0) to a search that the grid holds for (1)."""
        return min(1.0, math.log(people) / math.log(self.people))

    def thresholds(
        self, *, p_fa: float, rivals: ArrayLike, n_enroll: ArrayLike, seconds: ArrayLike
    ) -> NDArray[np.float64]:
        """Scores at or above which the best of many people is named.

        Parameters
        ----------
        p_fa : float
            How often an out-of-set speaker may be given any name, above 0 and below 1.
        rivals : array_like
            Mean score of the rivals.
        n_enroll, seconds : array_like
            As in `Calibration.thresholds`.

        Returns
        -------
        ndarray of float64, of the shape that `rivals`, `n_enroll` and `seconds` broadcast to

        Raises
        ------
        CalibrationError
            If an argument is out of range.

        Examples
        --------
        >>> searches = model.card.open_set
        >>> far, near = searches.thresholds(p_fa=0.01, rivals=[0.1, 0.4], n_enroll=3, seconds=3.0)
        >>> bool(near > far)  # the more others are like the clip, the more is asked
        True
        """
        margins = self.grid.thresholds(p_fa=p_fa, n_enroll=n_enroll, seconds=seconds)
        return np.asarray(margins + self.gain * np.asarray(rivals, dtype=np.float64))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, as they stand in model.toml under ``[open_set]``."""
        own = {"people": self.people, "gain": self.gain, "nearest": self.nearest}
        return own | self.grid.to_dict()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OpenSet:
        """Read and check what `to_dict` wrote.

        Raises
        ------
        CalibrationError
            If a key is missing or unknown, has the wrong type, or a value is out of range.
        """
        names = ("people", "gain", "nearest")
        own = {key: value for key, value in data.items() if key in names}
        check_keys(own, names, "open_set")
        return cls(
            grid=Calibration.from_dict({key: value for key, value in data.items() if key not in own}),
            people=read_integer(own["people"], "open_set: people"),
            gain=read_number(own["gain"], "open_set: gain"),
            nearest=read_integer(own["nearest"], "open_set: nearest"),
        )
