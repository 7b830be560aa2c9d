"""The speech of a corpus, clip by clip.

Systems that count every frame alike take the speech alone, without the margins that an encoder takes: their
statistics would be of the pauses, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import Waveform
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.audio.vad import Speech, find_speech
from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import AudioError
from voiceprint.evaluation import corpus_files, read_stretch

Samples = NDArray[np.float32]
Result = TypeVar("Result")


def map_speech(work: Callable[[Samples], Result], corpus: Corpus) -> Iterator[tuple[Utterance, Result]]:
    """Call ``work`` with the speech of each utterance of a corpus, as `speech_alone` gives it.

    Raises
    ------
    AudioError
        A clip cannot be read, or ``work`` refuses it, because it is silence for example.
    """
    for utterance, file in zip(corpus, corpus_files(corpus), strict=True):
        waveform = read_stretch(file)
        try:
            done = work(speech_alone(waveform, find_speech(waveform)))
        except AudioError as error:
            raise AudioError(f"{utterance.path}: {error}", source=str(utterance.path)) from error
        yield utterance, done


def speech_alone(waveform: Waveform, speech: Speech) -> Samples:
    """The speech found in a clip, (n,) at 16 kHz; the whole clip where less than `MIN_SPEECH` was."""
    return speech.samples if speech.seconds >= MIN_SPEECH else waveform.samples
