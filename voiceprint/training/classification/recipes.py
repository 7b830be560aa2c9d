"""Recipes of the classic systems: TOML files like those of encoders, with a key ``kind``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from voiceprint.config import apply_overrides, build, read_toml, require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.classification.frames import FramesConfig, MFCCFrames
from voiceprint.training.classification.gmm import GMMConfig
from voiceprint.training.classification.svm import SVMConfig
from voiceprint.training.classification.vectors import Statistics, VectorsConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparateGMMs:
    """The ``[speakers]`` table of kind ``own``: a GMM is fitted to every speaker alone."""

    kind: Literal["own"] = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedGMMs:
    """The ``[speakers]`` table of kind ``map``: a background of many people is adapted to each speaker.

    Parameters
    ----------
    relevance : float
        Frames of a Gaussian at which its mean goes half the way to the speaker's.
    background : tuple of str
        Corpora whose ``train`` speakers make the background.
    """

    kind: Literal["map"] = "map"
    relevance: float = 16.0
    background: tuple[str, ...] = ("speechocean762",)

    def __post_init__(self) -> None:
        require_positive("speakers", self, "relevance")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsConfig:
    """The ``[groups]`` table of a recipe: how the table of baselines deals new speakers into groups.

    Parameters
    ----------
    seconds : (float, float)
        Range of the speech that a speaker is known by, in seconds.
    fragment : float
        Seconds that are classified at a time.
    rounds : int
        How often all speakers are dealt into groups anew.
    """

    sizes: tuple[int, ...] = (3, 5, 7, 10)
    seconds: tuple[float, float] = (15.0, 35.0)
    fragment: float = 1.0
    rounds: int = 10

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 2:
            raise ConfigError(f"groups.sizes: {list(self.sizes)}; groups have 2 speakers or more")
        if not 0 < self.fragment <= self.seconds[0] <= self.seconds[1]:
            raise ConfigError(
                f"groups.seconds: {list(self.seconds)} must rise, from at least groups.fragment = "
                f"{self.fragment:g}"
            )
        require_positive("groups", self, "rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMRecipe:
    """Gaussian mixture models; see ``configs/gmm.toml``."""

    name: str
    kind: Literal["gmm"] = "gmm"
    description: str = ""
    seed: int = 1
    features: FramesConfig = field(default_factory=MFCCFrames)
    mixture: GMMConfig = field(default_factory=GMMConfig)
    speakers: SeparateGMMs | AdaptedGMMs = field(default_factory=SeparateGMMs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SVMRecipe:
    """A support vector machine; see ``configs/svm.toml``.

    Parameters
    ----------
    groups : GroupsConfig
        For the table of baselines alone.
    """

    name: str
    kind: Literal["svm"] = "svm"
    description: str = ""
    seed: int = 1
    vectors: VectorsConfig = field(default_factory=Statistics)
    svm: SVMConfig = field(default_factory=SVMConfig)
    groups: GroupsConfig = field(default_factory=GroupsConfig)


_Recipe = TypeVar("_Recipe")


def read_classic_recipe(path: Path, cls: type[_Recipe], overrides: Sequence[str] = ()) -> _Recipe:
    """Read the recipe of a classic system and change what ``overrides`` (``section.key=value``) say.

    Parameters
    ----------
    cls : type
        `GMMRecipe` or `SVMRecipe`: what it must be of.
    overrides : sequence of str
        A value is a TOML value; an inline table (``features={kind="lpcc"}``) replaces a table whole.

    Raises
    ------
    ConfigError
        The recipe is of another kind, a key is unknown, or a value is of the wrong type.
    """
    table = read_toml(path)
    apply_overrides(table, overrides)
    if "kind" not in table:
        raise ConfigError(
            f'{path}: has no kind, as the recipes of encoders; that of a classic system says kind = "gmm"'
        )
    return build(cls, table)
