"""Train the word checker of challenges, and write its folder.

    scripts/train_challenge configs/challenge.toml -o runs/challenge --resume
    scripts/train_challenge -o runs/challenge --export voiceprint/models/challenge

Ctrl-C and SIGTERM save a checkpoint; --resume goes on from it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.program import add_corpora, make_parser
from voiceprint.errors import VoiceprintError
from voiceprint.training.challenge.export import export_challenge
from voiceprint.training.challenge.recipe import read_word_recipe
from voiceprint.training.challenge.run import train_challenge
from voiceprint.training.run.trainer import StepReport


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or export, as the options say; returns 0 when done, 2 after an error, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        if options.export is not None:
            print(export_challenge(options.output, options.export, corpora=options.corpora))
            return 0
        if options.recipe is None:
            raise VoiceprintError("no recipe is given, such as configs/challenge.toml")
        finished = train_challenge(
            read_word_recipe(options.recipe, tuple(options.set)),
            corpora=options.corpora,
            folder=options.output,
            resume=options.resume,
            report=_tell_step,
        )
    except VoiceprintError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0 if finished else 130


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("recipe", type=Path, nargs="?", help="such as configs/challenge.toml")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the run's folder")
    add_corpora(parser)
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the model's folder instead")
    return parser


def _tell_step(done: StepReport) -> None:
    if done.measures is not None:
        figures = ", ".join(f"{name} {100 * value:.2f} %" for name, value in done.measures.items())
        print(f"step {done.step}: loss {done.loss:.3f}, {figures}", flush=True)
    elif done.step % 50 == 0:
        print(f"step {done.step}: loss {done.loss:.3f}", flush=True)
