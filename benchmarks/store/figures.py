"""The figures of a store: a name says what was measured, and in which unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.timing import Spent

__all__ = ["Figures", "add_rates", "add_times"]

Figures = dict[str, float]


def add_times(figures: Figures, name: str, times: Sequence[Spent]) -> None:
    """Note the median and the slowest tenth, and what the processor took."""
    seconds = np.array([each.seconds for each in times]) * 1e3
    processor = np.array([each.processor for each in times]) * 1e3
    figures[f"{name}, median (ms)"] = float(np.median(seconds))
    figures[f"{name}, 90th percentile (ms)"] = float(np.quantile(seconds, 0.9))
    figures[f"{name}, of the processor, median (ms)"] = float(np.median(processor))


def add_rates(figures: Figures, name: str, took: Spent, people: int) -> None:
    """Note people a second of the time that passed, and of the processor's (a process's start included)."""
    figures[f"{name} (people a second)"] = people / took.seconds
    figures[f"{name} (people a second of the processor)"] = people / took.processor
