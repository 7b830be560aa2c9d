"""`LossConfig`: one ``[[loss]]`` table of a recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voiceprint.errors import ConfigError

# What each loss understands, with its default. None as a default says that the field may stay empty.
_FIELDS: dict[str, dict[str, Any]] = {
    "aam_softmax": {"margin": 0.2, "scale": 30.0, "sub_centres": 1},
    "am_softmax": {"margin": 0.2, "scale": 30.0, "sub_centres": 1},
    "angular_prototypical": {"scale": 10.0},
    "contrastive": {"margin": 1.0, "pairs": "all"},
    "distillation": {},
    "ge2e": {"scale": 10.0},
    "siamese": {"pairs": "all"},
    "softmax": {},
    "supervised_contrastive": {"temperature": 0.1},
    "triplet": {"margin": None, "scale": None, "mining": "batch_hard", "distance": "euclidean"},
}
_CHOICES = {
    "distance": ("euclidean", "cosine"),
    "mining": ("batch_hard", "semi_hard", "random", "given"),
    "pairs": ("all", "adjacent"),
}

CLASSIFIERS = ("softmax", "am_softmax", "aam_softmax")
"""The losses that train a classifier of the training speakers."""

COMPARERS = tuple(sorted(set(_FIELDS) - {*CLASSIFIERS, "distillation"}))
"""The losses that compare utterances of one speaker within a batch."""

LOSS_NAMES = tuple(sorted(_FIELDS))
"""Every name that `LossConfig` accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """One loss of the weighted sum that a recipe trains with.

    A field that the loss has no use for is refused; one it understands and that is not given takes the
    default in brackets, so that the configuration saved beside a run is complete.

    Parameters
    ----------
    name : str
        One of `LOSS_NAMES`.
    weight : float
        Its share of the sum, above zero.
    margin : float, optional
        ``aam_softmax`` (0.2, an angle in radians), ``am_softmax`` (0.2, in cosine), ``contrastive`` (1,
        Euclidean distance), ``triplet`` (none, which is the soft margin; else that of the hinge, in its
        ``distance``).
    scale : float, optional
        ``aam_softmax``, ``am_softmax``: factor of the cosines (30). ``ge2e``, ``angular_prototypical``: the
        learned factor's first value (10). ``triplet`` with the soft margin: its steepness (1, as published;
        the higher, the less the easy triplets count).
    sub_centres : int, optional
        ``aam_softmax``, ``am_softmax``: centres per class, of which the nearest counts (1).
    mining : str, optional
        ``triplet``: ``"batch_hard"`` (the default), ``"semi_hard"``, ``"random"``, or ``"given"`` for the
        rows of a `TripletSampler`.
    distance : str, optional
        ``triplet``: ``"euclidean"`` between unit vectors (the default), or ``"cosine"``: one minus it.
    pairs : str, optional
        ``contrastive``, ``siamese``: ``"all"`` of a batch (the default), or ``"adjacent"`` rows of a
        `PairSampler`.
    temperature : float, optional
        ``supervised_contrastive``: divides the cosines (0.1).

    Raises
    ------
    ConfigError
        The name is unknown, a field means nothing to this loss, or a value is out of its range.
    """

    name: str
    weight: float = 1.0
    margin: float | None = None
    scale: float | None = None
    sub_centres: int | None = None
    mining: str | None = None
    distance: str | None = None
    pairs: str | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.name not in _FIELDS:
            raise ConfigError(
                f"loss.name: no loss is called {self.name!r}; there are {', '.join(LOSS_NAMES)}"
            )
        for field in ("margin", "scale", "sub_centres", "mining", "distance", "pairs", "temperature"):
            self._settle(field)
        self._check_ranges()

    def _settle(self, field: str) -> None:
        """Refuse a field this loss has no use for; fill in the default of one it has."""
        known = _FIELDS[self.name]
        value = getattr(self, field)
        if value is None:
            object.__setattr__(self, field, known.get(field))
        elif field not in known:
            fields = ", ".join(["weight", *known])
            raise ConfigError(f"loss.{field}: {self.name} has no {field}; it has {fields}")
        elif field in _CHOICES and value not in _CHOICES[field]:
            choices = ", ".join(_CHOICES[field])
            raise ConfigError(f"loss.{field}: {value!r} is not one of {choices}")

    def _check_ranges(self) -> None:
        for field in ("weight", "scale", "sub_centres", "temperature"):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"loss.{field}: {value} of {self.name} must be above 0")
        if self.margin is not None and not (math.isfinite(self.margin) and self.margin >= 0):
            raise ConfigError(f"loss.margin: {self.margin} of {self.name} must not be negative")
        if self.name == "aam_softmax" and self.margin is not None and self.margin >= math.pi / 2:
            raise ConfigError(
                f"loss.margin: {self.margin} of aam_softmax is in radians and must be below 1.57"
            )
        if self.name == "triplet" and self.margin is not None and self.scale is not None:
            raise ConfigError(
                "loss.scale: triplet has a scale only with the soft margin; leave out margin or scale"
            )


def require_distinct(losses: Sequence[LossConfig]) -> None:
    """Raise ConfigError where there is no loss, or one is listed twice."""
    if not losses:
        raise ConfigError("loss: a recipe needs at least one [[loss]] table")
    names = [loss.name for loss in losses]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"loss: {name} is listed {names.count(name)} times; keep one table of each name"
            )
