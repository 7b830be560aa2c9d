"""A recording is known again in another encoding, and no other one for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.contour import loudness_contour, same_contour
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel

Voice = Callable[..., NDArray[np.float32]]
ENCODINGS = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")]


def encoded(samples: NDArray[np.float32], folder: Path, kind: str, subtype: str | None) -> Path:
    path = folder / f"{kind}-{subtype}.{kind.lower()}"
    sf.write(path, samples, SAMPLE_RATE, format=kind, subtype=subtype)
    return path


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS)
def test_a_recording_has_one_contour_in_every_encoding(
    voice: Voice, tmp_path: Path, kind: str, subtype: str | None
) -> None:
    samples = voice("ada", 1)
    other = read_audio(encoded(0.5 * samples, tmp_path, kind, subtype)).samples
    assert same_contour(loudness_contour(samples), loudness_contour(other))


def test_other_recordings_have_other_contours(voice: Voice) -> None:
    contours = [loudness_contour(voice("ada", seed)) for seed in range(8)]
    assert not any(same_contour(a, b) for i, a in enumerate(contours) for b in contours[:i])


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.5])
def test_short_ones_tell_nothing(voice: Voice, seconds: float) -> None:
    contour = loudness_contour(voice("ada", 1)[: round(seconds * SAMPLE_RATE)])
    assert not same_contour(contour, contour)


def test_a_flat_one_tells_nothing() -> None:
    contour = loudness_contour(np.zeros(32_000, dtype=np.float32))
    assert not same_contour(contour, contour)


def test_one_recording_in_many_encodings_is_one_clip_of_a_voiceprint(
    voice: Voice, model_folder: Path, tmp_path: Path
) -> None:
    clips = [encoded(voice("ada", 1, seconds=4.0), tmp_path, *encoding) for encoding in ENCODINGS]
    clips.append(encoded(voice("ada", 2), tmp_path, "AIFF", "PCM_16"))
    with Verifier(tmp_path / "store", model=SpeakerModel.open(model_folder)) as verifier:
        report = verifier.enroll("ada", clips)
    assert [clip.status for clip in report.clips] == ["used", *["duplicate"] * 3, "used"]
    assert report.enrollment.n_utterances == 2
