"""SegmentationRecipe: what a segmentation network is trained on, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voiceprint.config import apply_overrides, build, read_toml, require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.run.optimizer import OptimizerConfig
from voiceprint.training.run.trainer import TrainerConfig
from voiceprint.training.segmentation.conversations import Acoustics, TurnTaking
from voiceprint.training.segmentation.network import NetworkConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationData:
    """The ``[data]`` table.

    Parameters
    ----------
    train, dev : tuple of str
        Corpora whose train split talks in training, and whose dev split does in validation.
    noise : str
        A corpus of noise.
    encoder : str
        Checkpoint of an encoder, with whose convolutions the network starts; empty for random ones.
    network : str
        Checkpoint of an earlier segmentation run, or exported weights, with all of which it starts instead;
        or empty.
    """

    train: tuple[str, ...]
    dev: tuple[str, ...]
    noise: str = "noise"
    encoder: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationConfig:
    """The ``[conversations]`` table.

    Parameters
    ----------
    seconds : float
        How long a conversation is; it is cut into windows.
    window : float
        Seconds of a window, of which the network sees one at a time.
    per_batch : int
        Conversations in a batch.
    people : (int, int)
        How many take part, at least and at most.
    workers : int
        Processes that simulate.
    validation : int
        Conversations of dev speakers that candidates are measured on.
    """

    seconds: float = 30.0
    window: float = 10.0
    per_batch: int = 8
    people: tuple[int, int] = (1, 5)
    workers: int = 1
    validation: int = 24
    taking: TurnTaking = field(default_factory=TurnTaking)
    acoustics: Acoustics = field(default_factory=Acoustics)

    def __post_init__(self) -> None:
        require_positive("conversations", self, "seconds", "window", "per_batch", "validation")
        require_positive("conversations", self, "workers", or_zero=True)
        if not self.window <= self.seconds:
            raise ConfigError(f"conversations.window: {self.window:g} s is longer than a conversation")
        if not 1 <= self.people[0] <= self.people[1]:
            raise ConfigError(f"conversations.people: {list(self.people)} must be [least, most] of 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationRecipe:
    """A whole recipe.

    Parameters
    ----------
    seed : int
        Of weights and conversations.
    """

    data: SegmentationData
    conversations: ConversationConfig = field(default_factory=ConversationConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    seed: int = 1


def read_segmentation_recipe(path: Path, changes: tuple[str, ...] = ()) -> SegmentationRecipe:
    """Read a recipe; ConfigError where a key is unknown or a value wrong."""
    table = read_toml(path)
    apply_overrides(table, changes)
    return build(SegmentationRecipe, table)
