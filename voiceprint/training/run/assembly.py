"""From a recipe and a task to a running trainer: pool, batches, augmentation, encoder, loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from voiceprint.errors import ConfigError, ModelError
from voiceprint.model.card import WEIGHTS_FILE, read_model_card
from voiceprint.model.registry import resolve_model
from voiceprint.training.augment import AugmentConfig, Augmenter, NoiseBank, RoomBank
from voiceprint.training.data.batches import Batch, CropDataset, make_loader, make_sampler
from voiceprint.training.data.pool import Pool, open_pool
from voiceprint.training.distributed import Group
from voiceprint.training.encoders import make_encoder
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.checkpoint import load_weights
from voiceprint.training.run.recipe import Recipe, distils, save_recipe
from voiceprint.training.run.task import Noise, Task, verification_task
from voiceprint.training.run.trainer import Loader, Trainer


def make_trainer(
    recipe: Recipe,
    *,
    corpora: Path,
    pool: Path,
    folder: Path,
    task: Task | None = None,
    group: Group | None = None,
    init: Path | None = None,
) -> Trainer:
    """Put a recipe together.

    Parameters
    ----------
    recipe, corpora, task
        As for `voiceprint.training.run.launch.train`.
    pool : Path
        Rendered training speech (`voiceprint.training.data.pool`).
    folder : Path
        The run; the effective recipe is saved there as ``recipe.json``.
    group, init
        As for `Trainer` and `weights_of`.

    Raises
    ------
    ConfigError
        The recipe asks for what the data does not have.
    CorpusError
        A corpus or the pool is missing, empty or another than the recipe's.
    ModelError
        There is no model ``init``, or it has no weights.
    TrainingError
        The weights of ``init`` are of another shape.
    """
    group = group or Group()
    task = task or verification_task(recipe, corpora)
    speech = open_pool(pool, task.speech, voices=1 + len(recipe.data.voices))
    speech.require_voices(recipe.data.voices, seed=recipe.seed)
    targets = _distillation_targets(recipe, speech)
    loader = _crop_loader(recipe, speech, task.noise, group=group, targets=targets)
    encoder = _make_encoder(recipe, init)
    loss = _make_loss(recipe, speech, targets)
    suite = task.suite(loss)
    if group.leads:
        save_recipe(recipe, folder)
    return Trainer(
        encoder,
        loss,
        loader=loader,
        embed=recipe.spec_augment.embed,
        validate=suite,
        criterion=suite.criterion,
        optimizer=recipe.optimizer,
        config=recipe.trainer,
        folder=folder,
        group=group,
    )


def _make_encoder(recipe: Recipe, init: Path | None) -> nn.Module:
    encoder = make_encoder(recipe.encoder, seed=recipe.seed)
    if init is not None:
        load_weights(encoder, weights_of(init))
    return encoder


def _make_loss(recipe: Recipe, speech: Pool, targets: NDArray[np.float32] | None) -> CombinedLoss:
    return CombinedLoss(
        recipe.loss,
        dim=recipe.encoder.dim,
        n_classes=len(speech.classes),
        teacher_dim=None if targets is None else targets.shape[1],
        seed=recipe.seed,
    )


def training_batches(recipe: Recipe, speech: Pool, noise: Noise, *, steps: int) -> Iterator[Batch]:
    """The crops of the first steps of a run, augmented as in training; without a teacher's embeddings.

    Raises
    ------
    ConfigError
        The recipe asks for what the data does not have.
    """
    return _crop_loader(recipe, speech, noise, group=Group(), targets=None)(0, steps)


def _crop_loader(
    recipe: Recipe,
    speech: Pool,
    noise: Noise,
    *,
    group: Group,
    targets: NDArray[np.float32] | None,
) -> Loader:
    dataset = CropDataset(
        speech,
        recipe.batches,
        augment=_make_augmenter(recipe.augment, speech, noise.training),
        targets=targets,
        seed=recipe.seed,
    )
    sampler = make_sampler(
        recipe.batches,
        speech.speakers,
        corpora=speech.corpora,
        seed=recipe.seed,
        rank=group.rank,
        world_size=group.size,
    )
    pin_memory = group.device.type == "cuda"
    return lambda start, stop: iter(
        make_loader(dataset, sampler, start=start, stop=stop, pin_memory=pin_memory)
    )


def weights_of(model: Path) -> Path:
    """The torch weights of a model: a folder, a registered name, or ``default``.

    Raises
    ------
    ModelError
        There is no such model, or it has no weights.
    """
    folder = resolve_model(model)
    title = read_model_card(folder).title
    path = folder / WEIGHTS_FILE
    if not path.exists():
        raise ModelError(
            f"{folder}: {title} has no {WEIGHTS_FILE} to start training from: imported models have none, and "
            "the installed package leaves that of its own out; name a model folder that voiceprint models "
            "export wrote, or voiceprint/models/default of a checkout",
            path=str(folder),
        )
    return path


def _distillation_targets(recipe: Recipe, speech: Pool) -> NDArray[np.float32] | None:
    if not distils(recipe):
        return None
    targets = speech.speaker_targets(recipe.data.teacher_mix)
    if targets is None:
        raise ConfigError(
            f"[[loss]] distillation: the pool {speech.folder} has no teacher's embeddings; name a teacher's "
            "model folder, or take the loss out of the recipe"
        )
    return targets


def _make_augmenter(config: AugmentConfig, speech: Pool, noise: NoiseBank | None) -> Augmenter:
    rooms = RoomBank.open(speech.folder) if config.reverberation else None
    return Augmenter(config, noise=noise, babble=partial(_excerpt, speech), rooms=rooms)


def _excerpt(speech: Pool, generator: Generator, length: int) -> NDArray[np.float32]:
    """Any training speaker talking for ``length`` samples."""
    index = int(generator.integers(len(speech)))
    spare = speech.utterances[index].samples - length
    start = int(generator.integers(spare + 1)) if spare > 0 else 0
    excerpt: NDArray[np.float32] = np.resize(speech.read(index, start, start + length), length)
    return excerpt
