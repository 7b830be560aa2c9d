"""How often a classifier is right: its accuracy, and precision and recall of every class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform, read_audio
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.classification.classifier import Classifier
from voiceprint.corpus import Corpus, Unreadable, Utterance
from voiceprint.corpus.reading import read_utterances
from voiceprint.errors import AudioError, CorpusError
from voiceprint.html import card, grid
from voiceprint.metrics import ConfusionMatrix, Interval
from voiceprint.metrics.proportion import proportion_interval
from voiceprint.percent import percent_with_range


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Precision and recall of one class.

    Parameters
    ----------
    precision : float or None
        Fraction of the clips that were given this name that are of it; None where none was.
    recall : float or None
        Fraction of its clips that were given its name; None where there are none.
    """

    name: str
    clips: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationReport:
    """How often a classifier was right about clips of its people.

    Parameters
    ----------
    accuracy : Interval
        For other clips of these people. It takes clips for independent of each other. Parts of one recording
        are not, so that the interval is too narrow for them.
    not_enough_speech : int
        Clips among them that hold less than half a second of speech, which ``predict`` does not name; here
        they are named and count like all others.
    """

    confusion: ConfusionMatrix
    accuracy: Interval
    classes: tuple[ClassFigures, ...]
    not_enough_speech: int

    def _repr_html_(self) -> str:
        """Return what a notebook shows: how often it was right, and who was taken for whom."""
        names = self.confusion.names
        rows = [(name, *map(str, row)) for name, row in zip(names, self.confusion.counts, strict=True)]
        right = percent_with_range(self.accuracy.value, self.accuracy.low, self.accuracy.high)
        return card(f"{right} right", grid(["who it was", *names], rows))


def evaluate_classifier(
    classifier: Classifier,
    corpus: Corpus,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> ClassificationReport:
    """Name every clip of a corpus and count.

    Parameters
    ----------
    progress : callable
        Called with the number of clips done.

    Raises
    ------
    CorpusError
        A speaker is none of the classes.
    AudioError
        A clip cannot be read.
    """
    unknown = sorted({u.speaker for u in corpus} - set(classifier.names))
    if unknown:
        raise CorpusError(
            f"{unknown[0]!r} is none of the {len(classifier.names)} people of the classifier "
            f"({', '.join(classifier.names)}); leave their clips out"
        )
    answered, silent = [], 0
    for done, clip in enumerate(read_utterances(corpus), start=1):
        found = classifier.classify(_audible(clip, corpus[done - 1]))
        answered.append(classifier.names[int(found.probabilities.argmax())])
        silent += found.seconds_of_speech < MIN_SPEECH
        progress(done)
    confusion = ConfusionMatrix.count([u.speaker for u in corpus], answered, names=classifier.names)
    return ClassificationReport(
        confusion=confusion,
        accuracy=proportion_interval(confusion.correct, confusion.total),
        classes=figures_of(confusion),
        not_enough_speech=silent,
    )


def _audible(clip: NDArray[np.float32] | Unreadable, utterance: Utterance) -> Waveform:
    if isinstance(clip, Unreadable):
        raise AudioError(clip.reason, source=str(utterance.path))
    waveform = read_audio(clip, sample_rate=SAMPLE_RATE)
    if waveform.is_digital_silence:
        raise AudioError(
            f"{utterance.path}: is digital silence, nobody speaks; leave it out", source=str(utterance.path)
        )
    return waveform


def figures_of(confusion: ConfusionMatrix) -> tuple[ClassFigures, ...]:
    """Precision and recall of every class of a confusion matrix."""
    answers = [sum(column) for column in zip(*confusion.counts, strict=True)]
    return tuple(
        ClassFigures(
            name=name,
            clips=sum(row),
            precision=row[place] / answers[place] if answers[place] else None,
            recall=row[place] / sum(row) if sum(row) else None,
        )
        for place, (name, row) in enumerate(zip(confusion.names, confusion.counts, strict=True))
    )
