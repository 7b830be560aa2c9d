"""Classifier: which of its people speaks in a clip; EncoderClassifier: an encoder with a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.vad import Segment, Speech, find_speech
from voiceprint.classification.head import Head, to_probabilities
from voiceprint.classification.rejection import similarity
from voiceprint.scoring import unit_length

Samples = NDArray[np.float32]
Encode = Callable[[Sequence[Samples]], Samples]
"""Waveforms, (n_samples,) each at 16 kHz, -> the encoder's outputs as they come, (len, dim)."""

_ENOUGH = SAMPLE_RATE // 2  # samples of speech in a window that counts, where the clip has several


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classification:
    """What a classifier says of one clip.

    Parameters
    ----------
    probabilities : ndarray, shape (classes,)
        They sum to 1.
    similarity : float or None
        To the nearest of the people: a cosine, or for GMMs nats a frame; higher is nearer. It rejects
        out-of-set speakers. None where there is nothing to compare the clip with.
    """

    probabilities: NDArray[np.float64]
    similarity: float | None
    seconds_of_speech: float


class Classifier(Protocol):
    """What evaluation and prediction ask of any classifier."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its people, in the order of its probabilities."""

    def classify(self, waveform: Waveform) -> Classification:
        """Classify one clip that is not digital silence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipOutputs:
    """What an encoder and its head say of clips.

    Parameters
    ----------
    probabilities : ndarray, shape (clips, classes)
        Rows sum to 1.
    embeddings : ndarray of float32, shape (clips, dim)
        Of unit length.
    """

    probabilities: NDArray[np.float64]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderClassifier:
    """An encoder, a head, and the speakers that its classes stand for.

    A clip longer than the training's is cut into windows of that length, and the probabilities of those
    that hold speech are averaged; a shorter one is taken as it is.

    Parameters
    ----------
    encode : callable
        Waveforms -> encoder outputs (n, dim).
    head : Head
        Encoder outputs -> logits (n, classes).
    names : tuple of str
        The classes in the head's order.
    seconds : float
        Length of the windows: that of the longest crops in training.
    centroids : ndarray of float32, shape (classes, dim), optional
        The unit-length mean of each class's embeddings, which similarity is measured to; an export makes
        them.
    """

    encode: Encode
    head: Head
    names: tuple[str, ...]
    seconds: float
    centroids: NDArray[np.float32] | None = None

    def classify_whole(self, clips: Sequence[Samples]) -> ClipOutputs:
        """Classify clips, (n_samples,) each at 16 kHz, pauses and all."""
        return self._average(
            [[c[w.start : w.stop] for w in cut_windows(len(c), self.seconds)] for c in clips]
        )

    def classify(self, waveform: Waveform) -> Classification:
        """Classify one clip that is not digital silence, by the windows of it that hold speech."""
        speech, samples = find_speech(waveform), waveform.samples
        audible = [w for w in cut_windows(len(samples), self.seconds) if samples[w.start : w.stop].any()]
        windows = speech_windows(audible, speech)
        outputs = self._average([[samples[w.start : w.stop] for w in windows]])
        near = None if self.centroids is None else float(similarity(outputs.embeddings, self.centroids)[0])
        return Classification(
            probabilities=outputs.probabilities[0], similarity=near, seconds_of_speech=speech.seconds
        )

    def _average(self, clips: Sequence[Sequence[Samples]]) -> ClipOutputs:
        outputs = self.encode([window for windows in clips for window in windows])
        ends = np.cumsum([len(windows) for windows in clips])[:-1]
        probabilities = [
            rows.mean(axis=0) for rows in np.split(to_probabilities(self.head.logits(outputs)), ends)
        ]
        # An output of a rectified layer may be all zeros.
        means = [unit_length(unit_length(rows).mean(axis=0)) for rows in np.split(outputs, ends)]
        return ClipOutputs(probabilities=np.stack(probabilities), embeddings=np.stack(means))


def cut_windows(samples: int, seconds: float) -> list[Segment]:
    """Cut a clip of so many samples into windows of ``seconds``; the last one ends with the clip."""
    length = min(round(seconds * SAMPLE_RATE), samples)
    starts = [*range(0, samples - length, length), samples - length]
    return [Segment(start=start, stop=start + length) for start in starts]


def speech_windows(windows: Sequence[Segment], speech: Speech) -> list[Segment]:
    """The windows that hold half a second of speech; all of them where none does."""
    found = [window for window in windows if _overlap(window, speech.segments) >= _ENOUGH]
    return found or list(windows)


def _overlap(window: Segment, segments: Sequence[Segment]) -> int:
    return sum(max(0, min(window.stop, s.stop) - max(window.start, s.start)) for s in segments)
