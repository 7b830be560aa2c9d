"""Fingerprints: the same recording is known again, and nothing else is taken for it."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import add_background, pink_noise
from voiceprint.audio.fingerprint import SAME_RECORDING, SoundTrace, is_fingerprint, trace_of
from voiceprint.audio.vad import Segment

Samples = NDArray[np.float32]
Voice = Callable[..., Samples]


def whole(samples: Samples) -> SoundTrace:
    """The trace of a recording that is speech from end to end."""
    return trace_of(samples, [Segment(start=0, stop=len(samples))])


def test_a_recording_is_itself_and_others_are_not(voice: Voice) -> None:
    traces = [whole(voice(name, seed)) for name in ("ada", "bert") for seed in range(4)]
    prints = [trace.fingerprint() for trace in traces]
    alike = np.array([trace.likeness(prints) for trace in traces]) >= SAME_RECORDING
    assert np.array_equal(alike, np.eye(len(traces), dtype=bool))


def test_a_part_is_found_in_the_whole_and_the_other_way_round(voice: Voice) -> None:
    recording, other = voice("ada", 1, 6.0), voice("ada", 2, 6.0)
    part = recording[30_123:50_000]
    assert whole(part).likeness([whole(recording).fingerprint()])[0] >= SAME_RECORDING
    assert whole(recording).likeness([whole(part).fingerprint()])[0] >= SAME_RECORDING
    joined = np.concatenate([other[:40_000], part, other[40_000:]])
    assert (
        whole(joined).likeness([whole(recording).fingerprint(), whole(other).fingerprint()]) >= SAME_RECORDING
    ).all()


@pytest.mark.parametrize("speed", [0.98, 0.99, 0.995, 1.005, 1.01, 1.02])
def test_another_speed_is_the_same_recording(voice: Voice, speed: float) -> None:
    recording = voice("ada", 1, 4.0)
    played = np.interp(np.arange(0, len(recording) - 1, speed), np.arange(len(recording)), recording)
    likeness = whole(played.astype(np.float32)).likeness([whole(recording).fingerprint()])
    assert likeness[0] >= SAME_RECORDING


def test_only_speech_is_compared(voice: Voice) -> None:
    noise = pink_noise(5 * SAMPLE_RATE, np.random.default_rng(1))
    spoken = Segment(start=SAMPLE_RATE, stop=4 * SAMPLE_RATE)

    def recording(seed: int) -> SoundTrace:
        samples = 0.02 * noise
        samples[spoken.start : spoken.stop] += voice("ada", seed, 3.0)
        return trace_of(samples[spoken.start : spoken.stop].astype(np.float32), [spoken])

    assert recording(1).likeness([recording(2).fingerprint()])[0] < SAME_RECORDING
    assert recording(1).likeness([recording(1).fingerprint()])[0] >= SAME_RECORDING


@pytest.mark.parametrize("what", ["silence", "hum", "constant"])
def test_what_does_not_move_is_no_recording(what: str) -> None:
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    samples = {
        "silence": np.zeros(len(time)),
        "hum": np.sum([0.1 * np.sin(2 * np.pi * 50 * n * time) for n in range(1, 40)], axis=0),
        "constant": np.full(len(time), 0.5),
    }[what].astype(np.float32)
    assert whole(samples).likeness([whole(samples).fingerprint()])[0] < SAME_RECORDING


def test_pauses_stay_where_they_are_and_speech_on_both_sides_adds_up(voice: Voice) -> None:
    recording = voice("ada", 1, 3.0)
    stretches = [Segment(start=0, stop=14_400), Segment(start=24_000, stop=38_400)]
    speech = np.concatenate([recording[each.start : each.stop] for each in stretches])
    both = trace_of(speech, stretches)
    halves = [trace_of(recording[each.start : each.stop], [each]) for each in stretches]
    fingerprint = whole(recording).fingerprint()
    alone = [half.likeness([fingerprint])[0] for half in halves]
    assert both.likeness([fingerprint])[0] == pytest.approx(sum(alone), rel=0.2)
    assert both.likeness([both.fingerprint()])[0] > max(alone)
    moved = trace_of(speech, [stretches[0], Segment(start=30_000, stop=44_400)])
    assert moved.likeness([fingerprint])[0] < 0.8 * sum(alone)


def test_a_fingerprint_is_small_and_says_little(voice: Voice) -> None:
    loud, soft = voice("ada", 1, 10.0), 0.01 * voice("ada", 1, 10.0)
    assert whole(loud).fingerprint() == whole(soft).fingerprint()
    assert len(whole(loud).fingerprint()) <= 8 + 100 * 10


def test_nothing_is_compared_with_nothing(voice: Voice) -> None:
    silent = trace_of(np.zeros(0, np.float32), [])
    short = whole(voice("ada", 1)[:1000])
    known = whole(voice("ada", 1)).fingerprint()
    for trace in (silent, short):
        assert trace.fingerprint() == b""
        assert trace.likeness([known, b""]).tolist() == [0.0, 0.0]
    assert whole(voice("ada", 1)).likeness([]).shape == (0,)
    assert whole(voice("ada", 1)).likeness([b"", known])[0] == 0.0


def test_what_is_no_fingerprint_is_told(voice: Voice) -> None:
    known = whole(voice("ada", 1)).fingerprint()
    assert is_fingerprint(known) and is_fingerprint(b"")
    for broken in (known[:-1], known[:5], known + b"x", known + known, bytes(8)):
        assert not is_fingerprint(broken)
    with pytest.raises(ValueError, match="fingerprint"):
        whole(voice("ada", 1)).likeness([known[:-1]])


def test_one_noise_behind_two_recordings_does_not_make_them_one(voice: Voice) -> None:
    noise = pink_noise(3 * SAMPLE_RATE, np.random.default_rng(1))
    noisy = [whole(add_background(voice("ada", seed), noise, snr_db=10.0)) for seed in range(3)]
    assert noisy[0].likeness([noisy[1].fingerprint(), noisy[2].fingerprint()]).max() < SAME_RECORDING


def test_a_long_recording_is_compared_by_excerpts(voice: Voice) -> None:
    recording = voice("ada", 1, 60.0)
    known = [whole(voice("ada", 2, 60.0)).fingerprint(), whole(recording).fingerprint()]
    assert (whole(recording).likeness(known) >= SAME_RECORDING).tolist() == [False, True]
    middle = whole(recording[20 * SAMPLE_RATE : 30 * SAMPLE_RATE])
    assert (middle.likeness(known) >= SAME_RECORDING).tolist() == [False, True]


def sung(*, noise: float = 0.0) -> Samples:
    """Two seconds of harmonics whose levels move, and whose pitch does."""
    generator = np.random.default_rng(1)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    hertz = np.interp(time, np.arange(0.0, 2.2, 0.2), generator.uniform(110.0, 160.0, 11))
    phase = 2.0 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    samples = noise * generator.standard_normal(len(time))
    for order in range(1, 31):
        levels = np.random.default_rng(order).uniform(0.0, 1.0, 27) ** 3
        samples += np.interp(time, np.linspace(0.0, 2.0, 27), levels) * np.sin(order * phase)
    return (0.02 * samples).astype(np.float32)


def without_pitch(fingerprint: bytes) -> bytes:
    """The same as it was stored before it had a pitch; of one stretch."""
    first, length = struct.unpack_from("<II", fingerprint)
    length -= 1 << 31
    return struct.pack("<II", first, length) + fingerprint[8 : 8 + 3 * length]


def with_other_pitch(fingerprint: bytes) -> bytes:
    """The same with a pitch that is 3 % higher wherever there is one; of one stretch."""
    signs = len(without_pitch(fingerprint))
    return fingerprint[:signs] + bytes(pitch + 4 if pitch else 0 for pitch in fingerprint[signs:])


def test_where_the_signs_leave_a_doubt_the_pitch_decides() -> None:
    known = whole(sung()).fingerprint()
    again = whole(sung(noise=0.85))
    by_signs, by_pitch, otherwise = again.likeness([without_pitch(known), known, with_other_pitch(known)])
    assert 0.0 < by_signs < SAME_RECORDING <= by_pitch
    assert otherwise == by_signs


def test_a_fingerprint_without_pitch_is_still_known() -> None:
    trace = whole(sung())
    older = without_pitch(trace.fingerprint())
    assert is_fingerprint(older)
    assert (trace.likeness([older, with_other_pitch(trace.fingerprint())]) >= SAME_RECORDING).all()
