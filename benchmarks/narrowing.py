"""Narrow the encoder of a run, so that it takes less time a clip, into a run that training goes on with.

    scripts/narrow_run runs/default -o runs/narrow --hidden 96 --attention 64
    voiceprint train RECIPE -o runs/narrow --resume

The LSTM cells and attention units that the embeddings of training clips need least are removed; see
voiceprint/training/export/narrowing.py. The new run stands at the step of the old one's best checkpoint.
RECIPE has to say what the new run's recipe.json does.
"""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress

from benchmarks.program import make_parser
from voiceprint.training.export.narrowing import narrow_run


def main() -> None:
    """Narrow a run, and print how far its embeddings moved."""
    parser = make_parser(__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the new run")
    parser.add_argument("--pool", type=Path, help="the run's decoded speech (pool beside the run)")
    parser.add_argument("--hidden", type=int, required=True, help="LSTM cells a direction to keep")
    parser.add_argument("--attention", type=int, required=True, help="units of the attention to keep")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change of the new run's recipe"
    )
    options = parser.parse_args()
    with Progress(transient=True) as shown:
        rounds = shown.add_task("choosing what to keep", total=None)
        moved = narrow_run(
            options.run,
            options.output,
            pool=options.pool or options.run.parent / "pool",
            hidden=options.hidden,
            attention=options.attention,
            overrides=options.set,
            progress=lambda done, total: shown.update(rounds, completed=done, total=total),
        )
    print(f"{options.output}: embeddings moved by a mean cosine distance of {moved:.4f}")
