"""Pictures of a classifier: its confusion matrix, and loss and accuracy over the steps of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from voiceprint.errors import TrainingError
from voiceprint.files.whole import whole_file
from voiceprint.metrics import ConfusionMatrix
from voiceprint.percent import percent

_CELL = 0.9  # inches
_DPI = 120
_NEWEST = 0.05  # weight of the newest step in the running mean that is drawn


def draw_confusion(confusion: ConfusionMatrix, path: Path, *, title: str) -> None:
    """Draw a confusion matrix as a PNG: rows who it was, columns who was answered, shaded by shares of a row.

    Raises
    ------
    TrainingError
        The file cannot be written.
    """
    side = 2.5 + _CELL * len(confusion.names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shade_counts(axes, np.array(confusion.counts))
    places = range(len(confusion.names))
    axes.set_xticks(places, labels=list(confusion.names), rotation=40, ha="right")
    axes.set_yticks(places, labels=list(confusion.names))
    axes.set(xlabel="answered", ylabel="it was", title=f"{title}\n{percent(confusion.accuracy)} right")
    _write(figure, path)


def shade_counts(axes: Axes, counts: NDArray[np.int64], **text: Any) -> None:
    """Write the counts (n, n) of a confusion matrix into axes, shaded by shares of a row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, **text)


def draw_curves(lines: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Draw loss and dev accuracy over the steps of a run as a PNG.

    Parameters
    ----------
    lines : sequence of mappings
        Those of ``metrics.jsonl``.

    Raises
    ------
    TrainingError
        There is no step yet, or the file cannot be written.
    """
    if not lines:
        raise TrainingError(f"{path}: the run has no step yet, so there are no curves to draw")
    measured = [line for line in lines if "accuracy" in line]
    figure = Figure(figsize=(7, 6), layout="constrained")
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    _curve(loss, lines, _running_mean([line["loss"] for line in lines]), "train, running mean", "-")
    _curve(loss, measured, [line["dev_loss"] for line in measured], "dev", "o-")
    loss.set(ylabel="loss", yscale="log", title=title)
    loss.legend()
    _curve(accuracy, measured, [100 * line["accuracy"] for line in measured], "dev", "o-")
    accuracy.set(xlabel="step", ylabel="accuracy, %")
    _write(figure, path)


def _curve(
    axes: Axes, lines: Sequence[Mapping[str, Any]], values: Sequence[float], label: str, style: str
) -> None:
    axes.plot([line["step"] for line in lines], values, style, label=label, markersize=3)
    axes.grid(visible=True, alpha=0.3)


def _running_mean(values: Sequence[float]) -> list[float]:
    means = [values[0]]
    for value in values[1:]:
        means.append((1 - _NEWEST) * means[-1] + _NEWEST * value)
    return means


def _write(figure: Figure, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            figure.savefig(file, format="png", dpi=_DPI)
    except OSError as error:
        raise TrainingError(f"{path}: the picture cannot be written ({error.strerror})") from error
