"""Train and measure the classic systems, and write docs/explanation/baselines.md with its figures.

    VOICEPRINT_CORPORA=corpora scripts/reproduce_baselines
    scripts/reproduce_baselines --corpora corpora --rows gmm,svm
    scripts/reproduce_baselines --corpora corpora --quick

Every row is independent: what it measured is one file under --folder, with the recipe's hash and the commit.
A row whose recipe has not changed since is not run again (--again does), and one that was stopped goes on.
The page is written from all rows that have run, after each. With --quick every row runs at tiny size, on a
few clips, in some four minutes altogether, into a folder of its own, and docs/ is left alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.baselines.bench import CAP_MINUTES, Bench, small_corpora
from benchmarks.baselines.records import Record, commit
from benchmarks.baselines.report import write_report
from benchmarks.baselines.rows import ROWS, Row
from benchmarks.program import ROOT, add_corpora, make_parser
from voiceprint.errors import VoiceprintError


def main() -> int:
    """Run the rows that the command line names."""
    return run_rows(parse_arguments())


def run_rows(arguments: argparse.Namespace) -> int:
    """Run what has not run yet, and write the page; 1 where a row failed."""
    if arguments.page_only:
        write_page(arguments)
        return 0
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    bench = make_bench(arguments)
    failed = []
    for row in arguments.rows:
        try:
            ran = run_row(row, bench, again=arguments.again)
        except KeyboardInterrupt:
            print(f"{row.name}: stopped; the same command goes on from here", file=sys.stderr)
            return 130
        except VoiceprintError as error:
            failed.append(row.name)
            print(f"{row.name}: Error: {error}", file=sys.stderr)
            continue
        if ran and not bench.quick:
            write_page(arguments)
    write_page(arguments)
    if failed:
        print(f"{len(failed)} rows did not run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def make_bench(arguments: argparse.Namespace) -> Bench:
    """Say where rows find and leave things."""
    folder: Path = arguments.folder
    corpora = small_corpora(arguments.corpora, folder / "corpora") if arguments.quick else arguments.corpora
    return Bench(corpora=corpora, folder=folder, cap_minutes=arguments.cap_minutes, quick=arguments.quick)


def run_row(row: Row, bench: Bench, *, again: bool) -> bool:
    """Run a row and keep what it measured; False where the same was done before."""
    known = Record.read(bench.folder, row.name)
    fingerprint = row.fingerprint(bench)
    if known is not None and known.fingerprint == fingerprint and not again:
        print(f"{row.name}: measured at {known.commit}", flush=True)
        return False
    print(f"{row.name} ...", flush=True)
    start, code = time.perf_counter(), commit()
    measured = row.run(bench)
    record = Record(
        row=row.name,
        fingerprint=fingerprint,
        commit="…".join(dict.fromkeys((*measured.commits, code))),
        date=datetime.now(UTC).date().isoformat(),
        quick=bench.quick,
        measured=measured,
    )
    record.write(bench.folder)
    print(f"{row.name}: {(time.perf_counter() - start) / 60:.1f} minutes", flush=True)
    return True


def write_page(arguments: argparse.Namespace) -> None:
    """Write the page from every row whose record there is, run now or earlier."""
    write_report(
        dict(read_records(arguments.folder)), arguments.output / "baselines.md", arguments.output / "images"
    )


def read_records(folder: Path) -> Iterator[tuple[str, Record]]:
    """Read the records of all rows that have run, by name."""
    for row in ROWS:
        record = Record.read(folder, row.name)
        if record is not None:
            yield row.name, record


def parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; an error ends the program."""
    parser = make_parser(__doc__)
    add_corpora(parser, needed=False)
    parser.add_argument("--rows", type=named_rows, default=ROWS, metavar="NAME,...", help="only these")
    parser.add_argument("--quick", action="store_true", help="every row at tiny size: no results")
    parser.add_argument(
        "--cap-minutes",
        type=float,
        default=CAP_MINUTES,
        metavar="N",
        help="longest training of a row (90); with another cap rows run anew",
    )
    parser.add_argument("--again", action="store_true", help="run rows that have run; networks go on")
    parser.add_argument("--page-only", action="store_true", help="run nothing, write the page anew")
    parser.add_argument("--folder", type=Path, help="records, runs, models (runs/baselines)")
    parser.add_argument("-o", "--output", type=Path, help="folder of baselines.md (docs/explanation)")
    arguments = parser.parse_args(given)
    if arguments.corpora is None and not arguments.page_only:
        parser.error("give --corpora, or set VOICEPRINT_CORPORA to the folder of the corpora")
    name = "baselines-quick" if arguments.quick else "baselines"
    arguments.folder = arguments.folder or ROOT / "runs" / name
    arguments.output = arguments.output or (
        arguments.folder if arguments.quick else ROOT / "docs" / "explanation"
    )
    return arguments


def named_rows(text: str) -> tuple[Row, ...]:
    """Read the rows of a comma-separated list of names."""
    known = {row.name: row for row in ROWS}
    unknown = [name for name in text.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
    return tuple(known[name] for name in text.split(","))
