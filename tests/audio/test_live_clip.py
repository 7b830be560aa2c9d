"""A clip that is still being spoken is, at any moment, the clip of the sound so far."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_speech import VOICES, synthesize
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.clips import Clip, read_clip
from voiceprint.audio.live_clip import LiveClip
from voiceprint.audio.vad import WINDOW


def silence(seconds: float, seed: int = 9) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))
    return (1e-3 * noise).astype(np.float32)


def say(name: str, seconds: float, seed: int = 0) -> np.ndarray:
    return synthesize(seed, seconds, *VOICES[name])


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Speech that begins at once, a pause whose margins meet, one whose margins do not, and a click."""
    parts = [say("ada", 1.5), silence(0.35), say("ada", 1.0, seed=1), silence(1.5), say("ada", 1.2, seed=2)]
    click = silence(0.6)
    click[4000:4050] = 0.9
    return np.concatenate([*parts, click])[:100_000]


def whole(samples: np.ndarray) -> Clip:
    return read_clip(Waveform(samples=samples, source="clip", original_rate=SAMPLE_RATE))


def fed(samples: np.ndarray, most: float = 30.0) -> LiveClip:
    live = LiveClip(most=most)
    for start in range(0, len(samples) - WINDOW + 1, WINDOW):
        live.add(samples[start : start + WINDOW])
    return live


@pytest.mark.parametrize("windows", [10, 30, 47, 55, 90, 101, 128, 160, 190])
def test_it_is_the_clip_of_the_sound_so_far(sound: np.ndarray, windows: int) -> None:
    samples = sound[: windows * WINDOW]
    live, clip = fed(samples), whole(samples)
    now = live.clip()
    assert now.stretches == clip.stretches
    np.testing.assert_array_equal(now.speech, clip.speech)
    assert live.seconds_of_speech == now.quality.seconds_of_speech == clip.quality.seconds_of_speech
    assert now.quality.seconds == clip.quality.seconds
    assert now.quality.snr_db == pytest.approx(clip.quality.snr_db, abs=1e-6)
    assert now.quality.level_dbfs == pytest.approx(clip.quality.level_dbfs, abs=1e-6)
    assert [note.code for note in now.notes] == [note.code for note in clip.notes]


def test_the_end_counts_the_last_samples(sound: np.ndarray) -> None:
    samples = sound[:50_111]
    live = fed(samples)
    live.finish(samples[50_111 // WINDOW * WINDOW :])
    assert live.received == 50_111
    np.testing.assert_array_equal(live.clip().speech, whole(samples).speech)


def test_a_clip_that_was_cut_off_in_mid_word_keeps_its_end() -> None:
    samples = say("bert", 1.0)[:15_900]
    live = fed(samples)
    live.finish(samples[15_900 // WINDOW * WINDOW :])
    assert live.segments[-1].stop == 15_900
    np.testing.assert_array_equal(live.clip().speech, whole(samples).speech)


def test_nothing_counts_before_what_is_forgotten(sound: np.ndarray) -> None:
    live = fed(sound)
    before = live.clip()
    live.forget_before(live.last(1.0))
    after = live.clip()
    assert after.quality.seconds_of_speech == pytest.approx(1.0, abs=WINDOW / SAMPLE_RATE)
    np.testing.assert_array_equal(after.speech, before.speech[-len(after.speech) :])
    assert after.quality.snr_db == pytest.approx(before.quality.snr_db, abs=6.0)


def test_the_last_seconds_begin_where_so_much_speech_follows(sound: np.ndarray) -> None:
    live = fed(sound)
    segments = live.segments
    assert live.last(0.5) == segments[-1].stop - SAMPLE_RATE // 2
    assert live.last(segments[-1].seconds) == segments[-1].start
    one_more = (segments[-1].stop - segments[-1].start + 1) / SAMPLE_RATE
    assert live.last(one_more) == segments[-2].stop - 1
    assert live.last(1000.0) == 0


def test_memory_stays_bounded_while_somebody_speaks_on() -> None:
    live, samples = LiveClip(most=2.0), say("cleo", 12.0)
    for start in range(0, len(samples) - WINDOW + 1, WINDOW):
        live.add(samples[start : start + WINDOW])
        assert live.seconds_of_speech <= 3.0 + WINDOW / SAMPLE_RATE
        assert len(live._windows) <= 4.0 * SAMPLE_RATE / WINDOW
    np.testing.assert_array_equal(
        live.clip().speech[-SAMPLE_RATE:], samples[live.received - SAMPLE_RATE : live.received]
    )


def test_pauses_are_not_kept() -> None:
    live = fed(np.concatenate([say("ada", 1.5), *(silence(1.0, seed) for seed in range(20))]))
    assert len(live._windows) <= 3.0 * SAMPLE_RATE / WINDOW
    assert live.clip().quality.seconds > 21
