"""Train the countermeasure, and write its folder.

    scripts/prepare_spoofs -o runs/spoof
    scripts/train_countermeasure configs/countermeasure.toml -o runs/countermeasure --resume
    scripts/train_countermeasure configs/countermeasure-replay.toml -o runs/replay --resume
    scripts/train_countermeasure -o runs/countermeasure --loudspeakers runs/replay --export runs/exported

Ctrl-C and SIGTERM save a checkpoint; --resume goes on from it. Batches may be made ahead by other processes:
`--render 0 500`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.program import make_parser
from voiceprint.errors import VoiceprintError
from voiceprint.training.countermeasure.export import export_countermeasure
from voiceprint.training.countermeasure.recipe import read_countermeasure_recipe
from voiceprint.training.countermeasure.run import open_pairs, train_countermeasure
from voiceprint.training.run.trainer import StepReport


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or export, as the options say; returns 0 when done, 2 after an error, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        if options.export is not None:
            given = {"loudspeakers": options.loudspeakers, "checkpoint": options.checkpoint}
            print(export_countermeasure(options.output, options.export, **given))
            return 0
        return _train(options)
    except VoiceprintError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> int:
    if options.recipe is None:
        raise VoiceprintError("no recipe is given, such as configs/countermeasure.toml")
    recipe = read_countermeasure_recipe(options.recipe, tuple(options.set))
    if options.render is not None:
        pairs = open_pairs(recipe, corpora=options.corpora, folder=options.output)
        for number in range(*options.render):
            pairs.render(number)
        return 0
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    finished = train_countermeasure(
        recipe,
        corpora=options.corpora,
        folder=options.output,
        resume=options.resume,
        report=_tell_step,
    )
    return 0 if finished else 130


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("recipe", type=Path, nargs="?", help="such as configs/countermeasure.toml")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the run's folder")
    parser.add_argument(
        "--corpora", type=Path, default=Path(os.environ.get("VOICEPRINT_CORPORA", "corpora")), help="root"
    )
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    parser.add_argument(
        "--render", type=int, nargs=2, metavar=("FIRST", "STOP"), help="only make these batches ahead"
    )
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the model's folder instead")
    parser.add_argument(
        "--loudspeakers", type=Path, metavar="RUN", help="with --export: the run that decides what was played"
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which one to export")
    return parser


def _tell_step(done: StepReport) -> None:
    if done.measures is not None:
        figures = ", ".join(f"{name} {100 * value:.1f} %" for name, value in done.measures.items())
        print(f"step {done.step}: loss {done.loss:.3f}, {figures}", flush=True)
    elif done.step % 50 == 0:
        print(f"step {done.step}: loss {done.loss:.3f}", flush=True)
