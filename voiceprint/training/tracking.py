"""Curves for TensorBoard, for those who have it; ``metrics.jsonl`` holds the same numbers always."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from voiceprint.errors import ConfigError
from voiceprint.training.trainer import StepReport

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes step reports as TensorBoard scalars.

    Parameters
    ----------
    folder : Path
        Where the event files go.

    Raises
    ------
    ConfigError
        The package ``tensorboard`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            module = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:
            raise ConfigError(
                "--tensorboard: the package tensorboard is not installed; pip install tensorboard, "
                "or read metrics.jsonl of the run, which holds the same numbers"
            ) from error
        self._writer: Any = module.SummaryWriter(str(folder))

    def add(self, report: StepReport) -> None:
        """Write one step."""
        values = {"loss": report.loss, "lr": report.lr}
        values |= {f"loss/{name}": value for name, value in report.parts.items()}
        values |= report.measures or {}
        if report.spread is not None:
            values["spread/effective_rank"] = report.spread.effective_rank
        for name, value in values.items():
            self._writer.add_scalar(name, value, report.step)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()
