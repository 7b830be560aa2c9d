"""Train the diarizer's segmentation network, and write it as ONNX with its weights.

    scripts/train_segmentation configs/segmentation.toml -o runs/segmentation --resume
    scripts/train_segmentation -o runs/segmentation --export voiceprint/models/segmentation

Ctrl-C and SIGTERM save a checkpoint; --resume goes on from it.
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
from voiceprint.training.run.trainer import StepReport
from voiceprint.training.segmentation.export import export_segmentation
from voiceprint.training.segmentation.recipe import read_segmentation_recipe
from voiceprint.training.segmentation.run import train_segmentation


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or export, as the options say; returns 0 when done, 2 after an error, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        if options.export is not None:
            print(export_segmentation(options.output, options.export, checkpoint=options.checkpoint))
            return 0
        return _train(options)
    except VoiceprintError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> int:
    if options.recipe is None:
        raise VoiceprintError("no recipe is given, such as configs/segmentation.toml")
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    recipe = read_segmentation_recipe(options.recipe, tuple(options.set))
    finished = train_segmentation(
        recipe,
        corpora=options.corpora,
        folder=options.output,
        resume=options.resume,
        progress=_tell_progress,
        report=_tell_step,
    )
    return 0 if finished else 130


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("recipe", type=Path, nargs="?", help="such as configs/segmentation.toml")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the run's folder")
    parser.add_argument(
        "--corpora", type=Path, default=Path(os.environ.get("VOICEPRINT_CORPORA", "corpora")), help="root"
    )
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    parser.add_argument("--threads", type=int, default=1, help="of the network (default: 1)")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the network instead of training")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which one to export")
    return parser


def _tell_progress(what: str, done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        print(f"{what}: {done} of {total}", flush=True)


def _tell_step(done: StepReport) -> None:
    if done.measures is not None:
        figures = ", ".join(f"{name} {100 * value:.1f} %" for name, value in done.measures.items())
        print(f"step {done.step}: loss {done.loss:.3f}, {figures}", flush=True)
