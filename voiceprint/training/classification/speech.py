"""The speech of a corpus, clip by clip.

Systems that count every frame alike take the speech alone, without the margins that an encoder takes: their
statistics would be of the pauses, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import Waveform
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.audio.vad import Speech, find_speech
from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import AudioError
from voiceprint.evaluation import corpus_files, read_stretch

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipSpeech:
    """An utterance and its speech.

    Parameters
    ----------
    samples : ndarray, shape (n,), float32
        As `speech_alone` gives it.
    """

    utterance: Utterance
    samples: Samples


def read_speech(corpus: Corpus) -> Iterator[ClipSpeech]:
    """Read the speech of the utterances of a corpus one by one.

    Raises
    ------
    AudioError
        A clip cannot be read.
    """
    for utterance, file in zip(corpus, corpus_files(corpus), strict=True):
        waveform = read_stretch(file)
        yield ClipSpeech(utterance=utterance, samples=speech_alone(waveform, find_speech(waveform)))


def speech_alone(waveform: Waveform, speech: Speech) -> Samples:
    """The speech found in a clip, (n,) at 16 kHz; the whole clip where less than `MIN_SPEECH` was."""
    return speech.samples if speech.seconds >= MIN_SPEECH else waveform.samples


@contextmanager
def naming(clip: ClipSpeech) -> Iterator[None]:
    """Name the clip in what is wrong with its samples, such as that they are silence."""
    try:
        yield
    except AudioError as error:
        raise AudioError(f"{clip.utterance.path}: {error}", source=str(clip.utterance.path)) from error
