"""From a countermeasure's recipe to a run: banks, noise, rooms, the trainer; started or continued."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import torch

from voiceprint.config import build
from voiceprint.errors import TrainingError
from voiceprint.training.augment import Augmenter, RoomBank
from voiceprint.training.countermeasure.bank import ClipBank
from voiceprint.training.countermeasure.batches import PairMaker, SpoofBanks
from voiceprint.training.countermeasure.network import CountermeasureNetwork, KindLoss
from voiceprint.training.countermeasure.recipe import CountermeasureRecipe
from voiceprint.training.countermeasure.suite import CountermeasureSuite
from voiceprint.training.data.rendered import RenderedBatches, rendered_loader
from voiceprint.training.distributed import Group, joined_group
from voiceprint.training.locks import locked_run
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.checkpoint import load_into, load_weights, read_checkpoint
from voiceprint.training.run.recipe import read_saved_table, require_begun_with, save_recipe
from voiceprint.training.run.task import open_noise
from voiceprint.training.run.trainer import StepReport, Trainer


def train_countermeasure(
    recipe: CountermeasureRecipe,
    *,
    corpora: Path,
    folder: Path,
    resume: bool = False,
    report: Callable[[StepReport], None] = lambda done: None,
) -> bool:
    """Train, alone or as one of the processes that ``torchrun`` started; or go on.

    SIGTERM and Ctrl-C save a checkpoint first.

    Parameters
    ----------
    folder : Path
        The run: ``recipe.json``, ``metrics.jsonl``, ``checkpoints/`` and the rooms.
    resume : bool
        Continue from the newest checkpoint; start from nothing where there is none.

    Returns
    -------
    bool
        Whether the last step is done.

    Raises
    ------
    ConfigError
        The run was begun with another recipe; only ``[trainer]`` and ``workers`` may change.
    TrainingError
        A bank is missing; the folder holds a run and `resume` is not set; or it cannot be written.
    """
    with locked_run(folder), joined_group() as group:
        require_begun_with(
            recipe, folder, read_countermeasure_run, resume=resume, free=("trainer", "pairs.workers")
        )
        trainer = _make_trainer(recipe, corpora=corpora, folder=folder, group=group)
        trainer.begin(resume=resume)
        trainer.run(report)
    return trainer.finished


def read_countermeasure_run(folder: Path) -> CountermeasureRecipe:
    """Read the recipe of a run; ConfigError where the folder holds none."""
    return build(CountermeasureRecipe, read_saved_table(folder))


def load_countermeasure_run(
    folder: Path, *, checkpoint: str = "best"
) -> tuple[CountermeasureNetwork, dict[str, Any]]:
    """Read the averaged weights of a run, and the state of the checkpoint.

    Raises
    ------
    ConfigError, TrainingError
        There is no such run, or no such checkpoint.
    """
    network = CountermeasureNetwork(read_countermeasure_run(folder).network)
    path = folder / "checkpoints" / f"{checkpoint}.safetensors"
    tensors, state = read_checkpoint(path)
    load_into(network, tensors, prefix="average.", path=path)
    return network.eval(), state


def open_speech(folder: Path, *, without: tuple[str, ...] = ()) -> SpoofBanks:
    """Open all banks of a split's folder, but for some.

    Raises
    ------
    TrainingError
        If none is there, or one of those left out is not.
    """
    names = sorted(path.stem for path in folder.glob("*.json"))
    if missing := set(without) - set(names):
        raise TrainingError(f"{folder}: has no bank {', '.join(sorted(missing))} to leave out")
    return SpoofBanks([ClipBank.open(folder, name) for name in names if name not in without])


def open_pairs(recipe: CountermeasureRecipe, *, corpora: Path, folder: Path) -> RenderedBatches:
    """Open what a recipe trains with; its batches can be made ahead, in the run's folder."""
    speech = open_speech(Path(recipe.data.banks) / "train", without=recipe.data.without)
    rooms = RoomBank.open(folder)

    @cache
    def augmenter() -> Augmenter:
        return Augmenter(recipe.augment, noise=open_noise(corpora, recipe.data.noise), rooms=rooms)

    make = PairMaker(speech=speech, config=recipe.pairs, augmenter=augmenter, rooms=rooms, seed=recipe.seed)
    return RenderedBatches(
        make=make, count=recipe.pairs.batches, folder=folder / "batches", workers=recipe.pairs.workers
    )


def _make_trainer(recipe: CountermeasureRecipe, *, corpora: Path, folder: Path, group: Group) -> Trainer:
    dataset = open_pairs(recipe, corpora=corpora, folder=folder)
    held_out = open_speech(Path(recipe.data.banks) / "dev")
    suite = CountermeasureSuite(held_out, most=recipe.pairs.validation)
    if group.leads:
        save_recipe(recipe, folder)
    torch.manual_seed(recipe.seed)  # of the weights
    network = CountermeasureNetwork(recipe.network)
    if recipe.data.network:
        load_weights(network, Path(recipe.data.network))
    return Trainer(
        network,
        cast(CombinedLoss, KindLoss()),  # it has what the trainer asks of one
        loader=partial(rendered_loader, dataset, rank=group.rank, size=group.size),
        validate=suite,
        criterion=suite.criterion,
        embed=recipe.spec_augment.embed,
        optimizer=recipe.optimizer,
        config=recipe.trainer,
        folder=folder,
        group=group,
    )
