"""A recipe: everything a training run is made of, as one TOML file says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voiceprint.config import apply_overrides, build, read_toml
from voiceprint.errors import ConfigError, RunExistsError
from voiceprint.files.whole import write_whole
from voiceprint.training.augment import AugmentConfig
from voiceprint.training.augment.masking import SpecAugmentConfig
from voiceprint.training.data.batches import BatchConfig, PairBatches, SpeakerBatches, TripletBatches
from voiceprint.training.data.voices import Voice
from voiceprint.training.encoders import ConvBiLSTMConfig, EncoderConfig
from voiceprint.training.losses import LossConfig
from voiceprint.training.losses.config import COMPARERS, require_distinct
from voiceprint.training.run.optimizer import OptimizerConfig
from voiceprint.training.run.trainer import TrainerConfig
from voiceprint.training.run.validation import ValidationConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


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
            "docs/explanation/baselines.md"
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


def save_recipe(recipe: DataclassInstance, folder: Path) -> None:
    """Write the effective recipe, of any kind, to ``recipe.json`` of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")


def require_begun_with(
    recipe: DataclassInstance,
    folder: Path,
    read: Callable[[Path], DataclassInstance],
    *,
    resume: bool,
    free: Sequence[str] = ("trainer", "batches.workers"),
) -> None:
    """Refuse to train into the folder of another run.

    Parameters
    ----------
    folder : Path
        The run; one without checkpoints has not begun.
    read : callable
        Reads the recipe that a run was begun with.
    free : sequence of str
        The keys and tables that may change on the way.

    Raises
    ------
    ConfigError
        The run was begun with another recipe.
    RunExistsError
        The folder holds a run, and ``resume`` is not set.
    """
    if not (folder / "checkpoints").exists():
        return
    if not resume:
        raise RunExistsError(f"{folder}: holds a run", advice="resume it, or name another folder")
    for key, before, now in _changed(asdict(read(folder)), asdict(recipe)):
        if not any(f"{key}.".startswith(f"{table}.") for table in free):
            raise ConfigError(
                f"{key}: the run in {folder} was begun with {before!r}, the recipe says {now!r}; only "
                f"{' and '.join(free)} may change on the way: train with the same recipe, or into another "
                "folder"
            )


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any], where: str = ""
) -> list[tuple[str, Any, Any]]:
    """What differs between two recipes: (key, before, now)."""
    found = []
    for key in sorted(set(before) | set(now)):
        name, old, new = f"{where}{key}", before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _changed(old, new, f"{name}.")
        elif old != new:
            found.append((name, old, new))
    return found


def distils(recipe: Recipe) -> bool:
    """Whether the recipe learns from a teacher's embeddings."""
    return any(loss.name == "distillation" for loss in recipe.loss)
