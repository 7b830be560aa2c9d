"""The recipe of a countermeasure: banks, how pairs are made, the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voiceprint.config import apply_overrides, build, read_toml, require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.augment import AugmentConfig
from voiceprint.training.augment.masking import SpecAugmentConfig
from voiceprint.training.countermeasure.network import CountermeasureConfig
from voiceprint.training.run.optimizer import OptimizerConfig
from voiceprint.training.run.trainer import TrainerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoofData:
    """The ``[data]`` table.

    Parameters
    ----------
    banks : str
        The folder that `scripts/prepare_spoofs` made.
    noise : str
        A corpus of noise.
    without : tuple of str
        Banks that are left out of training.
    network : str
        Checkpoint of an earlier run, or exported weights of a single network, with which it starts; empty for
        random ones. The packaged countermeasure is two in one, so its weights do not fit.
    """

    banks: str
    noise: str = "noise"
    without: tuple[str, ...] = ()
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairConfig:
    """The ``[pairs]`` table: a live crop and a machine's, which share every degradation.

    Parameters
    ----------
    per_batch : int
        Pairs in a batch, of one length.
    batches : int
        How many batches are made; then they come again.
    seconds : (float, float)
        Shortest and longest crop.
    replayed : float
        Probability that the machine is a loudspeaker.
    spoken : float
        Probability that another machine spoke a text, and did not copy the person's clip.
    encoded : float
        Probability that a person's clip alone goes through Opus once more: a copy does too, so that no
        traces of two codecs tell it from the person.
    workers : int
        Processes that make batches.
    validation : int
        Dev clips of each kind and machine that candidates are measured on, at most.
    """

    per_batch: int = 16
    batches: int = 1000
    seconds: tuple[float, float] = (0.7, 4.0)
    replayed: float = 0.35
    spoken: float = 0.4
    encoded: float = 0.15
    workers: int = 1
    validation: int = 150

    def __post_init__(self) -> None:
        require_positive("pairs", self, "per_batch", "batches", "validation")
        require_positive("pairs", self, "workers", or_zero=True)
        if not 0.1 <= self.seconds[0] <= self.seconds[1]:
            raise ConfigError(
                f"pairs.seconds: {list(self.seconds)} must be [shortest, longest] of 0.1 s or more"
            )
        for name in ("replayed", "spoken", "encoded"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"pairs.{name}: {getattr(self, name)} is a probability, from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CountermeasureRecipe:
    """A whole recipe.

    Parameters
    ----------
    seed : int
        Of weights and pairs.
    """

    data: SpoofData
    pairs: PairConfig = field(default_factory=PairConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    spec_augment: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    network: CountermeasureConfig = field(default_factory=CountermeasureConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    seed: int = 1


def read_countermeasure_recipe(path: Path, changes: tuple[str, ...] = ()) -> CountermeasureRecipe:
    """Read a recipe; ConfigError where a key is unknown or a value wrong."""
    table = read_toml(path)
    apply_overrides(table, changes)
    return build(CountermeasureRecipe, table)
