"""The speech that classic systems take: without pauses, and named where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.vad import Segment, Speech
from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import AudioError
from voiceprint.training.classification.frames import MFCCFrames, frames_of
from voiceprint.training.classification.speech import map_speech, speech_alone


@pytest.mark.parametrize(("seconds", "taken"), [(0.5, 0.5), (0.49, 2.0), (0.0, 2.0)])
def test_a_clip_of_hardly_any_speech_is_taken_whole(seconds: float, taken: float) -> None:
    waveform = read_audio(np.full(2 * SAMPLE_RATE, 0.1, np.float32), sample_rate=SAMPLE_RATE)
    stop = round(seconds * SAMPLE_RATE)
    segments = (Segment(start=0, stop=stop),) if stop else ()
    speech = Speech(samples=waveform.samples[:stop], segments=segments)
    assert len(speech_alone(waveform, speech)) == taken * SAMPLE_RATE


def test_pauses_are_left_out(
    voice: Callable[..., NDArray[np.float32]], wav: Callable[..., Path], tmp_path: Path
) -> None:
    pause = np.zeros(3 * SAMPLE_RATE, np.float32)
    path = wav(tmp_path / "ada.wav", np.concatenate([voice("ada", 0, 2.0), pause]))
    corpus = Corpus([Utterance(path=path, speaker="ada", seconds=5.0, id="ada.wav")])
    ((utterance, samples),) = map_speech(len, corpus)
    assert utterance.speaker == "ada"
    assert SAMPLE_RATE < samples < 3 * SAMPLE_RATE


def test_what_is_wrong_with_samples_names_the_clip(wav: Callable[..., Path], tmp_path: Path) -> None:
    path = wav(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE, np.float32))
    corpus = Corpus([Utterance(path=path, speaker="ada", seconds=1.0, id="silent.wav")])
    with pytest.raises(AudioError, match=r"silent.wav: the clip is digital silence"):
        list(map_speech(partial(frames_of, MFCCFrames()), corpus))
