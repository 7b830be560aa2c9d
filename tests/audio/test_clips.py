from __future__ import annotations

from pathlib import Path

import numpy as np

from voiceprint.audio import Waveform, read_audio
from voiceprint.audio.clips import MARGIN, MIN_SPEECH, read_clip, samples_to_embed
from voiceprint.audio.vad import Segment, Speech, find_speech


def test_a_clip_is_its_speech_hash_and_quality(people: Path) -> None:
    waveform = read_audio(people / "ada/0.wav")
    clip = read_clip(people / "ada/0.wav")
    assert clip.sha256 == waveform.sha256 == read_clip(waveform).sha256
    assert clip.source == str(people / "ada/0.wav")
    assert clip.quality.seconds_of_speech == find_speech(waveform).seconds
    np.testing.assert_array_equal(clip.speech, samples_to_embed(waveform))


def test_speech_is_embedded_with_what_lies_up_to_the_margin_from_it() -> None:
    samples = np.arange(80_000, dtype=np.float32) / np.float32(80_000)
    waveform = Waveform(samples=samples, source="x", original_rate=16_000)
    segments = (Segment(start=1600, stop=17_600), Segment(start=22_400, stop=38_400))
    speech = Speech(samples=np.concatenate([samples[s.start : s.stop] for s in segments]), segments=segments)
    margin = round(16_000 * MARGIN)
    # The first margin is cut off by the clip's start; those of the pause of 0.3 s meet in its middle.
    np.testing.assert_array_equal(samples_to_embed(waveform, speech), samples[: 38_400 + margin])


def test_only_the_speech_is_embedded_where_there_is_enough(people: Path) -> None:
    spoken = read_audio(people / "ada/0.wav").samples
    quiet = np.full(16_000, 1e-4, dtype=np.float32)
    waveform = Waveform(samples=np.concatenate([quiet, spoken, quiet]), source="x", original_rate=16_000)
    assert MIN_SPEECH <= len(samples_to_embed(waveform)) / 16_000 < waveform.seconds - 2 + 3 * MARGIN + 0.2


def test_a_clip_with_hardly_any_speech_is_embedded_whole() -> None:
    waveform = Waveform(samples=np.full(8000, 1e-3, dtype=np.float32), source="x", original_rate=16_000)
    assert samples_to_embed(waveform) is waveform.samples
