"""Pack what a recipe trains on into few megabytes, to train where the corpora are not.

    scripts/pack_speech configs/voiceprint-base.toml -o runs/pack --pool runs/pool --megabytes 25

The recipe's training speech is taken from the pool, in the speakers' own voices, with the teacher's
embeddings; dev clips and noise are taken from the corpora. All speakers are packed. Where not all clips fit,
everybody keeps as many seconds. scripts/train_on_gpu trains on the pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from benchmarks.program import add_corpora, make_parser
from voiceprint.training.data.packs import write_pack
from voiceprint.training.run.recipe import read_recipe
from voiceprint.training.run.task import read_corpora, read_training_speech


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a pack, and print what it holds."""
    parser = make_parser(__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the pack's folder")
    parser.add_argument("--pool", type=Path, required=True, help="decoded speech of the recipe")
    add_corpora(parser)
    parser.add_argument("--megabytes", type=float, default=40.0, help="size of all files together (40)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipe")
    options = parser.parse_args(arguments)
    recipe = read_recipe(options.recipe, options.set)
    beside = read_corpora(options.corpora, recipe.data.dev, split="dev").first_clips(
        recipe.validation.clips_per_speaker
    )
    if recipe.data.noise:
        beside += read_corpora(options.corpora, [recipe.data.noise], split=recipe.data.noise_split or None)
    with Progress(transient=True) as shown:
        clips = shown.add_task("encoding", total=None)
        about = write_pack(
            options.output,
            read_training_speech(recipe, options.corpora),
            beside=beside,
            pool=options.pool,
            limit=int(options.megabytes * 1e6),
            progress=lambda done, total: shown.update(clips, completed=done, total=total),
        )
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(f"{options.output}: {about.title}, {size / 1e6:.1f} MB")
