"""By which figure validations choose between candidates, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """The figure by which the best checkpoint is kept and training stops early.

    Parameters
    ----------
    name : str
        Its key among the figures of a validation.
    """

    name: str
    title: str
    higher_is_better: bool = False

    def improves(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than the best so far; a tie is not, and anything beats None."""
        if best is None:
            return True
        return value > best if self.higher_is_better else value < best


EER = Criterion(name="eer", title="EER")
"""The equal error rate, a fraction."""

ACCURACY = Criterion(name="accuracy", title="accuracy", higher_is_better=True)
"""The fraction of clips that are classified rightly."""


class Suite(Protocol):
    """What candidates are measured on: called with an encoder, it gives figures, its criterion among them."""

    @property
    def criterion(self) -> Criterion:
        """Which of the figures decides."""

    def __call__(self, encoder: nn.Module) -> Mapping[str, float]:
        """Measure an encoder, which is in evaluation mode."""
