"""Sound that is still coming: the segments of the whole clip, whatever chunks it comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.synthetic_speech import VOICES, synthesize
from voiceprint.audio import SAMPLE_RATE, Waveform, read_audio
from voiceprint.audio.vad import (
    WINDOW,
    Segment,
    SegmentTracker,
    SpeechDetector,
    Windows,
    find_speech,
    to_segments,
)
from voiceprint.corpus import read_manifest

Speak = Callable[..., np.ndarray]


def whole(samples: np.ndarray) -> tuple[Segment, ...]:
    return find_speech(Waveform(samples=samples, source="clip", original_rate=SAMPLE_RATE)).segments


def streamed(samples: np.ndarray, chunks: Iterable[int]) -> tuple[Segment, ...]:
    """Feed samples in chunks of these lengths, and the rest at once."""
    found: list[Segment] = []
    detector, done = SpeechDetector(), 0
    for length in chunks:
        found += detector.feed(samples[done : done + length])
        done += length
    found += detector.feed(samples[done:])
    last = detector.finish()
    return tuple(found if last is None else [*found, last])


def silence(seconds: float) -> np.ndarray:
    noise = np.random.default_rng(9).standard_normal(round(seconds * SAMPLE_RATE))
    return (1e-4 * noise).astype(np.float32)


def conversation() -> np.ndarray:
    """Four sentences between pauses; the first second needs no gain."""
    parts = [
        part
        for seed, name in enumerate(["ada", "bert", "cleo", "dmitri"])
        for part in (synthesize(seed, 2.0, *VOICES[name]), silence(0.8))
    ]
    return np.concatenate(parts)


# Segments, window by window


@pytest.mark.parametrize(
    ("runs", "closed"),
    [
        (".....#####......", []),  # six windows later the speech may still go on
        (".....#####.......", [(16, 2, 13)]),  # the seventh ends it
        (".....####........", []),  # a click
        (".....#####.....++++", []),  # perhaps it goes on
        (".....#####.......++++", [(16, 2, 13)]),  # too late to
        (".....#####......#.......", [(23, 2, 20)]),
    ],
)
def test_a_segment_ends_once_it_is_sure(runs: str, closed: list[tuple[int, int, int]]) -> None:
    tracker, found = SegmentTracker(), []
    for window, character in enumerate(runs):
        segment = tracker.add({"#": 0.9, "+": 0.4, ".": 0.1}[character])
        if segment is not None:
            found.append((window, segment.start // WINDOW, segment.stop // WINDOW))
    assert found == closed


def test_speech_is_known_from_its_fifth_window_on() -> None:
    tracker = SegmentTracker()
    for _ in range(4):
        tracker.add(0.9)
        assert tracker.current(tracker.windows * WINDOW) is None
    tracker.add(0.9)
    assert tracker.current(5 * WINDOW) == Segment(start=0, stop=5 * WINDOW)


def test_a_long_doubt_is_no_speech_in_the_end() -> None:
    tracker = SegmentTracker()
    for _ in range(1000):
        tracker.add(0.4)
    assert tracker.earliest == (1000 - 312 - 3) * WINDOW
    tracker.add(0.9)
    assert tracker.current(1001 * WINDOW) == Segment(start=(1000 - 312 - 3) * WINDOW, stop=1001 * WINDOW)


@given(st.lists(st.sampled_from([0.1, 0.4, 0.9]), max_size=60), st.integers(0, WINDOW - 1))
def test_nothing_before_the_earliest_sample_becomes_speech(judged: list[float], missing: int) -> None:
    tracker, earliest = SegmentTracker(), 0
    for probability in judged:
        segment = tracker.add(probability)
        if segment is not None:
            assert segment.start >= earliest
        assert tracker.earliest >= earliest
        earliest = tracker.earliest
    length = max(0, len(judged) * WINDOW - missing)
    current = tracker.current(length)
    assert current is None or (current.start >= earliest and current.stop <= length)


@given(st.lists(st.sampled_from([0.1, 0.4, 0.9]), max_size=60))
def test_segments_of_the_first_windows_do_not_hang_on_later_ones(judged: list[float]) -> None:
    tracker, closed = SegmentTracker(), []
    for count, probability in enumerate(judged, start=1):
        segment = tracker.add(probability)
        closed += [] if segment is None else [segment]
        current = tracker.current(count * WINDOW)
        now = closed if current is None else [*closed, current]
        assert tuple(now) == to_segments(np.array(judged[:count], dtype=np.float32), count * WINDOW)


# Chunks


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=30))
def test_windows_hold_all_samples_whatever_the_chunks(chunks: list[int]) -> None:
    samples = np.arange(sum(chunks), dtype=np.float32)
    cutter, found, done = Windows(), [np.zeros(0, dtype=np.float32)], 0
    for length in chunks:
        found += list(cutter.cut(samples[done : done + length]))
        done += length
    assert all(len(window) == WINDOW for window in found[1:])
    np.testing.assert_array_equal(np.concatenate([*found, cutter.rest]), samples)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 20_000), max_size=20))
def test_any_chunks_give_the_segments_of_the_whole_clip(chunks: list[int]) -> None:
    samples = conversation()
    assert len(whole(samples)) == 4
    assert streamed(samples, chunks) == whole(samples)


@pytest.mark.parametrize("count", [0, 1, 500, 512, 513, 16_000])
def test_short_and_empty_sound_ends_well(count: int) -> None:
    assert streamed(silence(1.0)[:count], [100]) == ()


def test_a_word_that_ends_with_the_sound_keeps_its_end(voice: Speak) -> None:
    samples = voice("bert", seconds=1.0)[:15_900]
    (segment,) = streamed(samples, [160] * 50)
    assert (segment,) == whole(samples)
    assert segment.stop == 15_900


# Gain


@pytest.mark.parametrize("gain", [0.01, 0.1, 1.0])
def test_quiet_speech_is_found_from_the_second_second_on(voice: Speak, gain: float) -> None:
    samples = (gain * voice("dmitri", seconds=6.0)).astype(np.float32)
    found, wanted = streamed(samples, [1600] * 20), whole(samples)
    missed = sum(segment.seconds for segment in wanted) - sum(segment.seconds for segment in found)
    assert missed <= 1.1


def test_a_loud_noise_is_forgotten_after_a_minute(voice: Speak) -> None:
    quiet = (0.001 * voice("dmitri", seconds=4.0)).astype(np.float32)
    bang = np.random.default_rng(0).uniform(-1, 1, SAMPLE_RATE).astype(np.float32)
    for pause, heard in ((5, False), (62, True)):
        samples = np.concatenate([bang, silence(pause), quiet])
        seconds = sum(segment.seconds for segment in streamed(samples, []) if segment.start > 2 * SAMPLE_RATE)
        assert (seconds > 2.0) == heard


# Real recordings


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["speechocean762", "common_voice", "librispeech"])
def test_the_speech_of_real_clips_is_found_alike(corpora: Path, corpus: str) -> None:
    utterances = list(read_manifest(corpora / corpus / "manifest.csv").filter(split="dev"))
    speech = different = 0
    for utterance in utterances[:: len(utterances) // 12]:
        samples = read_audio(utterance.path).samples
        masks = np.zeros((2, len(samples)), dtype=bool)
        for mask, segments in zip(masks, (whole(samples), streamed(samples, [1600] * 20)), strict=True):
            for segment in segments:
                mask[segment.start : segment.stop] = True
        speech += int(np.count_nonzero(masks[0]))
        different += int(np.count_nonzero(masks[0] != masks[1]))
    assert different <= 0.02 * speech
