"""The index of a folder's store: everybody compared, and by the sketch, beside numpy."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.store.figures import Figures, add_times
from benchmarks.store.voices import Voices, nearest
from benchmarks.timing import resident_bytes, spent
from voiceprint.store.sqlite.index import SpeakerIndex

__all__ = ["measure_index"]

TOP = 20


def measure_index(voices: Voices, speakers: int, *, queries: int, seed: int) -> Figures:
    """Put voices into an index and search it."""
    figures: Figures = {"speakers": speakers}
    rows = np.empty((speakers, voices.dim), dtype=np.float32)
    for start in range(0, speakers, 50_000):
        rows[start : start + 50_000] = voices.draw_many(min(50_000, speakers - start))
    before, index = resident_bytes(), SpeakerIndex(voices.dim)
    took = spent(lambda: index.put(np.arange(1, speakers + 1), rows))
    figures["rows put (s)"] = took.seconds
    figures["megabytes of rows"] = (resident_bytes() - before) / 1e6
    asked = voices.queries(rows, queries, seed=seed)
    add_times(figures, "numpy", [spent(partial(nearest, rows, query, TOP)) for query in asked[::4]])
    compared = partial(index.candidates, top=TOP, exact=True)
    add_times(figures, "everybody compared", [spent(partial(compared, query)) for query in asked[::4]])
    sketched = partial(index.candidates, exact=False)
    before = resident_bytes()
    figures["sketch made, with its searches (s)"] = spent(
        lambda: [sketched(asked[0], top=TOP) for _ in range(25)]
    ).seconds
    figures["megabytes of the sketch"] = (resident_bytes() - before) / 1e6
    add_times(figures, "by the sketch", [spent(partial(sketched, query, top=TOP)) for query in asked])
    shares = [len({*(nearest(rows, query, 10) + 1)} & {*sketched(query, top=10)}) / 10 for query in asked]
    figures["recall at 10, by the sketch, enrolled"] = float(np.mean(shares[: len(asked) // 2]))
    figures["recall at 10, by the sketch, out-of-set"] = float(np.mean(shares[len(asked) // 2 :]))
    return figures
