"""A recipe: everything a training run is made of, from one TOML file to a running trainer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.card import read_model_card
from voiceprint.corpus import Corpus, Unreadable, read_manifest
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import ConfigError, CorpusError, ModelError
from voiceprint.registry import resolve_model
from voiceprint.training.augment import AugmentConfig, Augmenter, NoiseBank, RoomBank
from voiceprint.training.batches import (
    Batch,
    BatchConfig,
    CropDataset,
    PairBatches,
    SpeakerBatches,
    TripletBatches,
    make_loader,
    make_sampler,
)
from voiceprint.training.checkpoint import load_weights
from voiceprint.training.config import apply_overrides, build, read_toml
from voiceprint.training.criterion import Suite
from voiceprint.training.distributed import Group
from voiceprint.training.encoders import ConvBiLSTMConfig, EncoderConfig, make_encoder
from voiceprint.training.export import WEIGHTS_FILE
from voiceprint.training.losses import CombinedLoss, LossConfig
from voiceprint.training.losses.config import COMPARERS, require_distinct
from voiceprint.training.masking import SpecAugmentConfig
from voiceprint.training.pool import Pool, open_pool
from voiceprint.training.trainer import Loader, OptimizerConfig, Trainer, TrainerConfig
from voiceprint.training.validation import DevSuite, ValidationConfig
from voiceprint.training.voices import Voice
from voiceprint.whole_file import write_whole

__all__ = [
    "DataConfig",
    "Noise",
    "Recipe",
    "Task",
    "dev_suite",
    "distils",
    "make_trainer",
    "read_corpora",
    "read_noise",
    "read_recipe",
    "read_saved_recipe",
    "read_training_speech",
    "save_recipe",
    "training_batches",
    "verification_task",
    "weights_of",
]

# Every so-manieth noise recording is kept for validation and never trained with.
_NOISE_HELD_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """The ``[data]`` table of a recipe. Corpora are folders with a ``manifest.csv`` under one root.

    Parameters
    ----------
    train, dev : tuple of str
        Corpora whose ``train`` and ``dev`` splits are used; classification is told its clips instead.
    noise : str
        Corpus of noise recordings; empty for none.
    noise_split : str
        The split of it that is used; empty for all of it.
    voices : tuple of Voice
        What every speaker is also heard as: one rendered voice each, beside the own one.
    teacher_mix : float
        0 takes the teacher's embedding of the clip itself as target, 1 the mean over its speaker.
    teacher : str
        What the teacher is and under which terms, for the card; empty without one.
    """

    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    noise: str = ""
    noise_split: str = ""
    voices: tuple[Voice, ...] = ()
    teacher_mix: float = 0.5
    teacher: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole recipe; see ``configs/default.toml``.

    Parameters
    ----------
    name, version, description, licence : str
        What the model's card says: its name, release, one sentence about it, the licence of its weights.
    history : str
        For the card: what the weights went through before this recipe, where they did not start from nothing.
    seed : int
        Of weights, draws, crops and augmentation.
    data, encoder, batches, augment, spec_augment, optimizer, trainer, validation
        The tables of these names.
    loss : tuple of LossConfig
        The ``[[loss]]`` tables, summed.

    Raises
    ------
    ConfigError
        The seed is negative, there is no loss or one stands twice, or a loss compares other rows than the
        batches hold.
    """

    name: str
    loss: tuple[LossConfig, ...]
    data: DataConfig = field(default_factory=DataConfig)
    version: str = "1"
    description: str = ""
    licence: str = ""
    history: str = ""
    seed: int = 0
    encoder: EncoderConfig = field(default_factory=ConvBiLSTMConfig)
    batches: BatchConfig = field(default_factory=SpeakerBatches)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    spec_augment: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed: {self.seed}; give a whole number from 0 to 2^63 - 1")
        require_distinct(self.loss)
        for loss in self.loss:
            _require_rows(loss, self.batches)


def _require_rows(loss: LossConfig, batches: BatchConfig) -> None:
    """Refuse batches whose rows are not those that a loss compares."""
    if loss.mining == "given" and not isinstance(batches, TripletBatches):
        raise ConfigError(
            f"loss.mining: 'given' of {loss.name} takes the rows of batches.kind = 'triplets', not "
            f"{batches.kind!r}; change the kind, or mining to 'batch_hard'"
        )
    if loss.pairs == "adjacent" and not isinstance(batches, PairBatches):
        raise ConfigError(
            f"loss.pairs: 'adjacent' of {loss.name} takes the rows of batches.kind = 'pairs', not "
            f"{batches.kind!r}; change the kind, or pairs to 'all'"
        )
    if loss.name in COMPARERS and isinstance(batches, SpeakerBatches) and batches.utterances < 2:
        raise ConfigError(
            f"batches.utterances: {batches.utterances} of each speaker; {loss.name} compares those of one "
            "speaker, give 2 or more"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of a recipe, decoded.

    Parameters
    ----------
    training : NoiseBank or None
        What is trained with; None where the recipe names no noise.
    held_out : NoiseBank or None
        What is kept for the condition ``noise`` of the validation, where there is that.
    unreadable : tuple of Unreadable
        The recordings that are in neither.
    """

    training: NoiseBank | None = None
    held_out: NoiseBank | None = None
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a recipe is trained to do.

    Parameters
    ----------
    speech : Corpus
        What it is trained on; every speaker is a class.
    noise : Noise
        What it is heard in.
    suite : callable
        Makes what candidates are measured on, given the loss that is trained with the encoder.
    unreadable : tuple of Unreadable
        What of the noise and of the dev clips is left out.
    begin : callable
        Given the run's folder, writes down what the task is, or refuses to go on with another.
    """

    speech: Corpus
    noise: Noise
    suite: Callable[[CombinedLoss], Suite]
    unreadable: tuple[Unreadable, ...] = ()
    begin: Callable[[Path], None] = lambda folder: None


def verification_task(recipe: Recipe, corpora: Path) -> Task:
    """To tell voices apart that were never heard in training: the corpora of ``[data]`` and their dev EER.

    Noise and dev clips are read here and now, so that nothing is rendered for hours that cannot be validated.

    Raises
    ------
    ConfigError
        The validation asks for what the dev clips or the noise do not have.
    CorpusError
        A corpus is missing, a speaker is both trained and validated on, a dev corpus makes no trials of both
        kinds, or too many files of noise or dev clips cannot be read.
    """
    speech = read_training_speech(recipe, corpora)
    noise = read_noise(recipe, corpora)
    suite = dev_suite(recipe, corpora, noise)
    return Task(
        speech=speech, noise=noise, suite=lambda _: suite, unreadable=noise.unreadable + suite.unreadable
    )


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and change what ``overrides`` (``section.key=value``) say.

    Raises
    ------
    ConfigError
        A key is unknown, a value is of the wrong type, or the recipe is of a classic system, which trains no
        encoder.
    """
    table = read_toml(path)
    if "kind" in table:
        raise ConfigError(
            f"{path}: is the recipe of a classic system (kind = {table['kind']!r}), which trains no encoder; "
            "voiceprint classify train names people by it, scripts/reproduce_baselines measures it, see "
            "docs/baselines.md"
        )
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


def read_training_speech(recipe: Recipe, root: Path) -> Corpus:
    """The utterances that a recipe trains on.

    Raises
    ------
    CorpusError
        A corpus is missing, or a speaker is both trained and validated on.
    """
    train = read_corpora(root, recipe.data.train, split="train")
    (train + read_corpora(root, recipe.data.dev, split="dev")).require_disjoint_splits()
    return train


def read_saved_recipe(folder: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe that a run was made with, and change what ``overrides`` say.

    Raises
    ------
    ConfigError
        The folder holds no recipe, that of a classic system, or one that this version does not understand.
    """
    table = read_saved_table(folder)
    if "kind" in table:
        raise ConfigError(
            f"{folder}: is the run of a classic system (kind = {table['kind']!r}), which has no encoder to "
            "export or train on; voiceprint classify eval and predict take the run itself"
        )
    apply_overrides(table, overrides)
    return build(Recipe, table)


def read_saved_table(folder: Path) -> dict[str, Any]:
    """The tables of the recipe that a run was made with, of any kind.

    Raises
    ------
    ConfigError
        The folder holds no recipe.
    """
    path = folder / "recipe.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: is no training run: its recipe.json cannot be read") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{folder}: is no training run: its recipe.json holds no tables")
    return table


def save_recipe(recipe: Recipe, folder: Path) -> None:
    """Write the effective recipe to ``recipe.json`` of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")


def make_trainer(
    recipe: Recipe,
    *,
    corpora: Path,
    pool: Path,
    folder: Path,
    task: Task | None = None,
    group: Group | None = None,
    init: Path | None = None,
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
    task : Task, optional
        What to train it for; verification where left out.
    group : Group, optional
        As for `Trainer`.
    init : Path, optional
        Model whose weights training starts from, as for `weights_of`.
    progress : callable, optional
        ``progress(done, rooms)`` while the rooms are rendered, once.

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
    loader = _crop_loader(recipe, speech, task.noise, group=group, targets=targets, progress=progress)
    encoder = make_encoder(recipe.encoder, seed=recipe.seed)
    if init is not None:
        load_weights(encoder, weights_of(init))
    loss = CombinedLoss(
        recipe.loss,
        dim=recipe.encoder.dim,
        n_classes=len(speech.classes),
        teacher_dim=None if targets is None else targets.shape[1],
        seed=recipe.seed,
    )
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
    progress: Callable[[int, int], None] | None = None,
) -> Loader:
    dataset = CropDataset(
        speech,
        recipe.batches,
        augment=_make_augmenter(recipe.augment, speech, noise.training, speech.folder, progress),
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


def dev_suite(recipe: Recipe, corpora: Path, noise: Noise) -> DevSuite:
    """The clips that a recipe's candidates are measured on, with the noise that `read_noise` keeps for it.

    Raises
    ------
    ConfigError, CorpusError
        As for `verification_task`.
    """
    dev = read_corpora(corpora, recipe.data.dev, split="dev")
    return DevSuite(dev, recipe.validation, noise=noise.held_out)


def distils(recipe: Recipe) -> bool:
    """Whether the recipe learns from a teacher's embeddings."""
    return any(loss.name == "distillation" for loss in recipe.loss)


def _distillation_targets(recipe: Recipe, speech: Pool) -> NDArray[np.float32] | None:
    if not distils(recipe):
        return None
    targets = speech.speaker_targets(recipe.data.teacher_mix)
    if targets is None:
        raise ConfigError(
            f"[[loss]] distillation: the pool {speech.folder} has no teacher's embeddings; name a teacher's "
            "model folder with --teacher, or take the loss out of the recipe"
        )
    return targets


def read_noise(recipe: Recipe, corpora: Path) -> Noise:
    """Decode the noise of a recipe: what is trained with, and what is kept for a validation with noise.

    Raises
    ------
    CorpusError
        The corpus of noise is missing, or more than 1 % of its recordings cannot be read.
    """
    if not recipe.data.noise:
        return Noise()
    recordings = _noise_recordings(recipe, corpora)
    # The place in the corpus decides, so that an unreadable file moves no other into the validation.
    holds_out = "noise" in recipe.validation.conditions
    training: list[NDArray[np.int16]] = []
    held_out: list[NDArray[np.int16]] = []
    unreadable: list[Unreadable] = []
    for index, clip in enumerate(read_utterances(recordings)):
        if isinstance(clip, Unreadable):
            unreadable.append(clip)
        else:
            part = held_out if holds_out and index % _NOISE_HELD_OUT == 0 else training
            part.append((clip * 32767).astype(np.int16))
    require_readable(unreadable, total=len(recordings), what="recordings of noise")
    return Noise(
        training=NoiseBank.from_arrays(training),
        held_out=NoiseBank.from_arrays(held_out) if held_out else None,
        unreadable=tuple(unreadable),
    )


def _noise_recordings(recipe: Recipe, corpora: Path) -> Corpus:
    try:
        return read_corpora(corpora, [recipe.data.noise], split=recipe.data.noise_split or None)
    except CorpusError as error:
        raise CorpusError(
            f"the recipe's noise: {error}; or train without: --set data.noise= --set augment.noise=0 "
            "--set augment.peak_noise=0"
        ) from error


def _make_augmenter(
    config: AugmentConfig,
    speech: Pool,
    noise: NoiseBank | None,
    cache: Path,
    progress: Callable[[int, int], None] | None,
) -> Augmenter:
    rooms = RoomBank.open(cache, progress=progress) if config.reverberation else None
    return Augmenter(config, noise=noise, babble=partial(_excerpt, speech), rooms=rooms)


def _excerpt(speech: Pool, generator: Generator, length: int) -> NDArray[np.float32]:
    """Any training speaker talking for ``length`` samples."""
    index = int(generator.integers(len(speech)))
    spare = speech.utterances[index].samples - length
    start = int(generator.integers(spare + 1)) if spare > 0 else 0
    excerpt: NDArray[np.float32] = np.resize(speech.read(index, start, start + length), length)
    return excerpt
