"""Load the server with real 3 s clips over loopback: a steady rate, many requests, and four times too much.

    VOICEPRINT_CORPORA=corpora scripts/benchmark_server
    VOICEPRINT_CORPORA=corpora scripts/benchmark_server --seconds 10 --requests 1000 --no-peer

Requests arrive at random times (Poisson, --seed) whether or not the answers keep up, and are timed from when
they were due. In the overload every tenth request enrolls somebody; people whose enrollment was acknowledged
are looked for in the store afterwards. The same load then meets a plain FastAPI wrapper around Resemblyzer
(benchmarks/peers/programs/naive_server.py) in the peers' environment, which is made where it is missing. Load
generator and servers share the machine's cores. Prints a table and a line of JSON; exits with 1 if a promise
is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.environment import DEFAULT_ENVIRONMENT, make_environment
from benchmarks.program import add_corpora, make_parser
from benchmarks.server.clips import read_people
from benchmarks.server.load import OVERLOAD, Figures, Load, measure_ours, measure_peer


def main() -> int:
    """Measure, print, and return 1 where a promise is not kept."""
    options = _parse()
    load = Load(
        processes=options.processes,
        rate=options.rate,
        seconds=options.seconds,
        requests=options.requests,
        seed=options.seed,
    )
    people = read_people(options.corpora / options.corpus / "manifest.csv", options.people)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = {"ours": measure_ours(Path(folder) / "store", people, load, model=options.model)}
    if options.peer:
        make_environment(options.environment)
        figures["naive"] = measure_peer(options.environment, people, load)
    promises = judge(figures["ours"], load)
    _print_table(figures, promises)
    took = round(time.perf_counter() - start)
    print(json.dumps({"options": _described(options), "seconds": took, **figures, "promises": promises}))
    return 0 if all(promises.values()) else 1


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--corpus", default="librispeech", help="whose clips (librispeech)")
    parser.add_argument("--people", type=int, default=20, help="enrolled beforehand (20)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="one for each core")
    parser.add_argument("--rate", type=float, default=60.0, help="verifications a second (60)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each phase at a rate (30)")
    parser.add_argument("--requests", type=int, default=10_000, help="of the phase that watches memory")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals (0)")
    parser.add_argument("--model", type=Path, help="model folder (the packaged one)")
    parser.add_argument("--environment", type=Path, default=DEFAULT_ENVIRONMENT, help="of the peers")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="measure ours alone")
    return parser.parse_args()


def _described(options: argparse.Namespace) -> Figures:
    """The options that figures depend on."""
    names = ("corpus", "people", "processes", "rate", "seconds", "requests", "seed")
    return {name: getattr(options, name) for name in names}


def _print_table(figures: Mapping[str, Figures], promises: Mapping[str, bool]) -> None:
    print(f"{'':26}{'asked':>8}{'p50 ms':>9}{'p99 ms':>9}  outcomes")
    for name, phases in figures.items():
        for phase in ("steady", "many", "overload"):
            each = phases[phase]
            asked = f"{each['rate']:g}/s" if "rate" in each else each["requests"]
            outcomes = ", ".join(f"{count} x {outcome}" for outcome, count in each["outcomes"].items())
            times = "".join(f"{'-' if each[p] is None else each[p]:>9}" for p in ("p50_ms", "p99_ms"))
            print(f"{name + ', ' + phase:26}{asked:>8}{times}  {outcomes}")
        print(f"{name + ', most a second':26}{phases['many']['a_second']:>8}")
    ours = figures["ours"]
    print(f"\nprocessor time of a verification: {ours['steady']['server_cpu_ms_each']} ms, and")
    print(f"{ours['steady']['generator_cpu_ms_each']} ms of the load generator")
    print(f"memory, MiB, after each tenth of the requests: {ours['many']['memory_mib']}\n")
    for promise, kept in promises.items():
        print(f"{'kept  ' if kept else 'BROKEN'} {promise}")


MAX_P99_MS = 400.0
MAX_GROWTH = 0.05  # of the memory, from the first tenth of the requests to the last


def judge(ours: Figures, load: Load) -> dict[str, bool]:
    """Hold the figures of `measure_ours` to each promise."""
    steady, overloaded, memory = ours["steady"], ours["overload"], ours["many"]["memory_mib"]
    p99 = f"p99 under {MAX_P99_MS:g} ms"
    asked = f"{load.rate:g} verifications a second"
    failures = {"500", "timeout", "broken"}
    return {
        f"all of {asked} are answered": set(steady["outcomes"]) == {"200"},
        f"at {asked}, {p99}": (steady["p99_ms"] or MAX_P99_MS) < MAX_P99_MS,
        f"memory is flat over {load.requests} requests": memory[-1] <= (1 + MAX_GROWTH) * memory[0],
        f"at {OVERLOAD} times that, {p99} for what is answered": (overloaded["p99_ms"] or MAX_P99_MS)
        < MAX_P99_MS,
        f"at {OVERLOAD} times that, no 500, no timeout, no broken connection": not failures
        & set(overloaded["outcomes"]),
        "whoever is turned away is told when to come back": "503" in overloaded["outcomes"]
        and not overloaded["refused_without_retry_after"],
        "no enrollment is lost": not overloaded["enrollments_lost"] and not overloaded["store_problems"],
    }
