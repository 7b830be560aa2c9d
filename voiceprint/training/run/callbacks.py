"""Callbacks: what a command or a benchmark may do while a run goes on."""

from __future__ import annotations

from pathlib import Path

from voiceprint.corpus import Unreadable
from voiceprint.training.run.trainer import StepReport, Validate


class Callbacks:
    """Called while a run is prepared and trained; here they do nothing, and a command shows what happens."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` clips or rooms are rendered."""

    def waiting(self, pool: Path) -> None:
        """Another process renders into the pool; afterwards this one renders what is missing."""

    def left_out(self, unreadable: tuple[Unreadable, ...]) -> None:
        """These recordings cannot be read: nothing is trained with them, or measured on them."""

    def starting(self, step: int, steps: int) -> None:
        """Training goes on from ``step``."""

    def precision_chosen(self, precision: str, reason: str) -> None:
        """The encoder is trained in this number format, for this reason."""

    def stepped(self, report: StepReport) -> None:
        """A step is done."""

    def validated(self, step: int, suite: Validate) -> None:
        """The step ended with a validation by ``suite``."""

    def enough(self) -> bool:
        """Return whether the run is to end after this step, with a checkpoint."""
        return False
