"""A classification run as a model folder: encoder, head, and a threshold for out-of-set speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.classification import (
    CLASSIFIER_FILE,
    EncoderClassifier,
    Rejection,
    centroids_of,
    fit_rejection,
    pack_head,
    similarity,
)
from voiceprint.corpus import Corpus
from voiceprint.model.card import ModelCard
from voiceprint.training.classification.run import (
    TrainedClassifier,
    load_classifier,
    read_run_clips,
    require_out_of_set,
)
from voiceprint.training.classification.suite import class_labels, read_all
from voiceprint.training.export.from_run import Checkpoint, card_of_run, corpus_size
from voiceprint.training.export.graph import export_model, parity_speech
from voiceprint.training.origins import origins_table, read_origins
from voiceprint.training.run.metrics_log import read_metrics

# Clips of each class that make its centroid; more would not move it.
_CENTROID_CLIPS = 200


def export_classifier(
    run: Path,
    folder: Path,
    *,
    checkpoint: Checkpoint = "best",
    out_of_set: Corpus | None = None,
    overwrite: bool = False,
) -> ModelCard:
    """Make a model folder of a classification run: encoder, head, and a threshold for out-of-set speakers.

    Parameters
    ----------
    checkpoint : {"best", "last"}
        That of the highest dev accuracy, or the newest.
    out_of_set : Corpus, optional
        Clips of people who are none of the classes, to choose the threshold for out-of-set speakers with, as
        `fit_rejection` says. Without them it is chosen by the people's dev clips alone. (To leave every
        class out in turn would not do: the encoder has learned to separate it.)
    overwrite : bool
        Whether a model that is there may be replaced; see `export_model`.

    Raises
    ------
    ModelError
        The folder exists already, or cannot be written.
    ConfigError, TrainingError
        The run is none of a classifier, or graph and torch disagree.
    CorpusError
        A clip cannot be read, or an out-of-set speaker is one of the people.
    """
    trained = load_classifier(run, checkpoint=checkpoint)
    clips, classifier = read_run_clips(run), trained.classifier()
    centroids, rejection = _fit(classifier, clips, out_of_set)
    return export_model(
        trained.encoder,
        folder,
        card_of_run(
            run,
            trained.recipe,
            training=_training_table(trained, run, clips),
            extra={"classifier": _classifier_table(trained, rejection)},
        ),
        speech=parity_speech(clips.filter(split="dev")),
        finish=lambda _: {"dev": _dev_measures(run, trained.step)},
        attached={CLASSIFIER_FILE: pack_head(trained.head, centroids)},
        overwrite=overwrite,
    )


def _fit(
    classifier: EncoderClassifier, clips: Corpus, out_of_set: Corpus | None
) -> tuple[NDArray[np.float32], Rejection]:
    """Centroids of the classes, from their train clips, and the threshold, from their dev clips."""
    train = clips.filter(split="train").first_clips(_CENTROID_CLIPS)
    centroids = centroids_of(_embed(classifier, train), class_labels(train, classifier.names))
    in_set = similarity(_embed(classifier, clips.filter(split="dev")), centroids)
    if out_of_set is None:
        return centroids, fit_rejection(in_set)
    require_out_of_set(out_of_set, classifier.names)
    others = similarity(_embed(classifier, out_of_set), centroids)
    return centroids, fit_rejection(in_set, others, who=f"{len(out_of_set.speakers)} others")


def _embed(classifier: EncoderClassifier, corpus: Corpus) -> NDArray[np.float32]:
    return classifier.classify_whole(read_all(corpus)).embeddings


def _training_table(trained: TrainedClassifier, run: Path, clips: Corpus) -> dict[str, Any]:
    train, recipe = clips.filter(split="train"), trained.recipe
    return {
        "run": run.name,
        "seed": recipe.seed,
        "steps": trained.step,
        "parameters": trained.parameters,
        "losses": {loss.name: loss.weight for loss in recipe.loss},
        "speech": {"clips of the people named": corpus_size(train)},
        **origins_table(read_origins(run), licence=recipe.licence, teacher="", history=recipe.history),
    }


def _classifier_table(trained: TrainedClassifier, rejection: Rejection) -> dict[str, Any]:
    return {
        "names": list(trained.names),
        "seconds": trained.seconds,
        "rejection": rejection.to_dict(),
    }


def _dev_measures(run: Path, step: int) -> dict[str, float]:
    validations = [line for line in read_metrics(run) if "accuracy" in line and line["step"] <= step]
    return {key: validations[-1][key] for key in ("accuracy", "dev_loss")} if validations else {}
