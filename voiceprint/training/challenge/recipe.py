"""The recipe of a word checker: corpora, how sequences are made, the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voiceprint.config import apply_overrides, build, read_toml, require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.augment import AugmentConfig
from voiceprint.training.augment.masking import SpecAugmentConfig
from voiceprint.training.challenge.network import WordNetworkConfig
from voiceprint.training.run.optimizer import OptimizerConfig
from voiceprint.training.run.trainer import TrainerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class WordData:
    """The ``[data]`` table.

    Parameters
    ----------
    words : str
        A corpus of which each clip holds one word, its text.
    sentences : str
        A corpus of English sentences, whose texts are what is said.
    others : tuple of str
        Corpora of speech of which no word is known.
    noise : str
        A corpus of noise.
    """

    words: str
    sentences: str
    others: tuple[str, ...]
    noise: str = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceConfig:
    """The ``[sequences]`` table: what a batch holds.

    Parameters
    ----------
    per_batch : int
        Sequences in a batch, of one length.
    batches : int
        How many batches are made; then they come again, masked in other ways.
    words : (int, int)
        Fewest and most words that are joined.
    sentence : float
        Probability of a sentence in the place of joined words.
    other : float
        Probability that a joined word is none of those that are asked for.
    one_speaker : float
        Probability that joined words are all of one person.
    workers : int
        Processes that make batches.
    validation : int
        Orders that each dev person says, for measuring candidates.
    """

    per_batch: int = 24
    batches: int = 300
    words: tuple[int, int] = (2, 5)
    sentence: float = 0.2
    other: float = 0.1
    one_speaker: float = 0.4
    workers: int = 0
    validation: int = 4

    def __post_init__(self) -> None:
        require_positive("sequences", self, "per_batch", "batches", "validation")
        require_positive("sequences", self, "workers", or_zero=True)
        if not 1 <= self.words[0] <= self.words[1]:
            raise ConfigError(f"sequences.words: {list(self.words)} must be [fewest, most] of 1 or more")
        for name in ("sentence", "other", "one_speaker"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"sequences.{name}: {getattr(self, name)} is a probability, from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRecipe:
    """A whole recipe.

    Parameters
    ----------
    seed : int
        Of weights and sequences.
    """

    data: WordData
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    spec_augment: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    network: WordNetworkConfig = field(default_factory=WordNetworkConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    seed: int = 1


def read_word_recipe(path: Path, changes: tuple[str, ...] = ()) -> WordRecipe:
    """Read a recipe; ConfigError where a key is unknown or a value wrong."""
    table = read_toml(path)
    apply_overrides(table, changes)
    return build(WordRecipe, table)
