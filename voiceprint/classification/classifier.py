"""SpeakerClassifier: which of the people it was trained on is heard, with probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.classification.head import Head, softmax
from voiceprint.vad import Segment, Speech, find_speech

__all__ = ["Encode", "Heard", "SpeakerClassifier", "cut", "spoken"]

Samples = NDArray[np.float32]
Encode = Callable[[Sequence[Samples]], Samples]
"""Waveforms, (n_samples,) each at 16 kHz, -> the encoder's outputs as they come, (len, dim)."""

_ENOUGH = SAMPLE_RATE // 2  # samples of speech in a window that is listened to, where the clip has several
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What a classifier makes of clips.

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
class SpeakerClassifier:
    """An encoder, a head, and whom its classes stand for.

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
    """

    encode: Encode
    head: Head
    names: tuple[str, ...]
    seconds: float

    def hear_all(self, clips: Sequence[Samples]) -> Heard:
        """Classify clips, (n_samples,) each at 16 kHz, pauses and all."""
        return self._average([[c[w.start : w.stop] for w in cut(len(c), self.seconds)] for c in clips])

    def hear(self, waveform: Waveform) -> tuple[Heard, Speech]:
        """Classify one clip by the windows of it that hold speech; and its speech."""
        speech, samples = find_speech(waveform), waveform.samples
        windows = spoken(cut(len(samples), self.seconds), speech)
        return self._average([[samples[w.start : w.stop] for w in windows]]), speech

    def _average(self, clips: Sequence[Sequence[Samples]]) -> Heard:
        outputs = self.encode([window for windows in clips for window in windows])
        ends = np.cumsum([len(windows) for windows in clips])[:-1]
        probabilities = [rows.mean(axis=0) for rows in np.split(softmax(self.head.logits(outputs)), ends)]
        means = [_unit(_unit(rows).mean(axis=0)) for rows in np.split(outputs, ends)]
        return Heard(probabilities=np.stack(probabilities), embeddings=np.stack(means))


def cut(samples: int, seconds: float) -> list[Segment]:
    """Cut a clip of so many samples into windows of ``seconds``; the last one ends with the clip."""
    length = min(round(seconds * SAMPLE_RATE), samples)
    starts = [*range(0, samples - length, length), samples - length]
    return [Segment(start=start, stop=start + length) for start in starts]


def spoken(windows: Sequence[Segment], speech: Speech) -> list[Segment]:
    """The windows that hold half a second of speech; all of them where none does."""
    found = [window for window in windows if _overlap(window, speech.segments) >= _ENOUGH]
    return found or list(windows)


def _overlap(window: Segment, segments: Sequence[Segment]) -> int:
    return sum(max(0, min(window.stop, s.stop) - max(window.start, s.start)) for s in segments)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # An output of a rectified layer may be all zeros; it has no direction and stays so.
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, _TINY)).astype(np.float32)
    return unit
