"""Build the corpora from their publishers' archives: folders of 16 kHz mono Opus files with a manifest.csv.

    scripts/prepare_corpora speechocean762 librispeech arabic_speech_commands -o corpora

Which clips, how long and in which split stands in benchmarks/corpora/lists; no audio is kept here.
Archives are kept in --archives and looked for there first, so one that was fetched by hand is used as it is.
Run again, it goes on where it stopped. It exits with 1 where something is missing, and says what.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.corpora.building import LISTS, Built, build_corpus, read_rows
from benchmarks.corpora.sources import SOURCES
from benchmarks.program import make_parser

_SHOWN = 10  # problems of a corpus


def main() -> int:
    """Build the corpora that are named; 1 where something is missing."""
    options = _parse()
    complete = True
    for name in options.corpora or SOURCES:
        source = SOURCES[name]
        print(f"{name}: {source.licence}" + (f"; {source.note}" if source.note else ""), file=sys.stderr)
        folder = options.output / name
        built = build_corpus(
            source,
            read_rows(LISTS / f"{name}.csv"),
            folder,
            options.archives or options.output / "archives",
            download=not options.no_download,
        )
        print(f"{name}: {built.written} clips in {folder}")
        _print_problems(built)
        complete &= not built.problems
    return 0 if complete else 1


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help=f"of {', '.join(SOURCES)} (all)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="root of the corpora")
    parser.add_argument("--archives", type=Path, help="where archives are kept (OUTPUT/archives)")
    parser.add_argument("--no-download", action="store_true", help="use only the archives that are there")
    options = parser.parse_args()
    unknown = sorted(set(options.corpora) - set(SOURCES))
    if unknown:
        parser.error(f"{unknown[0]} is not one of {', '.join(SOURCES)}")
    return options


def _print_problems(built: Built) -> None:
    for problem in built.problems[:_SHOWN]:
        print(f"  {problem}")
    if len(built.problems) > _SHOWN:
        print(f"  and {len(built.problems) - _SHOWN} more")
