"""Benchmarks of identification: n-shot k-way episodes, and open-set identification."""

from voiceprint.evaluation.benchmark.episodes import (
    Benchmark,
    EpisodeResult,
    Episodes,
    LabelledEmbeddings,
    Nearness,
    by_cosine,
)
from voiceprint.evaluation.benchmark.open_set import (
    DetectionRate,
    OpenSetDraw,
    OpenSetResult,
    draw_open_sets,
    half_of,
    open_set,
)

__all__ = [
    "Benchmark",
    "DetectionRate",
    "EpisodeResult",
    "Episodes",
    "LabelledEmbeddings",
    "Nearness",
    "OpenSetDraw",
    "OpenSetResult",
    "by_cosine",
    "draw_open_sets",
    "half_of",
    "open_set",
]
