"""Recipes of the classic systems: TOML files like those of encoders, told apart by their key ``kind``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from voiceprint.errors import ConfigError
from voiceprint.training.baselines.classifiers import SVMConfig
from voiceprint.training.baselines.frames import FramesConfig, MFCCFrames
from voiceprint.training.baselines.groups import GroupsConfig
from voiceprint.training.baselines.mixtures import MixtureConfig
from voiceprint.training.baselines.vectors import Statistics, VectorsConfig
from voiceprint.training.config import apply_overrides, build, read_toml

__all__ = [
    "AdaptedMixtures",
    "CNNSVMRecipe",
    "GMMRecipe",
    "OwnMixtures",
    "SVMRecipe",
    "read_baseline",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMixtures:
    """The ``[speakers]`` table of kind ``own``: every speaker's mixture is fitted to that speaker alone.

    Parameters
    ----------
    kind : "own"
        Name in a recipe.
    """

    kind: Literal["own"] = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptedMixtures:
    """The ``[speakers]`` table of kind ``map``: a background of many people is adapted to each speaker.

    Parameters
    ----------
    kind : "map"
        Name in a recipe.
    relevance : float
        Frames of a Gaussian at which its mean goes half the way to the speaker's.
    background : tuple of str
        Corpora whose ``train`` speakers make the background.
    """

    kind: Literal["map"] = "map"
    relevance: float = 16.0
    background: tuple[str, ...] = ("speechocean762",)

    def __post_init__(self) -> None:
        if not self.relevance > 0:
            raise ConfigError(f"speakers.relevance: {self.relevance:g}; give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMRecipe:
    """Gaussian mixtures; see ``configs/gmm.toml``.

    Parameters
    ----------
    kind : "gmm"
    name, description : str
    seed : int
        Of the draws of frames and the first means.
    features : FramesConfig
        Short-term features.
    mixture : MixtureConfig
        Size of a mixture and how it is fitted.
    speakers : OwnMixtures or AdaptedMixtures
        Where a speaker's mixture comes from.
    """

    name: str
    kind: Literal["gmm"] = "gmm"
    description: str = ""
    seed: int = 1
    features: FramesConfig = field(default_factory=MFCCFrames)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    speakers: OwnMixtures | AdaptedMixtures = field(default_factory=OwnMixtures)


@dataclass(frozen=True, slots=True, kw_only=True)
class SVMRecipe:
    """A support vector machine; see ``configs/svm.toml``.

    Parameters
    ----------
    kind : "svm"
    name, description : str
    seed : int
        Of the groups.
    vectors : VectorsConfig
        What it sees of a clip.
    svm : SVMConfig
    groups : GroupsConfig
        How new speakers are dealt into groups.
    """

    name: str
    kind: Literal["svm"] = "svm"
    description: str = ""
    seed: int = 1
    vectors: VectorsConfig = field(default_factory=Statistics)
    svm: SVMConfig = field(default_factory=SVMConfig)
    groups: GroupsConfig = field(default_factory=GroupsConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class CNNSVMRecipe:
    """A support vector machine on what a network, trained on other people, makes of a clip.

    Parameters
    ----------
    kind : "cnn-svm"
    name, description, seed, svm, groups
        As for `SVMRecipe`.
    network : str
        Recipe of the network, a TOML file beside this one, without its ending.
    """

    name: str
    network: str
    kind: Literal["cnn-svm"] = "cnn-svm"
    description: str = ""
    seed: int = 1
    svm: SVMConfig = field(default_factory=SVMConfig)
    groups: GroupsConfig = field(default_factory=GroupsConfig)


_Baseline = TypeVar("_Baseline", GMMRecipe, SVMRecipe, CNNSVMRecipe)


def read_baseline(path: Path, cls: type[_Baseline], overrides: Sequence[str] = ()) -> _Baseline:
    """Read the recipe of a classic system and change what ``overrides`` (``section.key=value``) say.

    Parameters
    ----------
    path : Path
        The TOML file.
    cls : type
        `GMMRecipe`, `SVMRecipe` or `CNNSVMRecipe`: what it must be of.
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
