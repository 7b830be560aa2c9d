"""Measure what a training step costs one core, part by part: the numbers of docs/explanation/scaling.md.

    scripts/benchmark_training configs/default.toml --pool runs/pool --corpora corpora

Times are of the process (CPU), one thread, so other work on the machine matters little. The C library's
allocator is set as training sets it, or left as it comes (--plain-allocator), in a process of its own for
each: what one has done to the heap stays. Nothing is trained or written. The dev suite is not run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.program import add_corpora, make_parser
from benchmarks.timing import peak_bytes, spent
from voiceprint.audio import SAMPLE_RATE
from voiceprint.training.data.batches import Batch
from voiceprint.training.run.assembly import make_trainer
from voiceprint.training.run.memory import keep_freed_memory
from voiceprint.training.run.recipe import read_recipe
from voiceprint.training.run.trainer import Trainer


def main() -> None:
    """Time some steps of a recipe."""
    parser = make_parser(__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--pool", type=Path, required=True, help="decoded speech of the recipe")
    add_corpora(parser)
    parser.add_argument("--steps", type=int, default=20, help="steps measured (20)")
    parser.add_argument(
        "--plain-allocator", action="store_true", help="give freed memory back, as glibc does"
    )
    parser.add_argument("--set", action="append", default=[], help="change a value of the recipe")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if not options.plain_allocator:
        keep_freed_memory()
    recipe = read_recipe(options.recipe, ["batches.workers=0", *options.set])
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe, corpora=options.corpora, pool=options.pool, folder=Path(folder))
        batches = list(_timed("making a batch (read, augment)", trainer.loader(0, options.steps)))
        _report(trainer, batches)


def _timed(what: str, items: Iterator[Batch]) -> Iterator[Batch]:
    seconds, count = 0.0, 0
    while True:
        start = time.process_time()
        item = next(items, None)
        if item is None:
            break
        seconds, count = seconds + time.process_time() - start, count + 1
        yield item
    print(f"{what:<34}{seconds / count:8.3f} s CPU a step")


def _report(trainer: Trainer, batches: Sequence[Batch]) -> None:
    clips, samples = batches[0].waveforms.shape[0], sum(batch.waveforms.shape[1] for batch in batches)
    front_end = _front_end_seconds(trainer, batches)
    trainer._train_step(iter(batches[:1]))  # the first makes the optimizer's moments
    steps = iter(batches)
    step = spent(lambda: [trainer._train_step(steps) for _ in batches]).processor / len(batches)
    parameters = sum(parameter.numel() for parameter in trainer.encoder.parameters())
    audio = clips * samples / len(batches) / SAMPLE_RATE
    print(f"{'training step, MFCCs included':<34}{step:8.3f} s CPU a step")
    print(f"{'  of which MFCCs':<34}{front_end:8.3f} s CPU a step")
    print(f"{'crops a step':<34}{clips:8d}   of {audio / clips:.2f} s on average")
    print(f"{'speech a second of CPU':<34}{audio / step:8.1f} s")
    print(f"{'encoder parameters':<34}{parameters:8d}")
    print(f"{'peak memory':<34}{peak_bytes() / 2**20:8.0f} MiB")


def _front_end_seconds(trainer: Trainer, batches: Sequence[Batch]) -> float:
    front_end: Any = trainer.encoder.front_end
    with torch.inference_mode():
        took = spent(lambda: [front_end(batch.waveforms) for batch in batches])
    return took.processor / len(batches)
