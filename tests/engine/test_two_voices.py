"""Two people in one clip are found by the stretches of it, and the clip is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import tiny_calibration

from benchmarks.synthetic_speech import synthesize
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.clips import Clip, read_clip
from voiceprint.audio.quality import ClipQuality
from voiceprint.audio.vad import Segment
from voiceprint.calibration import Decider
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.two_voices import find_two_voices
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.model import SpeakerModel


class Encoder:
    """An encoder whose embeddings are known: a stretch points where its samples say, in degrees."""

    def __init__(self, *, calibrated: bool = True) -> None:
        self._calibration = tiny_calibration() if calibrated else None

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        angles = np.deg2rad([360 * waveform.mean() for waveform in waveforms])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def decider(self) -> Decider:
        return Decider(calibration=self._calibration)


def clip_of(*voices: tuple[float, float]) -> Clip:
    """Speech of so many seconds at so many degrees each, from the tenth second of a clip on."""
    speech = np.concatenate(
        [np.full(round(seconds * SAMPLE_RATE), degrees / 360, np.float32) for seconds, degrees in voices]
    )
    seconds = len(speech) / SAMPLE_RATE
    quality = ClipQuality(
        seconds=seconds + 10, seconds_of_speech=seconds, level_dbfs=-20.0, clipped=0.0, snr_db=None
    )
    stretch = Segment(start=10 * SAMPLE_RATE, stop=10 * SAMPLE_RATE + len(speech))
    return Clip(source="clip.wav", sha256="", quality=quality, speech=speech, stretches=(stretch,))


def found_in(*voices: tuple[float, float], calibrated: bool = True) -> str | None:
    found = find_two_voices(clip_of(*voices), Encoder(calibrated=calibrated))  # type: ignore[arg-type]
    return None if found is None else str(found)


@pytest.mark.parametrize(
    "voices",
    [
        [(6.0, 0.0), (6.0, 120.0)],
        [(3.0, 0.0), (9.0, 120.0)],
        [(4.0, 0.0), (4.0, 120.0), (4.0, 0.0)],
        [(20.0, 0.0), (20.0, 120.0)],
    ],
)
def test_two_voices_are_found(voices: list[tuple[float, float]]) -> None:
    assert found_in(*voices) is not None


@pytest.mark.parametrize("voices", [[(12.0, 0.0)], [(6.0, 0.0), (6.0, 20.0)], [(600.0, 40.0)]])
def test_one_voice_is_not_two(voices: list[tuple[float, float]]) -> None:
    assert found_in(*voices) is None


def test_it_says_where() -> None:
    found = find_two_voices(clip_of((6.0, 0.0), (6.0, 120.0)), Encoder())  # type: ignore[arg-type]
    assert found is not None
    assert 10.0 <= found.first <= 13.0
    assert 16.0 <= found.second <= 19.0
    assert found.llr < 0.0
    assert found.chance <= 0.01


def test_under_six_seconds_of_speech_nothing_is_said() -> None:
    assert found_in((2.9, 0.0), (3.0, 120.0)) is None


def test_without_a_calibration_nothing_is_said() -> None:
    assert found_in((6.0, 0.0), (6.0, 120.0), calibrated=False) is None


def test_a_stricter_bound_finds_less() -> None:
    clip = clip_of((6.0, 0.0), (6.0, 60.0))
    chance = find_two_voices(clip, Encoder(), false_alarm=np.inf).chance  # type: ignore[arg-type, union-attr]
    assert find_two_voices(clip, Encoder(), false_alarm=1.01 * chance) is not None  # type: ignore[arg-type]
    assert find_two_voices(clip, Encoder(), false_alarm=0.99 * chance) is None  # type: ignore[arg-type]


def test_times_are_those_of_the_clip_not_of_its_speech() -> None:
    clip = replace(
        clip_of((4.0, 0.0)),
        stretches=(Segment(start=16_000, stop=32_000), Segment(start=80_000, stop=96_000)),
    )
    assert clip.time_of(0) == 1.0
    assert clip.time_of(15_999) == pytest.approx(2.0, abs=1e-3)
    assert clip.time_of(16_000) == 5.0


def two_people() -> Waveform:
    first = synthesize(1, 10.0, 90.0, 0.82)
    second = synthesize(2, 10.0, 260.0, 1.25)
    return Waveform(samples=np.concatenate([first, second]), source="both.wav", original_rate=SAMPLE_RATE)


def test_the_shipped_model_sets_a_clip_of_two_aside(tmp_path: Path) -> None:
    model = SpeakerModel.open()
    report = measure_clip(two_people(), model).report
    assert report.status == "two_voices"
    assert report.reason.startswith("two voices: the one at ")
    with Verifier(tmp_path / "store", model=model) as verifier:
        with pytest.raises(EnrollmentError, match="two voices"):
            verifier.enroll("both", two_people())
        assert verifier.speakers() == []


def test_the_shipped_model_takes_one_voice_for_one() -> None:
    one = Waveform(samples=synthesize(3, 15.0, 130.0), source="one.wav", original_rate=SAMPLE_RATE)
    assert find_two_voices(read_clip(one), SpeakerModel.open()) is None
