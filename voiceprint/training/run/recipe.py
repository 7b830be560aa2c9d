"""A recipe: everything a training run is made of, as one TOML file says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voiceprint.errors import ConfigError
from voiceprint.files.whole import write_whole
from voiceprint.training.augment import AugmentConfig
from voiceprint.training.augment.masking import SpecAugmentConfig
from voiceprint.training.config import apply_overrides, build, read_toml
from voiceprint.training.data.batches import BatchConfig, PairBatches, SpeakerBatches, TripletBatches
from voiceprint.training.data.voices import Voice
from voiceprint.training.encoders import ConvBiLSTMConfig, EncoderConfig
from voiceprint.training.losses import LossConfig
from voiceprint.training.losses.config import COMPARERS, require_distinct
from voiceprint.training.run.optimizer import OptimizerConfig
from voiceprint.training.run.trainer import TrainerConfig
from voiceprint.training.run.validation import ValidationConfig

__all__ = [
    "DataConfig",
    "Recipe",
    "distils",
    "read_recipe",
    "read_saved_recipe",
    "read_saved_table",
    "save_recipe",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """The ``[data]`` table of a recipe. Corpora are folders with a ``manifest.csv`` under one root.

    Parameters
    ----------
    train, dev : tuple of str
        Corpora whose ``train`` and ``dev`` splits are used; classification is given its clips instead.
    noise : str
        Corpus of noise recordings; empty for none.
    noise_split : str
        The split of it that is used; empty for all of it.
    voices : tuple of Voice
        Further speakers made of every speaker: one rendered voice each.
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
        The seed is negative, there is no loss or one is listed twice, or a loss compares other rows than the
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


def distils(recipe: Recipe) -> bool:
    """Whether the recipe learns from a teacher's embeddings."""
    return any(loss.name == "distillation" for loss in recipe.loss)
