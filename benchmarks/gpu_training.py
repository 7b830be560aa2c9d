"""Train on a pack for some minutes, and leave a run in files small enough to be carried back.

    scripts/train_on_gpu runs/pack RECIPE -o out --minutes 9 --set 'data.voices=[]' --set batches.workers=14

Unpacks with all cores, trains on the GPU where there is one, and stops before the time is over. OUT holds the
run, its newest checkpoint whole, but in parts below 16 MB each. At home it goes on with the corpora and the
pool that were packed, and with the same --set, but for [trainer] and the workers:

    voiceprint train RECIPE -o out --resume --pool runs/pool --set 'data.voices=[]'

The best checkpoint stays behind: it was the best on packed clips. With the same OUT, this goes on, too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.program import make_parser
from voiceprint.errors import ConfigError
from voiceprint.training.data.packs import unpack
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.checkpoint import LAST, read_checkpoint, split_checkpoint, write_checkpoint
from voiceprint.training.run.launch import train
from voiceprint.training.run.recipe import read_recipe
from voiceprint.training.run.trainer import StepReport
from voiceprint.workers import available_cpus

PART_BYTES = 15_000_000


class UntilTime(Callbacks):
    """Ends a run when a clock says so, and prints how it goes.

    Parameters
    ----------
    clock : callable
        Gives seconds.
    end : float
        The time after which no step begins.
    """

    def __init__(self, clock: Callable[[], float], end: float) -> None:
        self._clock, self._end = clock, end

    def enough(self) -> bool:
        """Return whether the time is over."""
        return self._clock() >= self._end

    def precision_chosen(self, precision: str, reason: str) -> None:
        """Print the number format."""
        print(f"{precision}: {reason}; {self._end - self._clock():.0f} s are left", flush=True)

    def stepped(self, report: StepReport) -> None:
        """Print every hundredth step, and every validation."""
        if report.step % 100 == 0 or report.measures:
            eer = f", dev EER {100 * report.measures['eer']:.2f} %" if report.measures else ""
            left = self._end - self._clock()
            print(f"step {report.step}: loss {report.loss:.3f}{eer}; {left:.0f} s are left", flush=True)


def main(arguments: Sequence[str] | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Unpack, train until the time is over, and take the checkpoint apart."""
    begun = clock()
    parser = make_parser(__doc__)
    parser.add_argument("pack", type=Path, help="folder that scripts/pack_speech wrote")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--minutes", type=float, default=9.0, help="from the start to the last step (9)")
    parser.add_argument("--init", type=Path, metavar="MODEL", help="model to start from, or default")
    parser.add_argument("--device", help="cpu or cuda (cuda where there is one)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    options = parser.parse_args(arguments)
    recipe = read_recipe(options.recipe, options.set)
    if recipe.data.voices:
        raise ConfigError("data.voices: a pack holds the speakers' own alone; add --set 'data.voices=[]'")
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder)
        print(
            f"{unpack(options.pack, pool, jobs=available_cpus()).title} in {clock() - begun:.0f} s",
            flush=True,
        )
        outcome = train(
            recipe,
            corpora=options.pack,
            pool=pool,
            folder=options.output,
            resume=True,
            init=options.init,
            device=options.device or ("cuda" if torch.cuda.is_available() else "cpu"),
            callbacks=UntilTime(clock, begun + 60 * options.minutes),
        )
    parts = _make_portable(options.output / "checkpoints")
    print(f"{options.output}: step {outcome.step} of {outcome.steps}, {len(parts)} parts of a checkpoint")


def _make_portable(checkpoints: Path) -> list[Path]:
    """Leave of a run's checkpoints the newest, in parts, without the rate that was best on packed clips."""
    last = checkpoints / LAST
    tensors, state = read_checkpoint(last)
    write_checkpoint(last, tensors, state | {"best": None, "since_best": 0})
    (checkpoints / "best.safetensors").unlink(missing_ok=True)
    return split_checkpoint(last, part_bytes=PART_BYTES)
