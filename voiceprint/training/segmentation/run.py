"""From a segmentation recipe to a run: phrases, rooms, the trainer; started or continued."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from voiceprint.config import build
from voiceprint.training.augment import RoomBank
from voiceprint.training.locks import locked_run
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.checkpoint import load_weights
from voiceprint.training.run.recipe import read_saved_table, require_begun_with, save_recipe
from voiceprint.training.run.task import open_noise, read_corpora
from voiceprint.training.run.trainer import StepReport, Trainer
from voiceprint.training.segmentation.network import SegmentationNetwork
from voiceprint.training.segmentation.phrases import PhraseBank
from voiceprint.training.segmentation.powerset import PowersetLoss
from voiceprint.training.segmentation.recipe import SegmentationRecipe
from voiceprint.training.segmentation.windows import (
    SegmentationSuite,
    WindowDataset,
    window_loader,
    windows_of,
)

Progress = Callable[[str, int, int], None]


def train_segmentation(
    recipe: SegmentationRecipe,
    *,
    corpora: Path,
    folder: Path,
    resume: bool = False,
    progress: Progress = lambda what, done, total: None,
    report: Callable[[StepReport], None] = lambda done: None,
) -> bool:
    """Train, or go on: SIGTERM and Ctrl-C save a checkpoint first.

    Parameters
    ----------
    folder : Path
        The run: ``recipe.json``, ``metrics.jsonl``, ``checkpoints/`` and what people say, ``phrases.pcm``.
    resume : bool
        Continue from the newest checkpoint; start from nothing where there is none.
    progress : callable
        ``progress(what, done, total)`` while phrases and rooms are made.

    Returns
    -------
    bool
        Whether the last step is done.

    Raises
    ------
    ConfigError
        The run was begun with another recipe; only ``[trainer]`` and ``workers`` may change.
    CorpusError
        A corpus is missing, or too much of it cannot be read.
    TrainingError
        The folder holds a run and `resume` is not set, or it cannot be written.
    """
    with locked_run(folder):
        require_begun_with(recipe, folder, read_run, resume=resume, free=("trainer", "conversations.workers"))
        trainer = _make_trainer(recipe, corpora=corpora, folder=folder, progress=progress)
        trainer.begin(resume=resume)
        trainer.run(report)
    return trainer.finished


def read_run(folder: Path) -> SegmentationRecipe:
    """Read the recipe of a run; ConfigError where the folder holds none."""
    return build(SegmentationRecipe, read_saved_table(folder))


def _make_trainer(recipe: SegmentationRecipe, *, corpora: Path, folder: Path, progress: Progress) -> Trainer:
    talking = read_corpora(corpora, recipe.data.train, split="train")
    held_out = read_corpora(corpora, recipe.data.dev, split="dev")
    (talking + held_out).require_disjoint_splits()
    noise = open_noise(corpora, recipe.data.noise) if recipe.data.noise else None
    rooms = RoomBank.open(folder, progress=partial(progress, "rendering rooms"))
    make = partial(WindowDataset, config=recipe.conversations, noise=noise, rooms=rooms)
    training = make(
        bank=PhraseBank.open(folder / "train", talking, progress=partial(progress, "finding phrases")),
        seed=recipe.seed,
    )
    validation = make(
        bank=PhraseBank.open(folder / "dev", held_out, progress=partial(progress, "finding phrases")), seed=0
    )
    save_recipe(recipe, folder)
    torch.manual_seed(recipe.seed)  # of the weights
    network = SegmentationNetwork(recipe.network)
    if recipe.data.network:
        load_weights(network, Path(recipe.data.network))
    elif recipe.data.encoder:
        network.front.start_from(Path(recipe.data.encoder))
    suite = SegmentationSuite(_validation_windows(validation))
    return Trainer(
        network,
        cast(CombinedLoss, PowersetLoss()),  # it has what the trainer asks of one
        loader=partial(window_loader, training),
        validate=suite,
        criterion=suite.criterion,
        optimizer=recipe.optimizer,
        config=recipe.trainer,
        folder=folder,
    )


def _validation_windows(dataset: WindowDataset) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(dataset.seed)
    conversations = [dataset.conversation(generator) for _ in range(dataset.config.validation)]
    return [pair for each in conversations for pair in windows_of(each, dataset.config.window)]
