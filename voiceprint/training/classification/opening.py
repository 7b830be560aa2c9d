"""Any recipe that names people, and any run of one: the two places that look at its kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from voiceprint.arguments import check_choice
from voiceprint.classification import ClassifierModel
from voiceprint.config import read_toml
from voiceprint.errors import ConfigError
from voiceprint.training.classification.classic_run import ClassicRecipe, open_classic
from voiceprint.training.classification.recipes import GMMRecipe, SVMRecipe, read_classic_recipe
from voiceprint.training.classification.run import load_classifier
from voiceprint.training.export.from_run import Checkpoint
from voiceprint.training.run.recipe import Recipe, read_recipe, read_saved_table


def read_classifier_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe | ClassicRecipe:
    """Read a recipe of any kind that can learn to name a few people.

    Parameters
    ----------
    overrides : sequence of str
        ``section.key=value`` changes.

    Raises
    ------
    ConfigError
        The recipe is wrong, or its system has to be trained on other people first.
    """
    kind = read_toml(path).get("kind")
    if kind == "gmm":
        return read_classic_recipe(path, GMMRecipe, overrides)
    if kind == "svm":
        return read_classic_recipe(path, SVMRecipe, overrides)
    if kind == "cnn-svm":
        raise ConfigError(
            f"{path}: its network is trained on other people than those to be named; train that with "
            "configs/spectrogram-cnn-speakers.toml, export it, and take configs/svm.toml "
            'with vectors = {kind="embeddings", model="FOLDER"}'
        )
    return read_recipe(path, overrides)


def open_run(run: Path, *, checkpoint: Checkpoint = "best") -> ClassifierModel:
    """Open a run of ``voiceprint classify train``, whatever its recipe.

    Parameters
    ----------
    checkpoint : {"best", "last"}
        That of the highest dev accuracy, or the newest; a classic system has but one.

    Returns
    -------
    ClassifierModel
        That of an encoder cannot reject out-of-set speakers: an export chooses the threshold.

    Raises
    ------
    ArgumentError
        If the checkpoint is none of them.
    ConfigError, ModelError, TrainingError
        As for `load_classifier` and `open_classic`.
    """
    check_choice("checkpoint", checkpoint, get_args(Checkpoint))
    if "kind" in read_saved_table(run):
        return open_classic(run)
    trained = load_classifier(run, checkpoint=checkpoint)
    return ClassifierModel(classifier=trained.classifier(), rejection=None, title=trained.recipe.name)
