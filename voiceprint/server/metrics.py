"""Counters for Prometheus, in files that all processes of a server add up.

A scrape reaches any one of the processes, so each keeps its counters in a memory-mapped file of its own, and
the process that is asked sums all of them. The file of a process that died stays: counters only ever grow.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.server.schemas import (
    ComparisonAnswer,
    IdentificationAnswer,
    LivenessAnswer,
    VerificationAnswer,
)

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)  # seconds
_CLASSES = ("2xx", "3xx", "4xx", "429", "5xx", "503")
_ANSWERS = (VerificationAnswer, IdentificationAnswer, ComparisonAnswer, LivenessAnswer)
_DECISIONS = sorted(
    {word for each in _ANSWERS for word in get_args(each.model_fields["decision"].annotation)}
)
_OTHER = "other"


class Metrics:
    """What a process counts: requests by route and status, their duration, decisions, seconds of speech.

    Parameters
    ----------
    folder : Path or None
        Where the processes of a server count; None: this process alone, in memory.
    routes : sequence of str
        Names of the routes, the same in every process.
    """

    def __init__(self, folder: Path | None, routes: Sequence[str]) -> None:
        self._routes = {route: place for place, route in enumerate([*sorted(set(routes)), _OTHER])}
        self._folder = folder
        size = len(_DECISIONS) + 1 + len(self._routes) * (len(_CLASSES) + len(_BUCKETS) + 2)
        path = None if folder is None else folder / f"{os.getpid()}.counts"
        self._values: NDArray[np.float64] = (
            np.zeros(size) if path is None else np.memmap(path, dtype=np.float64, mode="w+", shape=(size,))
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        start = self._start(route)
        self._values[start + _CLASSES.index(_status_class(status))] += 1
        histogram = start + len(_CLASSES)
        self._values[histogram + bisect_left(_BUCKETS, seconds)] += 1
        self._values[histogram + len(_BUCKETS) + 1] += seconds

    def decision(self, decision: str, seconds_of_speech: float) -> None:
        """Count a decision and the speech it rests on."""
        self._values[_DECISIONS.index(decision)] += 1
        self._values[len(_DECISIONS)] += seconds_of_speech

    def text(self, *, damaged_keys: int) -> str:
        """Return all counters in Prometheus's text format, version 0.0.4, and how many keys are damaged."""
        gauge = (
            "# HELP voiceprint_damaged_keys API keys that are refused because their rows are damaged.",
            "# TYPE voiceprint_damaged_keys gauge",
            f"voiceprint_damaged_keys {damaged_keys}",
        )
        return "\n".join([*self._lines(self._total()), *gauge]) + "\n"

    def _start(self, route: str) -> int:
        each = len(_CLASSES) + len(_BUCKETS) + 2
        return len(_DECISIONS) + 1 + each * self._routes.get(route, self._routes[_OTHER])

    def _total(self) -> NDArray[np.float64]:
        if self._folder is None:
            return self._values
        files = (np.fromfile(path, dtype=np.float64) for path in sorted(self._folder.glob("*.counts")))
        total: NDArray[np.float64] = np.sum([v for v in files if len(v) == len(self._values)], axis=0)
        return total

    def _lines(self, total: NDArray[np.float64]) -> Iterator[str]:
        yield "# HELP voiceprint_decisions_total Answers about voices, by what was decided."
        yield "# TYPE voiceprint_decisions_total counter"
        for decision, value in zip(_DECISIONS, total, strict=False):
            yield f'voiceprint_decisions_total{{decision="{decision}"}} {value:g}'
        yield "# HELP voiceprint_speech_seconds_total Speech that decisions rest on."
        yield "# TYPE voiceprint_speech_seconds_total counter"
        yield f"voiceprint_speech_seconds_total {total[len(_DECISIONS)]:.10g}"
        yield "# HELP voiceprint_requests_total Requests by route and class of status."
        yield "# TYPE voiceprint_requests_total counter"
        for route in self._routes:
            for place, kind in enumerate(_CLASSES):
                value = total[self._start(route) + place]
                yield f'voiceprint_requests_total{{route="{route}",status="{kind}"}} {value:.15g}'
        yield "# HELP voiceprint_request_seconds How long requests took."
        yield "# TYPE voiceprint_request_seconds histogram"
        for route in self._routes:
            yield from self._histogram(route, total[self._start(route) + len(_CLASSES) :])

    def _histogram(self, route: str, values: NDArray[np.float64]) -> Iterator[str]:
        cumulative = np.cumsum(values[: len(_BUCKETS) + 1])
        for limit, count in zip([*_BUCKETS, "+Inf"], cumulative, strict=True):
            yield f'voiceprint_request_seconds_bucket{{route="{route}",le="{limit}"}} {count:.15g}'
        yield f'voiceprint_request_seconds_sum{{route="{route}"}} {values[len(_BUCKETS) + 1]:.10g}'
        yield f'voiceprint_request_seconds_count{{route="{route}"}} {cumulative[-1]:.15g}'


def _status_class(status: int) -> str:
    """Refusals for load stand by themselves: they call for more machines, not for a look at the code."""
    return str(status) if status in (429, 503) else f"{min(max(status, 200), 599) // 100}xx"
