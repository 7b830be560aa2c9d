"""A run of a classic system: trained in one go, written to a folder without pickle, opened again."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.classification import ClassifierModel, Rejection, centroids_of, fit_rejection
from voiceprint.config import build
from voiceprint.corpus import Corpus, write_manifest
from voiceprint.errors import ConfigError, ModelError, TrainingError, TrialError
from voiceprint.files.arrays import read_npz
from voiceprint.files.whole import write_whole
from voiceprint.metrics import Interval
from voiceprint.metrics.proportion import proportion_interval
from voiceprint.model import SpeakerModel
from voiceprint.training.classification.classic import (
    ClassicClassifier,
    ClassicSystem,
    ClassScores,
    GMMSystem,
    SVMSystem,
    directions,
    fit_sharpness,
)
from voiceprint.training.classification.gmm import GMM
from voiceprint.training.classification.recipes import GMMRecipe, SVMRecipe
from voiceprint.training.classification.run import CLIPS_FILE, class_names, require_out_of_set
from voiceprint.training.classification.speaker_gmms import SpeakerGMMs, fit_speaker_gmms
from voiceprint.training.classification.speech import map_speech
from voiceprint.training.classification.suite import class_labels
from voiceprint.training.classification.svm import SVM, fit_svm
from voiceprint.training.classification.vectors import (
    Describe,
    Embeddings,
    Statistics,
    corpus_vectors,
    describer,
)
from voiceprint.training.locks import locked_run
from voiceprint.training.run.recipe import read_saved_table

ClassicRecipe = GMMRecipe | SVMRecipe
"""The recipes of classic systems that learn from the clips of a few named people alone."""

_RECIPE, _NUMBERS, _FACTS = "recipe.json", "classifier.npz", "classifier.json"
_GMM = ("weights", "means", "variances")

Arrays = dict[str, Any]
"""Arrays of numbers by their names in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicOutcome:
    """What was trained."""

    folder: Path
    accuracy: Interval
    clips: int
    rejection: Rejection


def train_classic(
    recipe: ClassicRecipe,
    corpus: Corpus,
    *,
    corpora: Path,
    folder: Path,
    out_of_set: Corpus | None = None,
) -> ClassicOutcome:
    """Train a classic system to name the speakers of a corpus.

    The train clips fit the GMMs or the SVM. The dev clips scale the probabilities. Dev and out-of-set clips
    together give the threshold for out-of-set speakers.

    Parameters
    ----------
    corpora : Path
        Root of the corpora of a GMM's background.
    folder : Path
        The run, a new folder.
    out_of_set : Corpus, optional
        Clips of people who are none of the classes, as for `export_classifier`.

    Raises
    ------
    TrainingError
        The folder holds a run already, or another process trains into it; or there is too little speech for
        a GMM.
    AudioError, CorpusError
        A clip cannot be read, a corpus is missing, or an out-of-set speaker is one of the people.
    ModelError
        The model folder of the recipe's embeddings is missing or damaged.
    """
    with locked_run(folder):
        if (folder / _RECIPE).exists() or (folder / CLIPS_FILE).exists():
            raise TrainingError(f"{folder}: holds a run already; give another folder")
        names = class_names(corpus)
        if out_of_set is not None:
            require_out_of_set(out_of_set, names)
        pinned, model_id = _pin_model(recipe)
        system = _fit(pinned, corpus.filter(split="train"), names, corpora)
        dev = corpus.filter(split="dev")
        found, labels = _score(system, dev), class_labels(dev, names)
        scores = np.stack([each.scores for each in found])
        rejection = _fit_rejection(system, found, out_of_set)
        right = int((scores.argmax(axis=1) == labels).sum())
        facts = {
            "names": list(names),
            "sharpness": fit_sharpness(scores, labels),
            "model_id": model_id,
            "rejection": rejection.to_dict(),
        }
        _write(folder, pinned, system, corpus, facts)
    return ClassicOutcome(
        folder=folder, accuracy=proportion_interval(right, len(dev)), clips=len(dev), rejection=rejection
    )


def open_classic(run: Path) -> ClassifierModel:
    """Open the run of a classic system.

    Raises
    ------
    ConfigError, TrainingError
        The folder holds no such run, or files of it are missing or damaged.
    ModelError
        The model of its embeddings is missing, or is another one by now.
    """
    recipe = _read_recipe(run)
    try:
        facts = json.loads((run / _FACTS).read_text(encoding="utf-8"))
        arrays = read_npz((run / _NUMBERS).read_bytes())
        system = _unpack(recipe, arrays, facts["names"], facts["model_id"])
        classifier = ClassicClassifier(
            system=system, names=tuple(facts["names"]), sharpness=float(facts["sharpness"])
        )
        rejection = Rejection.from_dict(facts["rejection"])
    except (OSError, ValueError, KeyError, TypeError, TrialError) as error:
        raise TrainingError(f"{run}: the run is not whole ({error}); train it again") from error
    return ClassifierModel(classifier=classifier, rejection=rejection, title=recipe.name)


def _pin_model(recipe: ClassicRecipe) -> tuple[ClassicRecipe, str | None]:
    """Name the very model whose embeddings are learned from, and its id: another would mean other vectors."""
    if isinstance(recipe, GMMRecipe) or not isinstance(recipe.vectors, Embeddings):
        return recipe, None
    model = SpeakerModel.open(recipe.vectors.model or None)
    return replace(recipe, vectors=Embeddings(model=str(model.folder.resolve()))), model.id


def _fit(recipe: ClassicRecipe, train: Corpus, names: Sequence[str], corpora: Path) -> ClassicSystem:
    if isinstance(recipe, GMMRecipe):
        fitted = fit_speaker_gmms(recipe, train, corpora=corpora)
        speakers = replace(fitted, gmms={name: fitted.gmms[name] for name in names})
        return GMMSystem(features=recipe.features, speakers=speakers)
    vectors, labels = corpus_vectors(recipe.vectors, train), class_labels(train, names)
    svm = fit_svm(vectors, labels, recipe.svm)
    scaled = isinstance(recipe.vectors, Statistics)
    return SVMSystem(
        describe=describer(recipe.vectors),
        svm=svm,
        scaled=scaled,
        centroids=centroids_of(directions(svm, vectors, scaled=scaled), labels),
    )


def _score(system: ClassicSystem, corpus: Corpus) -> list[ClassScores]:
    return [found for _, found in map_speech(system.score, corpus)]


def _fit_rejection(system: ClassicSystem, dev: Sequence[ClassScores], out_of_set: Corpus | None) -> Rejection:
    in_set = _similarities(dev)
    if out_of_set is None:
        return fit_rejection(in_set)
    others = _similarities(_score(system, out_of_set))
    return fit_rejection(in_set, others, who=f"{len(out_of_set.speakers)} others")


def _similarities(found: Sequence[ClassScores]) -> NDArray[np.float64]:
    return np.array([each.similarity for each in found])


# ---- the files ------------------------------------------------------------------------------------------


def _write(
    folder: Path, recipe: ClassicRecipe, system: ClassicSystem, corpus: Corpus, facts: Mapping[str, Any]
) -> None:
    """Write the run; what says what it is comes last, so that half a run is none."""
    numbers = io.BytesIO()
    np.savez(numbers, **_pack(system))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _NUMBERS, numbers.getvalue())
        write_whole(folder / _FACTS, json.dumps(facts, indent=2) + "\n")
        write_manifest(corpus, folder / CLIPS_FILE)
        write_whole(folder / _RECIPE, json.dumps(asdict(recipe), indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"{folder}: the run cannot be written ({error.strerror})") from error


def _pack(system: ClassicSystem) -> Arrays:
    """What a system has learned, as arrays."""
    if isinstance(system, SVMSystem):
        return {"centroids": system.centroids, **system.svm.arrays()}
    if not isinstance(system, GMMSystem):
        raise TypeError(f"{type(system).__name__} is no system that can be stored")
    gmms, background = list(system.speakers.gmms.values()), system.speakers.background
    arrays = {key: np.stack([getattr(each, key) for each in gmms]) for key in _GMM}
    if background is not None:
        arrays |= {f"background_{key}": getattr(background, key) for key in _GMM}
    return arrays


def _unpack(
    recipe: ClassicRecipe, arrays: Arrays, names: Sequence[str], model_id: str | None
) -> ClassicSystem:
    """The other way round; ValueError or KeyError where arrays are missing or do not belong together."""
    if isinstance(recipe, GMMRecipe):
        return GMMSystem(features=recipe.features, speakers=_unpack_gmms(arrays, names))
    centroids = arrays["centroids"]
    svm = SVM(
        recipe.svm,
        gamma=float(arrays["gamma"]),
        **{key: arrays[key] for key in ("mean", "deviation", "support", "counts")},
    )
    if centroids.shape != (len(names), len(svm.mean)) or len(svm.counts) != len(names):
        raise ValueError(f"{len(svm.counts)} classes and centroids {centroids.shape} for {len(names)} names")
    return SVMSystem(
        describe=_describer(recipe, model_id),
        svm=svm,
        scaled=isinstance(recipe.vectors, Statistics),
        centroids=centroids,
    )


def _unpack_gmms(arrays: Arrays, names: Sequence[str]) -> SpeakerGMMs:
    gmms = [
        GMM(weights=weights, means=means, variances=variances)
        for weights, means, variances in zip(*(arrays[key] for key in _GMM), strict=True)
    ]
    adapted = "background_means" in arrays
    return SpeakerGMMs(
        gmms=dict(zip(names, gmms, strict=True)),
        background=GMM(**{key: arrays[f"background_{key}"] for key in _GMM}) if adapted else None,
    )


def _describer(recipe: SVMRecipe, model_id: str | None) -> Describe:
    if not isinstance(recipe.vectors, Embeddings):
        return describer(recipe.vectors)
    model = SpeakerModel.open(recipe.vectors.model)
    if model.id != model_id:
        raise ModelError(
            f"{model.folder}: holds another model than the one whose embeddings the run learned from; "
            "train it again",
            path=str(model.folder),
        )
    return model.embed


def _read_recipe(run: Path) -> ClassicRecipe:
    table = read_saved_table(run)
    kinds: dict[Any, type[GMMRecipe] | type[SVMRecipe]] = {"gmm": GMMRecipe, "svm": SVMRecipe}
    if table.get("kind") not in kinds:
        raise ConfigError(f"{run}: is no run of a classic system")
    return build(kinds[table["kind"]], table)
