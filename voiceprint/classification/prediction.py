"""A classifier in a model folder, and what it answers: who of the people it knows is heard, if anyone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import Waveform, read_audio
from voiceprint.classification.classifier import SpeakerClassifier
from voiceprint.classification.head import unpack_head
from voiceprint.classification.rejection import Rejection, similarity
from voiceprint.clips import MIN_SPEECH, ClipSource
from voiceprint.errors import ModelError, TrialError
from voiceprint.model import SpeakerModel

__all__ = ["CLASSIFIER_FILE", "ClassProbability", "ClassifierModel", "Prediction"]

CLASSIFIER_FILE = "classifier.npz"
"""The head's file in a model folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbability:
    """One of the people and how probable it is that they are heard, if one of them is."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer to "which of these people is this?".

    Attributes
    ----------
    source : str
        The clip.
    decision : {"identified", "unknown", "not_enough_speech"}
        ``unknown`` only where outsiders are rejected.
    name : str or None
        The most probable of the people; None without a name.
    probabilities : tuple of ClassProbability
        All of them, the most probable first; empty with too little speech.
    similarity : float or None
        Cosine to the nearest of them; None with too little speech.
    threshold : float or None
        The lowest similarity that is somebody's; None where outsiders are not rejected.
    seconds_of_speech : float
        Speech in the clip.
    """

    source: str
    decision: Literal["identified", "unknown", "not_enough_speech"]
    name: str | None
    probabilities: tuple[ClassProbability, ...]
    similarity: float | None
    threshold: float | None
    seconds_of_speech: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierModel:
    """A classifier with what it takes to reject outsiders. Open one with :meth:`open`.

    Parameters
    ----------
    classifier : SpeakerClassifier
    centroids : ndarray of float32, shape (classes, dim)
        The unit-length mean of each class's embeddings.
    rejection : Rejection
        Who is none of the people.
    title : str
        Name and version of the model.
    """

    classifier: SpeakerClassifier
    centroids: NDArray[np.float32]
    rejection: Rejection
    title: str

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ClassifierModel:
        """Open a model folder that holds a classifier; no torch is needed.

        Raises
        ------
        ModelError
            The folder is missing or damaged, or its model is no classifier.
        """
        model = SpeakerModel.open(path)
        table = model.card.extra.get("classifier")
        if not isinstance(table, Mapping):
            raise ModelError(
                f"{model.folder}: {model.card.title} is no classifier; voiceprint classify export makes one "
                "of a run",
                path=str(model.folder),
            )
        file = model.folder / CLASSIFIER_FILE
        head, centroids = unpack_head(_checked_bytes(file, model.card.files), path=file)
        names, seconds, rejection = _read_table(table, model.folder)
        if head.shape != (len(names), model.dim):
            raise ModelError(
                f"{file}: is made for {head.shape[0]} people and embeddings of {head.shape[1]}, the card for "
                f"{len(names)} and {model.dim}; export the model again",
                path=str(model.folder),
            )
        classifier = SpeakerClassifier(encode=model.encode, head=head, names=names, seconds=seconds)
        return cls(classifier=classifier, centroids=centroids, rejection=rejection, title=model.card.title)

    def predict(
        self,
        clip: ClipSource,
        *,
        reject: bool = False,
        threshold: float | None = None,
        min_speech: float = MIN_SPEECH,
    ) -> Prediction:
        """Name who is heard in a clip.

        Parameters
        ----------
        clip : path, bytes, file object or Waveform
        reject : bool
            Answer ``unknown`` where the clip is not similar enough to any of the people; otherwise somebody
            is named whoever speaks.
        threshold : float, optional
            The lowest similarity that is somebody's, instead of the model's own; implies ``reject``.
        min_speech : float
            Seconds of speech below which nobody is named.

        Raises
        ------
        AudioError
            The clip cannot be read.
        """
        waveform = clip if isinstance(clip, Waveform) else read_audio(clip)
        if waveform.is_digital_silence:
            return _unheard(waveform.source, 0.0)
        heard, speech = self.classifier.hear(waveform)
        if speech.seconds < min_speech:
            return _unheard(waveform.source, speech.seconds)
        nearest = float(similarity(heard.embeddings, self.centroids)[0])
        limit = self.rejection.threshold if reject and threshold is None else threshold
        known = limit is None or nearest >= limit
        ranked = self._ranked(heard.probabilities[0])
        return Prediction(
            source=waveform.source,
            decision="identified" if known else "unknown",
            name=ranked[0].name if known else None,
            probabilities=ranked,
            similarity=nearest,
            threshold=limit,
            seconds_of_speech=speech.seconds,
        )

    def _ranked(self, probabilities: NDArray[np.float64]) -> tuple[ClassProbability, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(
            ClassProbability(name=self.classifier.names[i], probability=float(probabilities[i]))
            for i in order
        )


def _unheard(source: str, seconds: float) -> Prediction:
    return Prediction(
        source=source,
        decision="not_enough_speech",
        name=None,
        probabilities=(),
        similarity=None,
        threshold=None,
        seconds_of_speech=seconds,
    )


def _checked_bytes(file: Path, files: Mapping[str, str]) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file}: cannot be read ({error.strerror}); copy the model folder again", path=str(file.parent)
        ) from error
    if hashlib.sha256(data).hexdigest() != files.get(file.name):
        raise ModelError(
            f"{file}: is not the file that the card describes; copy the model folder again",
            path=str(file.parent),
        )
    return data


def _read_table(table: Mapping[str, Any], folder: Path) -> tuple[tuple[str, ...], float, Rejection]:
    """``[classifier]`` of a card: names, seconds, rejection."""
    names, seconds = table.get("names"), table.get("seconds")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{folder}: [classifier] names = {names!r} is no list of names", path=str(folder))
    if not isinstance(seconds, int | float) or not 0.1 <= seconds <= 30:
        raise ModelError(
            f"{folder}: [classifier] seconds = {seconds!r} is not from 0.1 to 30", path=str(folder)
        )
    try:
        rejection = Rejection.from_dict(table.get("rejection", {}))
    except TrialError as error:
        raise ModelError(f"{folder}: [classifier.rejection]: {error}", path=str(folder)) from error
    return tuple(names), float(seconds), rejection
