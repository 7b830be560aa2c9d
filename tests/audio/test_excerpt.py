from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import read_audio, stream_audio
from voiceprint.audio.clips import as_waveform, read_clip
from voiceprint.audio.excerpt import Excerpt, read_excerpt
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.errors import ArgumentError, AudioError

Floats = NDArray[np.float32]


@pytest.fixture
def ramp(tmp_path: Path, wav: Callable[..., Path]) -> Path:
    """Ten seconds whose samples say when they are."""
    return wav(tmp_path / "ramp.wav", np.linspace(0.0, 0.9, 160_000, dtype=np.float32), subtype="FLOAT")


def seconds_at(samples: Floats) -> Floats:
    return samples / 0.9 * 10.0


def test_a_range_is_read_and_nothing_else(ramp: Path) -> None:
    found = read_excerpt(Excerpt.between(ramp, 2.5, 4.0), max_seconds=60.0)
    assert found.seconds == 1.5
    np.testing.assert_allclose(seconds_at(found.samples)[[0, -1]], [2.5, 4.0], atol=0.01)
    assert found.source == f"{ramp} from 2.5 s to 4 s"


def test_ranges_come_in_order_of_time_and_what_they_share_comes_once(ramp: Path) -> None:
    several = Excerpt(source=ramp, ranges=((6.0, 7.0), (1.0, 2.0), (1.5, 2.5), (9.0, None)))
    found = read_excerpt(several, max_seconds=60.0)
    assert found.seconds == pytest.approx(1.5 + 1.0 + 1.0, abs=1e-3)
    assert (np.diff(found.samples) > -1e-7).all()


def test_an_excerpt_stands_wherever_a_clip_does(tmp_path: Path, voice: Callable[..., Floats]) -> None:
    samples = np.concatenate([voice("ada", seconds=3.0), voice("bert", seconds=3.0)])
    clip = read_clip(Excerpt.between(samples, 3.0), sample_rate=16_000)
    assert clip.quality.seconds == pytest.approx(3.0)
    alone = as_waveform(Excerpt.between(samples, 3.0), sample_rate=16_000)
    np.testing.assert_allclose(alone.samples, samples[48_000:], atol=1e-6)


def test_what_lies_outside_the_recording_is_refused(ramp: Path) -> None:
    with pytest.raises(AudioError, match=r"begins at 11 s; the recording ends at 10.00 s"):
        read_excerpt(Excerpt.between(ramp, 11.0), max_seconds=60.0)
    with pytest.raises(AudioError, match=r"an excerpt may have from 0.1 to 60 s"):
        read_excerpt(Excerpt.between(ramp, 1.0, 1.05), max_seconds=60.0)
    with pytest.raises(AudioError, match=r"an excerpt may have from 0.1 to 2 s"):
        read_excerpt(Excerpt.between(ramp), max_seconds=2.0)


@pytest.mark.parametrize(
    "ends", [(-1.0, 2.0), (2.0, 2.0), (3.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_a_range_that_is_none_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ArgumentError):
        Excerpt.between("x.wav", *ends)


def test_an_excerpt_needs_a_range() -> None:
    with pytest.raises(ArgumentError, match="one range or more"):
        Excerpt(source="x.wav", ranges=())


def test_a_stream_gives_what_reading_whole_gives(tmp_path: Path, wav: Callable[..., Path]) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * 44_100).astype(np.float32)
    path = wav(tmp_path / "noise.wav", noise, 44_100)
    streamed = np.concatenate(list(stream_audio(path)))
    np.testing.assert_allclose(streamed, read_audio(path).samples, atol=1e-6)
    array = np.concatenate(list(stream_audio(noise, sample_rate=44_100)))
    np.testing.assert_allclose(array, streamed, atol=1e-4)


def test_a_spooled_recording_gives_any_stretch(ramp: Path) -> None:
    told: list[float] = []
    with SpooledRecording.open(ramp, max_seconds=60.0, progress=told.append) as recording:
        assert (recording.samples, recording.seconds, told[-1]) == (160_000, 10.0, 10.0)
        np.testing.assert_allclose(seconds_at(recording.read(32_000, 32_002)), 2.0, atol=0.01)
        assert len(recording.read(159_000, 170_000)) == 1000
        assert len(recording.read(-100, 100)) == 100
    with pytest.raises(AudioError, match="lasts over 5 s"):
        SpooledRecording.open(ramp, max_seconds=5.0)
