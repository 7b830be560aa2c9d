"""A recipe: everything a training run is made of, from one TOML file to a running trainer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import read_audio
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.errors import ConfigError
from voiceprint.training.augment import AugmentConfig, Augmenter, NoiseBank, RoomBank
from voiceprint.training.batches import BatchConfig, CropDataset, make_loader
from voiceprint.training.config import apply_overrides, build, read_toml
from voiceprint.training.distributed import Group
from voiceprint.training.encoders import ConvBiLSTM, ConvBiLSTMConfig
from voiceprint.training.losses import CombinedLoss, LossConfig
from voiceprint.training.pool import Pool
from voiceprint.training.samplers import SpeakerBatchSampler
from voiceprint.training.trainer import OptimizerConfig, Trainer, TrainerConfig
from voiceprint.training.validation import DevSuite, ValidationConfig

__all__ = ["DataConfig", "Recipe", "make_trainer", "read_corpora", "read_recipe"]

# Every so-manieth noise recording is kept for validation and never trained with.
_NOISE_HELD_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """The ``[data]`` table of a recipe. Corpora are folders with a ``manifest.csv`` under one root.

    Parameters
    ----------
    train, dev : tuple of str
        Corpora whose ``train`` and ``dev`` splits are used.
    noise : str
        Corpus of noise recordings; empty for none.
    voices : tuple of (float, float)
        Ranges of speed, one for each rendered voice beside the own one.
    teacher_mix : float
        0 takes the teacher's embedding of the clip itself as target, 1 the mean over its speaker.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    noise: str = ""
    voices: tuple[tuple[float, float], ...] = ()
    teacher_mix: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole recipe; see ``configs/default.toml``.

    Parameters
    ----------
    name : str
        What the model is called.
    seed : int
        Of weights, draws, crops and augmentation.
    data, encoder, batches, augment, optimizer, trainer, validation
        The tables of these names.
    loss : tuple of LossConfig
        The ``[[loss]]`` tables, summed.
    """

    name: str
    data: DataConfig
    loss: tuple[LossConfig, ...]
    seed: int = 0
    encoder: ConvBiLSTMConfig = field(default_factory=ConvBiLSTMConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and change what ``overrides`` (``section.key=value``) say.

    Raises
    ------
    ConfigError
        A key is unknown or a value is of the wrong type.
    """
    table = read_toml(path)
    apply_overrides(table, overrides)
    return build(Recipe, table)


def read_corpora(root: Path, names: Sequence[str], *, split: str | None = None) -> Corpus:
    """The corpora ``names`` under ``root``, one after another, cut down to one split.

    Raises
    ------
    ConfigError
        ``names`` is empty.
    CorpusError
        A corpus is missing, or nothing is left.
    """
    if not names:
        raise ConfigError("[data]: names no corpus; list at least one")
    corpus = Corpus(
        utterance for name in names for utterance in read_manifest(root / name / "manifest.csv", name=name)
    )
    return corpus if split is None else corpus.filter(split=split)


def make_trainer(
    recipe: Recipe,
    *,
    corpora: Path,
    pool: Path,
    folder: Path,
    group: Group | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Trainer:
    """Put a recipe together.

    Parameters
    ----------
    recipe : Recipe
        What to train.
    corpora : Path
        Root of the corpora.
    pool : Path
        Rendered training speech (`voiceprint.training.pool`).
    folder : Path
        The run; the effective recipe is saved there as ``recipe.json``.
    group, device
        As for `Trainer`.
    progress : callable, optional
        ``progress(done, rooms)`` while the rooms are rendered, once.
    """
    group = group or Group()
    speech = Pool(pool, voices=1 + len(recipe.data.voices))
    targets = speech.speaker_targets(recipe.data.teacher_mix) if _distils(recipe) else None
    if _distils(recipe) and targets is None:
        raise ConfigError(
            f"[[loss]] distillation: the pool {pool} has no teacher's embeddings; render it with a teacher"
        )
    training_noise, held_out = _read_noise(corpora, recipe.data.noise)
    dataset = CropDataset(
        speech,
        recipe.batches,
        augment=_make_augmenter(recipe.augment, speech, training_noise, pool, progress),
        targets=targets,
        seed=recipe.seed,
    )
    sampler = SpeakerBatchSampler(
        speech.speakers,
        speakers=recipe.batches.speakers,
        utterances=recipe.batches.utterances,
        balance=recipe.batches.balance,
        batches=1000,
        seed=recipe.seed,
        rank=group.rank,
        world_size=group.size,
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        encoder = ConvBiLSTM(recipe.encoder)
    loss = CombinedLoss(
        recipe.loss,
        dim=recipe.encoder.dim,
        n_classes=len(speech.classes),
        teacher_dim=None if targets is None else targets.shape[1],
        seed=recipe.seed,
    )
    _save_recipe(recipe, folder)
    return Trainer(
        encoder,
        loss,
        loader=lambda start, stop: iter(
            make_loader(dataset, sampler, start=start, stop=stop, pin_memory=device != "cpu")
        ),
        validate=DevSuite(
            read_corpora(corpora, recipe.data.dev, split="dev"), recipe.validation, noise=held_out
        ),
        optimizer=recipe.optimizer,
        config=recipe.trainer,
        folder=folder,
        group=group,
        device=device,
    )


def _distils(recipe: Recipe) -> bool:
    return any(loss.name == "distillation" for loss in recipe.loss)


def _save_recipe(recipe: Recipe, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n", encoding="utf-8")


def _read_noise(root: Path, name: str) -> tuple[NoiseBank | None, NoiseBank | None]:
    if not name:
        return None, None
    corpus = read_corpora(root, [name])
    clips = [(read_audio(u.path).samples * 32767).astype(np.int16) for u in corpus]
    held_out = clips[::_NOISE_HELD_OUT]
    training = [clip for index, clip in enumerate(clips) if index % _NOISE_HELD_OUT]
    return NoiseBank.from_arrays(training), NoiseBank.from_arrays(held_out)


def _make_augmenter(
    config: AugmentConfig,
    speech: Pool,
    noise: NoiseBank | None,
    cache: Path,
    progress: Callable[[int, int], None] | None,
) -> Augmenter:
    def voice(generator: Generator, length: int) -> NDArray[np.float32]:
        index = int(generator.integers(len(speech)))
        spare = speech.utterances[index].samples - length
        start = int(generator.integers(spare + 1)) if spare > 0 else 0
        excerpt: NDArray[np.float32] = np.resize(speech.read(index, start, start + length), length)
        return excerpt

    rooms = RoomBank.open(cache, progress=progress) if config.reverberation else None
    return Augmenter(config, noise=noise, babble=voice, rooms=rooms)
