from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import Waveform
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization import activity
from voiceprint.diarization.activity import find_activity, runs_of
from voiceprint.diarization.segmentation import CLASSES, FRAME
from voiceprint.diarization.steps import cut_steps

Floats = NDArray[np.float32]


def spooled(samples: Floats) -> SpooledRecording:
    waveform = Waveform(samples=samples, source="x", original_rate=16_000)
    return SpooledRecording.open(waveform, max_seconds=1e6)


class TwoTalkers:
    """Stands for the network: the first local speaker until 4 s, both until 6 s, then the second."""

    def judge(self, windows: Floats) -> Floats:
        classes = np.zeros(500, dtype=int)
        classes[50:200] = CLASSES.index((0,))
        classes[200:300] = CLASSES.index((0, 1))
        classes[300:450] = CLASSES.index((1,))
        return np.tile(np.eye(len(CLASSES), dtype=np.float32)[classes], (len(windows), 1, 1))


def test_the_detector_finds_speech_between_silences(voice: Callable[..., Floats]) -> None:
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(3 * 16_000).astype(np.float32)
    with spooled(np.concatenate([quiet, voice("ada", seconds=4.0), quiet])) as recording:
        found = find_activity(recording, None)
    assert len(found.speech) == 500
    spoken = np.flatnonzero(found.speech) / 50
    assert 2.8 < spoken[0] < 3.5 and 6.5 < spoken[-1] < 7.3
    assert not found.overlap.any() and not len(found.windows)


def test_blocks_give_what_one_block_gives(
    voice: Callable[..., Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    with spooled(voice("bert", seconds=12.0)) as recording:
        whole = find_activity(recording, None).speech
        monkeypatch.setattr(activity, "_BLOCK", 4 * 16_000)
        blocks = find_activity(recording, None).speech
    assert (whole != blocks).mean() < 0.03


def test_the_network_tells_overlap_and_who_leads(voice: Callable[..., Floats]) -> None:
    with spooled(voice("ada", seconds=10.0)) as recording:
        found = find_activity(recording, TwoTalkers())  # type: ignore[arg-type]
    assert runs_of(found.overlap) == [(200, 300)]
    steps = cut_steps(found)
    inside = (steps.start >= 50) & (steps.stop <= 450)
    local = steps.local[inside]
    assert set(local[steps.start[inside] < 300].tolist()) == {0}
    assert set(local[steps.start[inside] >= 300].tolist()) == {1}


def test_steps_cover_speech_once_and_reach_no_further_than_their_run() -> None:
    speech = np.zeros(1000, dtype=np.bool_)
    speech[100:400] = speech[600:615] = True
    steps = cut_steps(
        activity.Activity(speech=speech, overlap=np.zeros_like(speech), windows=np.zeros((0, 500), np.uint8))
    )
    covered = np.zeros(1000, dtype=int)
    for start, stop in zip(steps.start, steps.stop, strict=True):
        covered[start:stop] += 1
    assert (covered == speech).all()
    long = steps.start < 500
    assert (steps.first[long] >= 100).all() and (steps.last[long] <= 400).all()
    assert (steps.last - steps.first)[~long].tolist() == [20]
    assert FRAME == 320
