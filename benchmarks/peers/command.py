"""Measure our model beside Resemblyzer 0.1.4 and CAM++ zh-en, in one run, on the same clips.

    VOICEPRINT_CORPORA=corpora scripts/compare_peers -o reports/peers

EER is over all pairs of utterances by cosine, with no normalisation; every clip of a split counts, and where
a system fails on one, all systems are also scored on the clips that none failed on. Intervals (95 %) are for
other speakers like these. Our model embeds the whole clip (no speech detector), and so does CAM++.
Resemblyzer trims silence, as its own `preprocess_wav` does, and is measured without that as well. Of some
short clips nothing is left: it answers with the embedding of silence, which counts, and counts as a failure.

The peers are installed into an environment of their own (.venv-peers), with our exact versions and without
their dependencies; nothing of them is kept in this repository. Embeddings are kept in --cache by model and
clips, so that a run that was stopped goes on, and another model is compared without embedding with the peers
again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.peers.environment import DEFAULT_ENVIRONMENT, make_environment
from benchmarks.peers.report import make_report, write_report
from benchmarks.peers.rows import ROWS, measure_row, measure_speed
from benchmarks.peers.systems import OurSystem, System, peer_systems
from benchmarks.program import ROOT, add_corpora, make_parser

DEFAULT_CACHE = ROOT / "runs" / "peers"
"""Where clips and embeddings are kept."""


def main() -> None:
    """Measure every row with every system, and write the report."""
    options = _parse()
    make_environment(options.environment)
    ours = [] if options.peers_only else map(OurSystem, options.model or [None])
    systems: list[System] = [*ours, *peer_systems(options.environment)]
    # First, in a process that has done nothing else: so are the peers timed.
    speed = measure_speed(systems, corpora=options.corpora, cache=options.cache)
    rows = []
    for row in ROWS:
        if options.rows and row.name not in options.rows:
            continue
        print(f"{row.title} ...", file=sys.stderr, flush=True)
        rows.append(
            measure_row(
                row,
                systems,
                corpora=options.corpora,
                cache=options.cache,
                limit=options.limit,
                repetitions=options.repetitions,
            )
        )
    write_report(make_report(systems, rows, speed, limit=options.limit), options.output)


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument(
        "--model", type=Path, action="append", help="a model folder; may be repeated (the packaged one)"
    )
    parser.add_argument(
        "--peers-only", action="store_true", help="leave our model out: no look at a test split is spent"
    )
    parser.add_argument("-o", "--output", type=Path, help="folder for peers.json and peers.md")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="clips and embeddings")
    parser.add_argument("--environment", type=Path, default=DEFAULT_ENVIRONMENT, help="of the peers")
    parser.add_argument("--rows", nargs="*", choices=[row.name for row in ROWS], help="only these")
    parser.add_argument(
        "--limit", type=int, default=0, help="clips per speaker, to try things out (0: every clip)"
    )
    parser.add_argument("--repetitions", type=int, default=1000, help="draws of speakers (1000)")
    return parser.parse_args()
