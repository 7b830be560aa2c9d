"""What clients record: phones' and browsers' formats, poor clips, and two voices on two channels."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from starlette.testclient import TestClient

RATE = 16_000
Clip = Callable[..., bytes]


def samples_of(data: bytes) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = sf.read(io.BytesIO(data), dtype="float32")[0]
    return samples


def wav(samples: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, RATE, format="WAV")
    return buffer.getvalue()


def recorded(data: bytes, file: str, codec: str) -> bytes:
    """Encode a clip as a phone or a browser does."""
    buffer = io.BytesIO()
    options = {"live": "1"} if file == "webm" else {}  # MediaRecorder writes no length
    with av.open(buffer, "w", format=file, options=options) as container:
        stream: Any = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples_of(data)[None, :], format="flt", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48_000)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "file", "codec", "kind"),
    [
        ("recording.webm", "webm", "libopus", "audio/webm"),
        ("memo.m4a", "ipod", "aac", "audio/mp4"),
    ],
)
def test_what_browsers_and_phones_record_is_enrolled_and_verified(
    client: TestClient, clip: Clip, name: str, file: str, codec: str, kind: str
) -> None:
    clips = [recorded(clip("ada", number), file, codec) for number in range(4)]
    files = [("clips", (name, data, kind)) for data in clips[:3]]
    answer = client.post("/v1/speakers", data={"name": "ada"}, files=files)
    assert answer.status_code == 201, answer.text
    assert [each["status"] for each in answer.json()["clips"]] == ["used"] * 3
    bare = client.post("/v1/speakers/ada/verify", content=clips[3], headers={"Content-Type": kind}).json()
    assert bare["decision"] == "accepted"
    other = recorded(clip("bert", 3), file, codec)
    found = client.post("/v1/speakers/ada/verify", files={"clip": (name, other, kind)}).json()
    assert found["decision"] == "rejected"


def test_every_answer_says_what_is_poor_about_a_clip(ada: TestClient, clip: Clip) -> None:
    voice = samples_of(clip("bert", 3))
    noise = np.random.default_rng(0).standard_normal(len(voice) + RATE).astype(np.float32)
    noise *= np.sqrt(np.mean(voice**2)) * 0.5
    noise[: len(voice)] += voice  # and a second of noise alone, by which it is known
    files = {"clip": ("noisy.wav", wav(noise * 0.5 / np.abs(noise).max()), "audio/wav")}
    rejected = ada.post("/v1/speakers/ada/verify", files=files).json()
    unknown = ada.post("/v1/identify", files=files).json()
    measured = ada.post("/v1/quality", files=files).json()
    assert rejected["decision"] == "rejected"
    assert "noisy" in [note["code"] for note in rejected["quality_notes"]]
    assert all(note["text"] for note in rejected["quality_notes"])
    assert unknown["quality_notes"] == measured["quality_notes"] == rejected["quality_notes"]
    pair = {"a": ("a.wav", clip("ada", 3), "audio/wav"), "b": files["clip"]}
    assert ada.post("/v1/compare", files=pair).json()["quality_notes"][1] == rejected["quality_notes"]


def test_two_voices_on_two_channels_are_named_at_enrollment_until_one_is_chosen(
    client: TestClient, clip: Clip
) -> None:
    calls = []
    for number in (0, 1):
        voices = samples_of(clip("ada", number)), np.roll(samples_of(clip("bert", number)), 9_000)
        calls.append(("clips", ("call.wav", wav(np.stack(voices, axis=1)), "audio/wav")))
    refused = client.post("/v1/speakers", data={"name": "ada"}, files=calls).json()
    assert [each["status"] for each in refused["clips"]] == ["channels_differ"] * 2
    assert client.post("/v1/speakers", data={"name": "ada", "channel": 1}, files=calls).status_code == 201
    assert client.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["accepted"]
