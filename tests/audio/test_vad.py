from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_speech import VOICES
from voiceprint.audio import SAMPLE_RATE, Waveform, read_audio
from voiceprint.audio.vad import WINDOW, Segment, find_speech, speech_probabilities, to_segments

Speak = Callable[..., np.ndarray]


def clip(samples: np.ndarray) -> Waveform:
    return read_audio(samples.astype(np.float32), sample_rate=SAMPLE_RATE)


def silence(seconds: float) -> np.ndarray:
    return 1e-4 * np.random.default_rng(9).standard_normal(round(seconds * SAMPLE_RATE))


def seconds_found(samples: np.ndarray) -> float:
    return find_speech(clip(samples)).seconds


# Speech


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 4.0])
def test_synthetic_speakers_are_heard(voice: Speak, name: str, seconds: float) -> None:
    samples = voice(name, seed=3, seconds=seconds)
    assert seconds_found(samples) >= 0.6 * seconds


def test_speech_is_found_where_it_is(voice: Speak) -> None:
    samples = np.concatenate(
        [silence(2.0), voice("bert", seconds=2.0), silence(2.0), voice("ada"), silence(1.0)]
    )
    speech = find_speech(clip(samples))
    assert len(speech.segments) == 2
    # The voices begin with 0.1 s of near silence; hangover, window and the
    # detector's decay take up to 0.25 s.
    expected = [(2.1, 4.0), (6.1, 9.0)]
    for segment, (start, stop) in zip(speech.segments, expected, strict=True):
        assert segment.start / SAMPLE_RATE == pytest.approx(start, abs=0.25)
        assert segment.stop / SAMPLE_RATE == pytest.approx(stop, abs=0.25)


def test_samples_are_the_segments_joined(voice: Speak) -> None:
    waveform = clip(
        np.concatenate([silence(1.0), voice("cleo"), silence(1.5), voice("cleo", seed=1), silence(1.0)])
    )
    speech = find_speech(waveform)
    parts = [waveform.samples[segment.start : segment.stop] for segment in speech.segments]
    np.testing.assert_array_equal(speech.samples, np.concatenate(parts))
    assert speech.samples.dtype == np.float32
    assert speech.seconds == pytest.approx(sum(segment.seconds for segment in speech.segments))


@pytest.mark.parametrize("gain", [0.01, 0.1, 1.0])
def test_quiet_speech_is_speech(voice: Speak, gain: float) -> None:
    assert seconds_found(gain * voice("dmitri")) > 2.0


def test_a_word_that_ends_with_the_clip_keeps_its_end(voice: Speak) -> None:
    samples = voice("edda", seed=2, seconds=1.0)
    assert find_speech(clip(samples)).segments[-1].stop > 0.9 * len(samples)


# What is not speech


def noise(kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    count = 5 * SAMPLE_RATE
    time = np.arange(count) / SAMPLE_RATE
    white = rng.standard_normal(count)
    if kind == "white":
        return 0.1 * white
    if kind == "brown":
        walk = np.cumsum(white)
        return 0.3 * (walk - np.convolve(walk, np.ones(801) / 801, "same")) / 60
    if kind == "hum":
        tones = [np.sin(2 * np.pi * 50 * order * time) / order for order in (1, 2, 3, 5, 7)]
        return 0.2 * sum(tones, start=np.zeros(count))
    if kind == "clicks":
        clicks = np.zeros(count)
        clicks[:: SAMPLE_RATE // 2] = 0.9
        return clicks + 1e-4 * white
    if kind == "chord":
        tones = [np.sin(2 * np.pi * hertz * time) for hertz in (261.6, 329.6, 392.0)]
        return 0.2 * sum(tones, start=np.zeros(count)) / 3
    if kind == "square":
        return np.sign(np.sin(2 * np.pi * 100 * time))
    if kind == "constant":
        return np.full(count, 0.5)
    return {"silence": np.zeros(count), "dither": white / 32768}[kind]


@pytest.mark.parametrize(
    "kind", ["white", "brown", "hum", "clicks", "chord", "square", "constant", "silence", "dither"]
)
def test_noise_is_not_speech(kind: str) -> None:
    speech = find_speech(clip(noise(kind).clip(-1, 1)))
    assert speech.segments == ()
    assert speech.samples.shape == (0,)
    assert speech.seconds == 0.0


# Windows


@pytest.mark.parametrize("count", [1600, WINDOW * 4, WINDOW * 4 + 1, 16_000])
def test_one_probability_for_each_window_begun(count: int) -> None:
    probabilities = speech_probabilities(np.zeros(count, dtype=np.float32))
    assert probabilities.shape == (-(-count // WINDOW),)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_no_samples_have_no_windows() -> None:
    assert speech_probabilities(np.zeros(0, dtype=np.float32)).shape == (0,)


def test_a_clip_is_judged_alone(voice: Speak) -> None:
    first = speech_probabilities(voice("ada"))
    speech_probabilities(voice("bert"))
    np.testing.assert_array_equal(speech_probabilities(voice("ada")), first)


def segments(runs: str) -> list[tuple[int, int]]:
    """Segments, in windows, of a clip of one character a window: # speech, + perhaps, . none."""
    levels = {"#": 0.9, "+": 0.4, ".": 0.1}
    probabilities = np.array([levels[character] for character in runs], dtype=np.float32)
    found = to_segments(probabilities, len(runs) * WINDOW)
    return [(segment.start // WINDOW, segment.stop // WINDOW) for segment in found]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("", []),
        ("..........", []),
        ("..++++++++++..", []),  # never reaches the upper threshold
        (".....####.....", []),  # four windows are a click
        (".....#####.....", [(2, 13)]),  # five are speech, with a hangover of three on both sides
        (".....##+++.....", [(2, 13)]),  # lasts while it stays above the lower threshold
        ("#####", [(0, 5)]),  # the hangover ends with the clip
        (".....###......##.....", [(2, 19)]),  # a pause of six windows belongs to the speech
        (".....#####............#####.....", [(2, 13), (19, 30)]),  # one of twelve does not
        (
            ".....#####.......#####.....",
            [(2, 13), (14, 25)],
        ),  # nor does one of seven; hangovers never overlap
    ],
)
def test_windows_become_segments(runs: str, expected: list[tuple[int, int]]) -> None:
    assert segments(runs) == expected


def test_segments_end_with_the_clip() -> None:
    found = to_segments(np.full(10, 0.9, dtype=np.float32), 10 * WINDOW - 100)
    assert found == (Segment(start=0, stop=10 * WINDOW - 100),)


def test_importing_the_module_does_not_load_onnxruntime() -> None:
    program = "import sys, voiceprint.audio.vad; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Real recordings


def rows(folder: Path, **wanted: str) -> list[Path]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        found = [
            row for row in csv.DictReader(lines) if all(row[key] == value for key, value in wanted.items())
        ]
    return [folder / row["path"] for row in found]


@pytest.mark.corpora
def test_real_words_of_a_second_are_found(corpora: Path) -> None:
    paths = rows(corpora / "arabic_speech_commands", split="dev")[::10]
    found = [find_speech(read_audio(path)).seconds >= 0.3 for path in paths]
    assert np.mean(found) >= 0.97


@pytest.mark.corpora
def test_real_sentences_are_found(corpora: Path) -> None:
    paths = rows(corpora / "speechocean762", split="dev")[::25]
    assert all(find_speech(read_audio(path)).seconds >= 0.5 for path in paths)


@pytest.mark.corpora
def test_real_noise_is_seldom_speech(corpora: Path) -> None:
    paths = rows(corpora / "noise")[::8]
    clips = [clip(read_audio(path).samples[: 5 * SAMPLE_RATE]) for path in paths]
    assert np.mean([find_speech(waveform).seconds >= 0.5 for waveform in clips]) <= 0.12
