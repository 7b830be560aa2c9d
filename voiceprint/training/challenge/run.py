"""From a word checker's recipe to a run: speech, noise, rooms, the trainer; started or continued."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from voiceprint.config import build
from voiceprint.training.augment import Augmenter, RoomBank
from voiceprint.training.challenge.batches import SequenceMaker
from voiceprint.training.challenge.network import OrderLoss, WordNetwork
from voiceprint.training.challenge.recipe import WordRecipe
from voiceprint.training.challenge.speech import WordSpeech
from voiceprint.training.challenge.suite import WordSuite
from voiceprint.training.data.batches import Batch
from voiceprint.training.data.rendered import RenderedBatches, rendered_loader
from voiceprint.training.distributed import Group, joined_group
from voiceprint.training.locks import locked_run
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.recipe import read_saved_table, require_begun_with, save_recipe
from voiceprint.training.run.task import open_noise, read_corpora
from voiceprint.training.run.trainer import StepReport, Trainer


def train_challenge(
    recipe: WordRecipe,
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
        The run: ``recipe.json``, ``metrics.jsonl``, ``checkpoints/``, ``batches/`` and the rooms.
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
    CorpusError
        A corpus is missing.
    TrainingError
        The folder holds a run and `resume` is not set, or it cannot be written.
    """
    with locked_run(folder), joined_group() as group:
        require_begun_with(
            recipe, folder, read_word_run, resume=resume, free=("trainer", "sequences.workers")
        )
        trainer = _make_trainer(recipe, corpora=corpora, folder=folder, group=group)
        trainer.begin(resume=resume)
        trainer.run(report)
    return trainer.finished


def read_word_run(folder: Path) -> WordRecipe:
    """Read the recipe of a run; ConfigError where the folder holds none."""
    return build(WordRecipe, read_saved_table(folder))


def _make_trainer(recipe: WordRecipe, *, corpora: Path, folder: Path, group: Group) -> Trainer:
    speech = WordSpeech.open(recipe.data, corpora)
    held_out = read_corpora(corpora, [recipe.data.words], split="dev")

    @cache
    def augmenter() -> Augmenter:
        return Augmenter(
            recipe.augment, noise=open_noise(corpora, recipe.data.noise), rooms=RoomBank.open(folder)
        )

    make = SequenceMaker(speech=speech, config=recipe.sequences, augmenter=augmenter, seed=recipe.seed)
    dataset = RenderedBatches(
        make=make, count=recipe.sequences.batches, folder=folder / "batches", workers=recipe.sequences.workers
    )
    suite = WordSuite([*held_out], each=recipe.sequences.validation)
    if group.leads:
        save_recipe(recipe, folder)
    torch.manual_seed(recipe.seed)  # of the weights
    return Trainer(
        WordNetwork(recipe.network),
        cast(CombinedLoss, OrderLoss()),  # it has what the trainer asks of one
        loader=partial(rendered_loader, dataset, rank=group.rank, size=group.size),
        validate=suite,
        criterion=suite.criterion,
        embed=partial(_embed, recipe),
        optimizer=recipe.optimizer,
        config=recipe.trainer,
        folder=folder,
        group=group,
    )


def _embed(recipe: WordRecipe, network: nn.Module, batch: Batch) -> Tensor:
    """Score a batch, masked; what dropout leaves out is the same however often a run was continued."""
    torch.manual_seed(int(batch.seeds[0]))
    return recipe.spec_augment.embed(network, batch)
