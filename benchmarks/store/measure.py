"""A whole store: made, opened, searched, changed, and used by other processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import BenchmarkError
from benchmarks.store.people import AFTERWARDS, Crowd, make_utterance
from benchmarks.store.processes import MODEL, run_apart
from benchmarks.store.voices import nearest
from benchmarks.timing import Spent, resident_bytes, spent
from voiceprint.store import EnrollmentStore, is_url

TOP = 20

Query = NDArray[np.float32]


def measure_store(place: str, crowd: Crowd, *, queries: int, seed: int, exchanged: bool) -> Figures:
    """Measure a store at a folder or URL.

    Parameters
    ----------
    place : str
        Where there is no store yet, or an empty one.
    queries : int
        Half of enrolled people, half of out-of-set speakers.
    exchanged : bool
        Whether files are exported and imported as well.
    """
    figures: Figures = {"speakers": len(crowd)}
    query = crowd.voices.draw()
    _fill(figures, place, crowd, query)
    start = time.perf_counter()
    with _opened(place, crowd) as store:
        figures["open (ms)"] = 1e3 * (time.perf_counter() - start)
        reads = {"names": store.names, "everybody": store.everybody, "stats": store.stats}
        for name, read in reads.items():
            add_times(figures, name, [spent(read)])
        figures["one enrollment looked up (ms)"] = 1e3 * spent(lambda: store.get("speaker 7")).seconds
        figures["first search, index mapped (ms)"] = (
            1e3 * spent(partial(store.search, query, top=TOP)).seconds
        )
        _prepare(figures, store, query)
        asked = crowd.voices.queries(crowd.centroids, queries, seed=seed)
        _compare_searches(figures, store, crowd, asked, by_index=is_url(place))
        _change(figures, store, crowd, query)
        figures["megabytes on disk"] = store.stats().bytes_on_disk / 1e6
    if not is_url(place):
        _in_new_processes(figures, place, crowd.voices.dim)
        if exchanged:
            exchange(figures, Path(place), len(crowd))
    return figures


def _opened(place: str, crowd: Crowd) -> EnrollmentStore:
    return EnrollmentStore.open(place, model_id=MODEL, dim=crowd.voices.dim)


def _fill(figures: Figures, place: str, crowd: Crowd, query: Query) -> None:
    """Import everybody, search once, and close."""
    with _opened(place, crowd) as store:
        if len(store):
            raise BenchmarkError(f"{store.path} is not empty")
        took = spent(lambda: store.import_records(crowd.records(), model_id=MODEL, dim=crowd.voices.dim))
        add_rates(figures, "import of records, made meanwhile", took, len(crowd))
        figures["first search, index made (s)"] = spent(partial(store.search, query, top=TOP)).seconds
        start = time.perf_counter()
    figures["close, index written (s)"] = time.perf_counter() - start


def _prepare(figures: Figures, store: EnrollmentStore, query: Query) -> None:
    """Search as often as it takes until the store has all that it makes for searching."""
    before = resident_bytes()
    took = [spent(partial(store.search, query, top=TOP)).seconds for _ in range(40)]
    usual = float(np.median(took))
    figures["made beside the first searches, in all (s)"] = sum(each - usual for each in took if each > usual)
    figures["made beside the first searches, slowest (ms)"] = 1e3 * max(took)
    figures["megabytes of memory for it"] = (resident_bytes() - before) / 1e6
    figures["megabytes of memory of the process"] = resident_bytes() / 1e6


def _compare_searches(
    figures: Figures, store: EnrollmentStore, crowd: Crowd, asked: list[Query], *, by_index: bool
) -> None:
    """Time searches for enrolled and for out-of-set speakers, half of each, and count what they miss."""
    voices, half = crowd.centroids, len(asked) // 2
    add_times(
        figures, "numpy beside it", [spent(partial(nearest, voices, query, TOP)) for query in asked[::4]]
    )
    right = [set(crowd.names[nearest(voices, query, 10)]) for query in asked]
    for kind, exact, way in _ways(by_index=by_index):
        search = partial(store.search, exact=exact)
        with way:
            found = [{hit.name for hit in search(query, top=10)} for query in asked]
            add_times(figures, f"search, {kind}", [spent(partial(search, query, top=TOP)) for query in asked])
            with patch("voiceprint.store.search.now", lambda: AFTERWARDS):
                took = [spent(partial(search, query, top=TOP)) for query in asked]
            add_times(figures, f"search with a tenth expired, {kind}", took)
        shares = [len(is_ & should) / 10 for is_, should in zip(found, right, strict=True)]
        figures[f"recall at 10, {kind}, enrolled"] = float(np.mean(shares[:half]))
        figures[f"recall at 10, {kind}, out-of-set"] = float(np.mean(shares[half:]))


def _ways(*, by_index: bool) -> list[tuple[str, bool, AbstractContextManager[object]]]:
    """The ways to search: everybody, or as the store does unless asked; in PostgreSQL always by its index."""
    with_index: AbstractContextManager[object] = nullcontext()
    if by_index:
        with_index = patch("voiceprint.store.postgres.tables.HNSW_FROM", 0)
    return [("everybody", True, nullcontext()), ("as usual", False, with_index)]


def _change(figures: Figures, store: EnrollmentStore, crowd: Crowd, query: Query) -> None:
    """Time 20 changes of each kind, alone and with a search after each."""
    clips = [make_utterance(crowd.voices.draw()) for _ in range(40)]

    changes: dict[str, Callable[[int], object]] = {
        "enroll": lambda number: store.add(f"new {number}", [clips[number]]),
        "remove": lambda number: store.remove(f"speaker {number}"),
    }

    def change_and_search(change: Callable[[int], object], number: int) -> None:
        change(number)
        store.search(query, top=TOP)

    for name, change in changes.items():
        add_times(figures, name, [spent(partial(change, number)) for number in range(20)])
        after = [spent(partial(change_and_search, change, number)) for number in range(20, 40)]
        add_times(figures, f"{name}, then search", after)


def _in_new_processes(figures: Figures, place: str, dim: int) -> None:
    """Time what commands do: a process that opens the store and searches, before and after removals."""
    run_apart("search", place, str(dim))
    searches = [run_apart("search", place, str(dim)).whole for _ in range(5)]
    add_times(figures, "a process that searches", searches)
    after, removals = [], []
    for number in range(50, 55):
        removals.append(run_apart("remove", place, f"speaker {number}").whole)
        after.append(run_apart("search", place, str(dim)).whole)
    add_times(figures, "a process that removes", removals)
    add_times(figures, "a process that searches after it", after)


def exchange(figures: Figures, store: Path, people: int) -> None:
    """Export and import everybody in each format, and note rates, sizes and memory."""
    for suffix in ("npz", "json"):
        file = store.parent / f"voices.{suffix}"
        for verb, source, target in (
            ("export", store, file),
            ("import", file, store.parent / f"from {suffix}"),
        ):
            done = run_apart(verb, str(source), str(target))
            add_rates(figures, f"{verb} {suffix}", done.whole, people)
            figures[f"{verb} {suffix}, megabytes of memory"] = done.megabytes
        figures[f"megabytes of the {suffix}"] = file.stat().st_size / 1e6
        file.unlink()


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
