"""Time a store with many enrolled people: searching, enrolling, removing, importing and exporting.

    scripts/benchmark_store
    scripts/benchmark_store --speakers 100000 1000000
    scripts/benchmark_store --like corpora
    scripts/benchmark_store --index-only --speakers 1000000
    scripts/benchmark_store --speakers 100000 --store postgresql://postgres@localhost/empty

Prints the median and the slowest tenth of each, and beside the store the same search by plain numpy, with how
many of the ten nearest the store finds. Searching is timed by comparing everybody and as the store does it
by default. A PostgreSQL store has to be empty; the rest needs a folder and is left out there.
With --index-only no store is made, and only the index of a folder is timed: a million people in minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.program import make_parser
from benchmarks.store.measure import TOP, Figures, add_times, measure_store
from benchmarks.store.people import Crowd
from benchmarks.store.voices import Voices, nearest, real_embeddings
from benchmarks.timing import resident_bytes, spent
from voiceprint.store.sqlite.index import SpeakerIndex


def main() -> None:
    """Measure each size, and print its figures."""
    options = _parse()
    for speakers in options.speakers:
        for_size = _measure(speakers, options)
        if options.json:
            print(json.dumps(for_size), flush=True)
            continue
        for name, value in for_size.items():
            print(f"{name:52} {value:12,.{5 if name.startswith('recall') else 2}f}")
        print(flush=True)


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--speakers", type=int, nargs="+", default=[10_000])
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--clips", type=int, default=3, help="clips of a speaker: 1 to this many (3)")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", help="URL of an empty PostgreSQL store; otherwise a folder is made")
    parser.add_argument(
        "--decay",
        type=float,
        default=0.35,
        help="the k-th direction's standard deviation is k to the minus this; 0: all alike, which is "
        "hardest. 0.35 gives an effective dimension of 64 in 192; speech gave 36 to 83",
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FOLDER",
        help="draw voices around embeddings of the audio in this folder, by the default model, instead",
    )
    parser.add_argument("--no-exchange", action="store_true", help="time no export and no import of files")
    parser.add_argument("--index-only", action="store_true", help="time the index alone, without a store")
    parser.add_argument("--folder", type=Path, help="where to put the temporary store")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _measure(speakers: int, options: argparse.Namespace) -> Figures:
    rng = np.random.default_rng(options.seed)
    real = None if options.like is None else real_embeddings(options.like)
    voices = Voices(rng, dim=options.dim, decay=options.decay, real=real)
    if options.index_only:
        return measure_index(voices, speakers, queries=options.queries, seed=options.seed)
    crowd = Crowd(voices, speakers, most_clips=options.clips, rng=rng)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        return measure_store(
            options.store or str(Path(folder) / "store"),
            crowd,
            queries=options.queries,
            seed=options.seed,
            exchanged=not options.no_exchange,
        )


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
