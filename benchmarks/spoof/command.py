"""Measure what is refused although the voice fits; the tables of docs/explanation/spoofing.md, challenge.md.

    VOICEPRINT_CORPORA=corpora scripts/benchmark_spoof
    scripts/benchmark_spoof --parts seen --split dev --clips 40

The part `seen` degrades recordings of each corpus as somebody would who plays them again, and compares other
takes of the same words. The part `challenge` lets people say words in an order, and holds others against it.
All choices were made on the dev speakers; the test speakers are measured only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.program import add_corpora, make_parser
from benchmarks.spoof.challenge import said_in_order
from benchmarks.spoof.parts import Options
from benchmarks.spoof.seen import seen_before

PARTS: Mapping[str, Callable[[Options], str]] = {"seen": seen_before, "challenge": said_in_order}
"""Each part measures and returns what is printed of it."""


def main() -> None:
    """Print each part."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--parts", nargs="+", choices=sorted(PARTS), default=list(PARTS), help="which (all)")
    parser.add_argument("--split", choices=["dev", "test"], default="test", help="whose speakers (test)")
    parser.add_argument("--clips", type=int, default=60, help="recordings of each corpus (60)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (0)")
    given = parser.parse_args()
    options = Options(corpora=given.corpora, split=given.split, clips=given.clips, seed=given.seed)
    print("\n\n".join(PARTS[part](options) for part in given.parts))
