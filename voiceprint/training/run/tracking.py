"""Curves for TensorBoard, for those who have it; ``metrics.jsonl`` holds the same numbers always."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from voiceprint.errors import ConfigError
from voiceprint.metrics import DetCurve
from voiceprint.training.run.trainer import StepReport

# Rates of the axes' ticks; the first and last are the limits of what is drawn.
_RATES = (0.002, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
_WIDTH, _HEIGHT = 4.5, 4.5  # inches


class TensorBoard:
    """Writes step reports as TensorBoard scalars, and detection error trade-offs as figures.

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
                "tensorboard: the package tensorboard is not installed; pip install tensorboard, "
                "or read metrics.jsonl of the run, which holds the same numbers"
            ) from error
        self._open = partial(module.SummaryWriter, str(folder))

    @cached_property
    def _writer(self) -> Any:
        # With the first step, for it creates a file: until then the folder may be another process's run.
        return self._open()

    def add(self, report: StepReport) -> None:
        """Write one step."""
        values = {"loss": report.loss, "lr": report.lr}
        values |= {f"loss/{name}": value for name, value in report.parts.items()}
        values |= report.measures or {}
        if report.spread is not None:
            values["spread/effective_rank"] = report.spread.effective_rank
        for name, value in values.items():
            self._writer.add_scalar(name, value, report.step)

    def add_curves(self, step: int, curves: Mapping[str, DetCurve]) -> None:
        """Draw the DET curves of a validation, by ``CORPUS/CONDITION``."""
        self._writer.add_figure("det", draw_det(curves), step)

    def close(self) -> None:
        """Write what is still in memory."""
        if "_writer" in self.__dict__:
            self._writer.close()


def draw_det(curves: Mapping[str, DetCurve]) -> Figure:
    """Detection error trade-offs: misses against false accepts on normal-deviate axes.

    Parameters
    ----------
    curves : mapping of str to DetCurve
        By ``CORPUS/CONDITION``; each corpus gets axes of its own.

    References
    ----------
    Martin et al., "The DET curve in assessment of detection task performance" (1997).
    """
    corpora = list(dict.fromkeys(name.partition("/")[0] for name in curves))
    figure = Figure(figsize=(_WIDTH * len(corpora), _HEIGHT), layout="constrained")
    for corpus, axes in zip(corpora, figure.subplots(1, len(corpora), squeeze=False)[0], strict=True):
        for name, curve in curves.items():
            of, _, condition = name.partition("/")
            if of == corpus:
                axes.plot(_deviates(curve.p_fa), _deviates(curve.p_miss), label=condition, linewidth=1)
        _label(axes, corpus)
    return figure


def _label(axes: Axes, title: str) -> None:
    ticks = _deviates(np.array(_RATES))
    limits = (ticks[0], ticks[-1])
    axes.plot(limits, limits, color="grey", linewidth=0.5, linestyle=":")  # equal error rates
    names = [f"{100 * rate:g}" for rate in _RATES]
    axes.set_xticks(ticks, labels=names)
    axes.set_yticks(ticks, labels=names)
    axes.set(title=title, xlabel="false accepts, %", ylabel="misses, %", xlim=limits, ylim=limits)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small", loc="upper right")


def _deviates(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where rates lie on an axis; 0 and 1, which lie nowhere, are put just outside the limits."""
    outside = (_RATES[0] / 2, 1 - (1 - _RATES[-1]) / 2)
    return np.array([NormalDist().inv_cdf(rate) for rate in np.clip(rates, *outside)])
