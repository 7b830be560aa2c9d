"""A LiteRT file answers like the ONNX graph that it was made from, whatever the length of the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_graphs import (
    CHAINS,
    FRAMED,
    LENGTHS,
    Step,
    chain,
    random,
    step,
    write_chain,
    write_graph,
    write_lengths,
    write_lstm,
    write_split,
)

from benchmarks.synthetic_speech import synthesize
from voiceprint.audio.vad.network import build_network
from voiceprint.errors import ModelError
from voiceprint.litert import convert_graph, litert_embedder
from voiceprint.litert.running import litert_runner
from voiceprint.model.card import ENCODER_FILE
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.onnx_runtime import graph_embedder, run_graph
from voiceprint.scoring import cosine, normalize


@pytest.mark.parametrize(("steps", "rank"), CHAINS)
def test_each_operator_answers_like_onnx_runtime(tmp_path: Path, steps: list[Step], rank: int) -> None:
    check_alike(write_chain(tmp_path / "g.onnx", steps, rank), tmp_path / "g.tflite")


def check_alike(path: Path, made: Path, *, within: float = 2e-5) -> None:
    """Compare a graph and its LiteRT file on sounds of several lengths."""
    made.write_bytes(convert_graph(path))
    run, content = litert_runner(made), path.read_bytes()
    for seed, length in enumerate((*LENGTHS, LENGTHS[0])):
        waveform = random(1, length, seed=seed)
        (expected,) = run_graph(content, {"waveform": waveform}).values()
        found = run(waveform=waveform)["embedding"]
        assert found.shape == expected.shape
        assert found == pytest.approx(expected, abs=within, rel=1e-4)


def test_a_split_gives_every_part(tmp_path: Path) -> None:
    check_alike(write_split(tmp_path / "g.onnx"), tmp_path / "g.tflite")


def test_numbers_that_depend_on_the_length_stay_in_the_file(tmp_path: Path) -> None:
    check_alike(write_lengths(tmp_path / "g.onnx"), tmp_path / "g.tflite", within=1e-3)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_forgets_the_clip_before(tmp_path: Path, direction: str) -> None:
    path = write_lstm(tmp_path / "g.onnx", direction)
    check_alike(path, tmp_path / "g.tflite")
    run, loud = litert_runner(tmp_path / "g.tflite"), 100 * random(1, 16000)
    clip = random(1, 16000, seed=9)
    alone = litert_runner(tmp_path / "g.tflite")(waveform=clip)["embedding"]
    run(waveform=loud)
    assert run(waveform=clip)["embedding"] == pytest.approx(alone, abs=1e-6)


def test_the_default_encoder_answers_alike_on_fifty_clips_of_one_to_ten_seconds(tmp_path: Path) -> None:
    original, made = PACKAGED_MODEL / ENCODER_FILE, tmp_path / "encoder.tflite"
    made.write_bytes(convert_graph(original))
    first, second = graph_embedder(original), litert_embedder(made)
    generator = np.random.default_rng(0)
    for clip, seconds in enumerate(np.linspace(1.0, 10.0, 50)):
        speech = synthesize(clip, float(seconds), generator.uniform(80, 260), generator.uniform(0.85, 1.2))[
            None
        ]
        assert cosine(normalize(first(speech)), normalize(second(speech)))[0] >= 0.9999
    # Weights that the model stores in half precision are stored so here.
    assert made.stat().st_size < 1.05 * original.stat().st_size


def test_the_speech_detector_takes_one_window_and_hands_its_state_on(tmp_path: Path) -> None:
    original, made = tmp_path / "speech.onnx", tmp_path / "speech.tflite"
    original.write_bytes(build_network())
    made.write_bytes(convert_graph(original))
    run, content = litert_runner(made), original.read_bytes()
    speech = synthesize(0, 2.0, 120.0, 1.0)
    h = c = other_h = other_c = np.zeros((1, 1, 128), dtype=np.float32)
    for start in range(0, len(speech) - 576, 512):
        window = speech[None, start : start + 576]
        found = run(windows=window, h=h, c=c)
        expected = run_graph(content, {"windows": window, "h": other_h, "c": other_c})
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
        h, c, other_h, other_c = (each[name] for each in (found, expected) for name in ("next_h", "next_c"))


def test_what_has_no_litert_form_is_named(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", chain(("Erf", [], {}), ("Sin", [], {})), {})
    with pytest.raises(ModelError, match=r"g\.onnx: has operators that have no LiteRT form here: Erf, Sin"):
        convert_graph(path)


def test_a_form_that_is_not_known_is_named(tmp_path: Path) -> None:
    grouped = {"one": np.array([1]), "kernels": random(6, 1, 400), "bias": random(6), "wide": random(6, 1, 3)}
    path = write_graph(tmp_path / "g.onnx", chain(*FRAMED, step("Conv", "wide", group=6)), grouped, 3)
    with pytest.raises(ModelError, match=r"the operator Conv \(.*\) has no LiteRT form here: groups"):
        convert_graph(path)
