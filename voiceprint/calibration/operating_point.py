"""OperatingPoint: where to decide, as a false-accept rate, a score, equal error rates or a cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from voiceprint.arguments import check_choice, check_count, check_number, check_rate
from voiceprint.errors import ArgumentError, CalibrationError

DEFAULT_FAR = 0.01
"""The false-accept rate of decisions where neither the caller nor the model's card says otherwise."""

MAX_FAR = 0.5
"""Highest false-accept rate that may be asked for."""

_VALUES = {"far": ("p_fa",), "eer": (), "cost": ("p_target", "c_fa"), "threshold": ("score",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """What a threshold is to achieve. Make one with `far`, `threshold`, `eer` or `cost`.

    Parameters
    ----------
    kind : {"far", "eer", "cost", "threshold"}
        A false-accept rate, equal error rates, the least expected cost, or a score as it is.
    p_fa : float
        Of "far": how often an impostor may be accepted, above 0 and at most `MAX_FAR`.
    p_target, c_fa : float
        Of "cost": how likely a claim is true before any evidence, above 0 and below 1, and how many times as
        much a false accept costs as a false reject, above 0.
    score : float
        Of "threshold": the lowest score that is accepted, from -1 to 1.
    people : int
        How many people a clip is compared with; see `among`.

    Examples
    --------
    >>> str(OperatingPoint.far(0.001))
    'false-accept rate 0.1 %'
    >>> OperatingPoint.far(0.01).among(20).people
    20
    """

    kind: Literal["far", "eer", "cost", "threshold"] = "far"
    p_fa: float = DEFAULT_FAR
    p_target: float = 0.5
    c_fa: float = 1.0
    score: float = 0.0
    people: int = 1

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, _VALUES)
        check_rate("far", self.p_fa, most=MAX_FAR)
        check_rate("p_target", self.p_target)
        check_number("c_fa", self.c_fa, above=0.0)
        check_number("threshold", self.score, least=-1.0, most=1.0)
        check_count("people", self.people)

    @classmethod
    def far(cls, rate: float) -> Self:
        """Decide so that an impostor is accepted at this rate.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> str(OperatingPoint.far(0.05))
        'false-accept rate 5 %'
        """
        return cls(kind="far", p_fa=rate)

    @classmethod
    def threshold(cls, score: float) -> Self:
        """Decide at this very score, whatever the trial.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> str(OperatingPoint.threshold(0.4))
        'score 0.4'
        """
        return cls(kind="threshold", score=score)

    @classmethod
    def eer(cls) -> Self:
        """Decide where false accepts and false rejects are equally frequent.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> str(OperatingPoint.eer())
        'equal error rates'
        """
        return cls(kind="eer")

    @classmethod
    def cost(cls, *, p_target: float, c_fa: float = 1.0) -> Self:
        """Decide at the least expected cost.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> str(OperatingPoint.cost(p_target=0.9, c_fa=10))
        'least cost at a prior of 0.9, a false accept costing 10 misses'
        """
        return cls(kind="cost", p_target=p_target, c_fa=c_fa)

    def among(self, people: int) -> Self:
        """Return the point of a search among so many people (identification).

        Somebody who is not enrolled then gets *any* of their names as rarely as this point lets one impostor
        through: the chance of at least one false accept is at most the sum of the chances. A given
        threshold stays as it is.

        Parameters
        ----------
        people : int
            At least 1.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> str(OperatingPoint.far(0.01).among(20))
        'false-accept rate 1 % among 20 people'
        """
        return replace(self, people=people)

    def __str__(self) -> str:
        """Say it in words."""
        among = "" if self.people == 1 else f" among {self.people} people"
        if self.kind == "far":
            return f"false-accept rate {100 * self.p_fa:g} %{among}"
        if self.kind == "eer":
            return f"equal error rates{among}"
        if self.kind == "threshold":
            return f"score {self.score:g}"
        cost = f"least cost at a prior of {self.p_target:g}, a false accept costing {self.c_fa:g} misses"
        return cost + among

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in model.toml under ``[decision]``.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> OperatingPoint.far(0.05).to_dict()
        {'kind': 'far', 'p_fa': 0.05}
        """
        return {"kind": self.kind, **{name: getattr(self, name) for name in _VALUES[self.kind]}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises
        ------
        CalibrationError
            If a key is unknown, has the wrong type, or a value is out of range.

        Examples
        --------
        >>> from voiceprint import OperatingPoint
        >>> OperatingPoint.from_dict({"kind": "far", "p_fa": 0.05}) == OperatingPoint.far(0.05)
        True
        """
        for name in data:
            if name not in ("kind", "p_fa", "p_target", "c_fa"):
                raise CalibrationError(f"decision: {name} = {data[name]!r} is not understood")
        try:
            check_choice("kind", data.get("kind", "far"), ("far", "eer", "cost"))
            return cls(**data)
        except ArgumentError as error:
            key = "p_fa" if error.argument == "far" else error.argument
            raise CalibrationError(
                f"decision: {key} is {error.value!r}; it must be {error.allowed}"
            ) from error
