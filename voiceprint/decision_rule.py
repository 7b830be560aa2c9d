"""DecisionRule: at which point of a calibration to decide where nobody says otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from voiceprint.calibration import Calibration
from voiceprint.errors import CalibrationError

__all__ = ["DEFAULT_FAR", "DecisionRule"]

DEFAULT_FAR = 0.01
"""The false-accept rate of decisions unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """What a threshold is to achieve.

    Parameters
    ----------
    kind : {'far', 'eer', 'cost'}
        A false-accept rate, equal error rates, or the least expected cost.
    p_fa : float
        Of 'far': how often a wrong person may be accepted, above 0 and below 1.
    p_target, c_fa : float
        Of 'cost': how likely a claim is true before any evidence, above 0 and below 1, and how many times as
        much a false accept costs as a false reject, above 0.

    Raises
    ------
    CalibrationError
        If a value is out of range.
    """

    kind: Literal["far", "eer", "cost"] = "far"
    p_fa: float = DEFAULT_FAR
    p_target: float = 0.5
    c_fa: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("far", "eer", "cost"):
            raise CalibrationError(f"decision: kind is {self.kind!r}; it must be far, eer or cost")
        for name in ("p_fa", "p_target"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise CalibrationError(
                    f"decision: {name} is {getattr(self, name)}; it must be above 0 and below 1"
                )
        if not 0.0 < self.c_fa < math.inf:
            raise CalibrationError(f"decision: c_fa is {self.c_fa}; it must be above 0 and finite")

    def threshold(self, calibration: Calibration, *, n_enroll: int, seconds: float) -> float:
        """Score at or above which to accept.

        Parameters
        ----------
        calibration : Calibration
        n_enroll : int
            Clips in the voiceprint.
        seconds : float
            Speech in the test clip.

        Returns
        -------
        float

        Notes
        -----
        The least expected cost is at a log-likelihood ratio of ``log(c_fa * (1 - p_target) / p_target)``
        (Bayes' decision; Brümmer and du Preez, "Application-independent evaluation of speaker detection",
        2006).
        """
        if self.kind == "far":
            return calibration.threshold(p_fa=self.p_fa, n_enroll=n_enroll, seconds=seconds)
        if self.kind == "eer":
            return calibration.threshold(n_enroll=n_enroll, seconds=seconds)
        needed = math.log(self.c_fa * (1.0 - self.p_target) / self.p_target)
        return calibration.score_at(needed, n_enroll=n_enroll, seconds=seconds)

    def __str__(self) -> str:
        """Say it in words."""
        if self.kind == "far":
            return f"false-accept rate {100 * self.p_fa:g} %"
        if self.kind == "eer":
            return "equal error rates"
        return f"least cost at a prior of {self.p_target:g}, a false accept costing {self.c_fa:g} misses"

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in model.toml under ``[decision]``."""
        values = {"far": ("p_fa",), "eer": (), "cost": ("p_target", "c_fa")}[self.kind]
        return {"kind": self.kind, **{name: getattr(self, name) for name in values}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises
        ------
        CalibrationError
            If a key is unknown, has the wrong type, or a value is out of range.
        """
        for name, value in data.items():
            wanted = str if name == "kind" else (int, float)
            if name not in ("kind", "p_fa", "p_target", "c_fa") or not isinstance(value, wanted):
                raise CalibrationError(f"decision: {name} = {value!r} is not understood")
        return cls(**data)
