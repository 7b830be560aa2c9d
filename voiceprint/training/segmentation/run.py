"""From a segmentation recipe to a run: phrases, rooms, the trainer; started or continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from voiceprint.corpus import Corpus, Unreadable, read_manifest
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import ConfigError, RunExistsError
from voiceprint.files.whole import write_whole
from voiceprint.training.augment import NoiseBank, RoomBank
from voiceprint.training.config import build
from voiceprint.training.locks import locked_run
from voiceprint.training.losses import CombinedLoss
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

__all__ = ["open_noise", "read_run", "read_talkers", "train_segmentation"]

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
    recipe : SegmentationRecipe
    corpora : Path
        Root of the corpora.
    folder : Path
        The run: ``recipe.json``, ``metrics.jsonl``, ``checkpoints/`` and what people say, ``phrases.pcm``.
    resume : bool
        Continue from the newest checkpoint; start from nothing where there is none.
    progress : callable
        ``progress(what, done, total)`` while phrases and rooms are made.
    report : callable
        Called after every step.

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
        _check_folder(recipe, folder, resume=resume)
        trainer = _make_trainer(recipe, corpora=corpora, folder=folder, progress=progress)
        if resume and trainer.last.exists():
            trainer.resume(trainer.last)
        else:
            trainer.cut_log()
        trainer.run(report)
    return trainer.finished


def read_run(folder: Path) -> SegmentationRecipe:
    """Read the recipe of a run; ConfigError where the folder holds none."""
    try:
        return build(SegmentationRecipe, json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: is no segmentation run: its recipe.json cannot be read") from error


def read_talkers(corpora: Path, names: tuple[str, ...], split: str) -> Corpus:
    """Read the utterances of one split of some corpora, one after another."""
    return Corpus(
        utterance
        for name in names
        for utterance in read_manifest(corpora / name / "manifest.csv", name=name)
        if utterance.split == split
    )


def open_noise(corpora: Path, name: str) -> NoiseBank:
    """Decode a corpus of noise; CorpusError where more than 1 % of it cannot be read."""
    recordings = Corpus(read_manifest(corpora / name / "manifest.csv", name=name))
    clips = list(read_utterances(recordings))
    require_readable([clip for clip in clips if isinstance(clip, Unreadable)], total=len(clips))
    return NoiseBank.from_arrays(
        (clip * 32767).astype(np.int16) for clip in clips if not isinstance(clip, Unreadable)
    )


def _make_trainer(recipe: SegmentationRecipe, *, corpora: Path, folder: Path, progress: Progress) -> Trainer:
    talking = read_talkers(corpora, recipe.data.train, "train")
    held_out = read_talkers(corpora, recipe.data.dev, "dev")
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
    _save_recipe(recipe, folder)
    torch.manual_seed(recipe.seed)  # of the weights
    suite = SegmentationSuite(_validation_windows(validation))
    return Trainer(
        SegmentationNetwork(recipe.network),
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


def _save_recipe(recipe: SegmentationRecipe, folder: Path) -> None:
    write_whole(folder / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")


def _check_folder(recipe: SegmentationRecipe, folder: Path, *, resume: bool) -> None:
    if not (folder / "checkpoints").exists():
        return
    if not resume:
        raise RunExistsError(f"{folder}: holds a run", advice="resume it, or name another folder")
    if _fixed(read_run(folder)) != _fixed(recipe):
        raise ConfigError(
            f"{folder}: was begun with another recipe; only [trainer] and conversations.workers may change "
            "on the way"
        )


def _fixed(recipe: SegmentationRecipe) -> SegmentationRecipe:
    """Return what of a recipe may not change while it is trained."""
    return replace(
        recipe,
        trainer=SegmentationRecipe(data=recipe.data).trainer,
        conversations=replace(recipe.conversations, workers=0),
    )
