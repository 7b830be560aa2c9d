from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import Waveform
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization import activity
from voiceprint.diarization.activity import find_activity, runs_of
from voiceprint.diarization.segmentation import CLASSES, FRAME
from voiceprint.diarization.steps import RecordingEmbedder, cut_steps
from voiceprint.model import SpeakerModel

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
    middles = (steps.start + steps.stop) // 2
    assert (steps.alone == ((middles < 200) | (middles >= 300))).all()


def test_steps_cover_speech_once() -> None:
    speech = np.zeros(1000, dtype=np.bool_)
    speech[100:400] = speech[600:615] = True
    steps = cut_steps(
        activity.Activity(speech=speech, overlap=np.zeros_like(speech), windows=np.zeros((0, 500), np.uint8))
    )
    covered = np.zeros(1000, dtype=int)
    for start, stop in zip(steps.start, steps.stop, strict=True):
        covered[start:stop] += 1
    assert (covered == speech).all()
    assert (steps.stop - steps.start).max() <= 18


def test_steps_are_embedded_around_them_and_together(
    voice: Callable[..., Floats], model_folder: Path
) -> None:
    samples = np.concatenate([voice("ada", seconds=4.0), np.zeros(32_000, np.float32)])
    speech = np.ones(300, dtype=np.bool_)
    found = activity.Activity(speech=speech, overlap=~speech, windows=np.zeros((0, 500), np.uint8))
    model = SpeakerModel.open(model_folder)
    with spooled(samples) as recording:
        steps = cut_steps(found)
        embedder = RecordingEmbedder(recording=recording, steps=steps, model=model)
        around = embedder.around(np.arange(len(steps)), 1.0)
        parts = np.where(steps.stop <= 200, 0, -1)
        together = embedder.together(parts)
        length = int(steps.stop[parts == 0].max()) * FRAME
        whole = model.embed(recording.read(0, length))
    assert not around[-1].any()
    assert np.linalg.norm(around[0]) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(together, whole[None], atol=1e-5)


def test_the_share_of_the_main_local_speaker_is_that_of_all_windows_around() -> None:
    first, second = np.full(500, 1, np.uint8), np.full(500, 2, np.uint8)
    first[300:] = 3  # the third local speaker after 6 s; the next window begins at 4 s
    second[100:] = 4  # two at once, one of them the one before
    speech = np.ones(800, dtype=np.bool_)
    found = activity.Activity(speech=speech, overlap=~speech, windows=np.stack([first, second]))
    middles = np.array([5, 100, 300, 650, 790])
    # Only the first window holds all around frame 100, only the second around 650, and none around 5 and 790.
    around = activity.main_share(found, middles, reach=25)
    in_second = (25 + 26) / (25 + 2 * 26)
    np.testing.assert_allclose(around, [1.0, 1.0, (26 / 51 + in_second) / 2, 0.5, 1.0])
    empty = activity.Activity(speech=speech, overlap=~speech, windows=np.zeros((0, 500), np.uint8))
    assert activity.main_share(empty, middles, reach=25).tolist() == [1.0] * 5
