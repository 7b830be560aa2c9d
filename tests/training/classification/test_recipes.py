"""Recipes of the classic systems: those in configs/ can be read, and a wrong key is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.errors import ConfigError
from voiceprint.training.classification.frames import LPCCFrames
from voiceprint.training.classification.recipes import (
    GMMRecipe,
    SeparateGMMs,
    SVMRecipe,
    read_classic_recipe,
)
from voiceprint.training.classification.vectors import Embeddings

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize(("name", "cls"), [("gmm", GMMRecipe), ("svm", SVMRecipe)])
def test_the_recipes_that_come_along_can_be_read(name: str, cls: type[GMMRecipe | SVMRecipe]) -> None:
    recipe = read_classic_recipe(CONFIGS / f"{name}.toml", cls)
    assert recipe.name == recipe.kind == name


def test_a_whole_table_can_be_replaced() -> None:
    recipe = read_classic_recipe(
        CONFIGS / "gmm.toml", GMMRecipe, ['features={kind="lpcc", order=12}', 'speakers={kind="own"}']
    )
    assert recipe.features == LPCCFrames(order=12)
    assert recipe.speakers == SeparateGMMs()
    machine = read_classic_recipe(
        CONFIGS / "svm.toml", SVMRecipe, ['vectors={kind="embeddings", model="somewhere"}']
    )
    assert machine.vectors == Embeddings(model="somewhere")


@pytest.mark.parametrize(
    ("name", "cls", "change", "message"),
    [
        (
            "gmm",
            GMMRecipe,
            "mixture.component=3",
            r"component: unknown key; did you mean 'components'",
        ),
        ("gmm", GMMRecipe, "mixture.components=0", r"mixture.components: 0; give more than 0"),
        ("gmm", GMMRecipe, "speakers.relevance=0.0", r"speakers.relevance: 0; give more than 0"),
        ("gmm", GMMRecipe, "features.kind=plp", r"features.kind: 'plp' is not one of 'mfcc', 'lpcc'"),
        ("gmm", SVMRecipe, "seed=2", r"kind: 'gmm' is not one of 'svm'"),
        ("svm", SVMRecipe, "svm.kernel=cubic", r"svm.kernel: 'cubic' is not one of 'rbf', 'linear'"),
    ],
)
def test_what_is_wrong_is_named(
    name: str, cls: type[GMMRecipe | SVMRecipe], change: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_classic_recipe(CONFIGS / f"{name}.toml", cls, [change])


def test_the_recipe_of_an_encoder_is_none_of_a_classic_system() -> None:
    with pytest.raises(ConfigError, match=r"default.toml: has no kind"):
        read_classic_recipe(CONFIGS / "default.toml", GMMRecipe)
