"""A classifier ready for use, and its answer: which of its people speaks, if any."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_number
from voiceprint.audio.clips import MIN_SPEECH, ClipSource, as_waveform, check_sample_rate
from voiceprint.classification.classifier import Classifier, EncoderClassifier
from voiceprint.classification.head import unpack_head
from voiceprint.classification.rejection import Rejection
from voiceprint.errors import ModelError, TrialError
from voiceprint.model import SpeakerModel

CLASSIFIER_FILE = "classifier.npz"
"""The head's file in a model folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbability:
    """One of the people, and the probability that it is they, given that it is one of the people."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer to "which of these people is this?".

    Attributes
    ----------
    decision : {"identified", "unknown", "not_enough_speech"}
        ``unknown`` only where out-of-set speakers are rejected.
    name : str or None
        The most probable of the people; None without a name.
    probabilities : tuple of ClassProbability
        All of them, the most probable first; empty with too little speech.
    similarity : float or None
        To the nearest of them, a cosine or for GMMs nats a frame; None with too little speech, and of a run
        that was not exported.
    threshold : float or None
        The lowest similarity that is somebody's; None where out-of-set speakers are not rejected.
    """

    source: str
    decision: Literal["identified", "unknown", "not_enough_speech"]
    name: str | None
    probabilities: tuple[ClassProbability, ...]
    similarity: float | None
    threshold: float | None
    seconds_of_speech: float

    def __bool__(self) -> bool:
        """Whether somebody is named."""
        return self.decision == "identified"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierModel:
    """A classifier that can reject out-of-set speakers. Open a model folder with :meth:`open`.

    Parameters
    ----------
    rejection : Rejection or None
        Where out-of-set speakers are rejected; None of an encoder's run, for which an export chooses it.
    """

    classifier: Classifier
    rejection: Rejection | None
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
        classifier = EncoderClassifier(
            encode=model.encode, head=head, names=names, seconds=seconds, centroids=centroids
        )
        return cls(classifier=classifier, rejection=rejection, title=model.card.title)

    def predict(
        self,
        clip: ClipSource,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        reject: bool = False,
        threshold: float | None = None,
        min_speech: float = MIN_SPEECH,
    ) -> Prediction:
        """Name who speaks in a clip.

        Parameters
        ----------
        sample_rate : int, optional
            Of an array, in Hz.
        channel : int, optional
            Which channel to take, from 1 on, of a clip that holds another voice in each.
        reject : bool
            Answer ``unknown`` where the clip is not similar enough to any of the people; otherwise somebody
            is named whoever speaks.
        threshold : float, optional
            The lowest similarity that is somebody's, instead of the model's own; implies ``reject``.
        min_speech : float
            Seconds of speech below which nobody is named.

        Raises
        ------
        ArgumentError
            An argument is out of range, or an array comes without its rate.
        AudioError
            The clip cannot be read.
        ModelError
            Out-of-set speakers are to be rejected, and there is no threshold for it.
        """
        limit = self._limit(reject, threshold)
        check_number("min_speech", min_speech, least=0.0)
        check_sample_rate([clip], sample_rate)
        waveform = as_waveform(clip, sample_rate=sample_rate, channel=channel)
        if waveform.is_digital_silence:
            return _not_enough_speech(waveform.source, 0.0)
        found = self.classifier.classify(waveform)
        if found.seconds_of_speech < min_speech:
            return _not_enough_speech(waveform.source, found.seconds_of_speech)
        known = limit is None or (found.similarity is not None and found.similarity >= limit)
        ranked = self._ranked(found.probabilities)
        return Prediction(
            source=waveform.source,
            decision="identified" if known else "unknown",
            name=ranked[0].name if known else None,
            probabilities=ranked,
            similarity=found.similarity,
            threshold=limit,
            seconds_of_speech=found.seconds_of_speech,
        )

    def _limit(self, reject: bool, threshold: float | None) -> float | None:
        """The lowest similarity that is somebody's; None where nobody is to be rejected."""
        if threshold is not None:
            check_number("threshold", threshold)  # a classic system's similarity is no cosine
        if not reject and threshold is None:
            return None
        if self.rejection is None:
            raise ModelError(
                f"{self.title}: the run of an encoder cannot reject out-of-set speakers; voiceprint classify "
                "export makes a model folder of it that can",
                path=self.title,
            )
        return self.rejection.threshold if threshold is None else threshold

    def _ranked(self, probabilities: NDArray[np.float64]) -> tuple[ClassProbability, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(
            ClassProbability(name=self.classifier.names[i], probability=float(probabilities[i]))
            for i in order
        )


def _not_enough_speech(source: str, seconds: float) -> Prediction:
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
