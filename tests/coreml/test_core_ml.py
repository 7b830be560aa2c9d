"""A Core ML program means what the ONNX graph means that it was made from, whatever the length of the sound.

Core ML itself is only on Apple's systems. So the written program is read back and computed in torch, operator
by operator, by Core ML's description of each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from campplus_in_torch import BINS, small_campplus
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
from voiceprint.catalog.campplus import campplus_graph
from voiceprint.catalog.encoder_input import EncoderInput, FbankConfig
from voiceprint.catalog.front_end import front_end_graph
from voiceprint.catalog.graphs import join, opset_of
from voiceprint.errors import ModelError
from voiceprint.model.card import ENCODER_FILE
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.onnx_runtime import run_graph
from voiceprint.scoring import cosine, normalize

pytest.importorskip("coremltools", reason="the extra coreml is not for this system")

from core_ml_in_torch import open_program

from voiceprint.coreml import write_program


def check_alike(path: Path, *, within: float = 2e-5) -> None:
    """Compare a graph and its program on sounds of several lengths."""
    package = path.with_suffix(".mlpackage")
    write_program(path, package)
    run, content = open_program(package), path.read_bytes()
    for seed, length in enumerate(LENGTHS):
        waveform = random(1, length, seed=seed)
        (expected,) = run_graph(content, {"waveform": waveform}).values()
        found = run(waveform=waveform)["embedding"]
        assert found.shape == expected.shape
        assert found == pytest.approx(expected, abs=within, rel=1e-4)


@pytest.mark.parametrize(("steps", "rank"), CHAINS)
def test_each_operator_means_what_it_means_in_onnx(tmp_path: Path, steps: list[Step], rank: int) -> None:
    check_alike(write_chain(tmp_path / "g.onnx", steps, rank))


def test_a_split_gives_every_part(tmp_path: Path) -> None:
    check_alike(write_split(tmp_path / "g.onnx"))


def test_numbers_that_depend_on_the_length_stay_in_the_program(tmp_path: Path) -> None:
    check_alike(write_lengths(tmp_path / "g.onnx"), within=1e-3)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_keeps_its_gates_and_directions(tmp_path: Path, direction: str) -> None:
    check_alike(write_lstm(tmp_path / "g.onnx", direction))


def test_the_default_encoder_takes_any_length_and_gives_the_same_embeddings(tmp_path: Path) -> None:
    original, package = PACKAGED_MODEL / ENCODER_FILE, tmp_path / "encoder.mlpackage"
    write_program(original, package)
    run, content = open_program(package), original.read_bytes()
    for seed, seconds in enumerate((0.1, 1.0, 3.21, 10.0)):
        speech = synthesize(seed, seconds, 120.0, 1.0)[None]
        (expected,) = run_graph(content, {"waveform": speech}).values()
        found = run(waveform=speech)["embedding"]
        assert found.shape == expected.shape
        assert cosine(normalize(found), normalize(expected))[0] >= 0.9999


def test_the_speech_detector_hands_its_state_on(tmp_path: Path) -> None:
    original, package = tmp_path / "speech.onnx", tmp_path / "speech.mlpackage"
    original.write_bytes(build_network())
    write_program(original, package)
    run, content = open_program(package), original.read_bytes()
    speech = synthesize(0, 1.0, 120.0, 1.0)
    h = c = np.zeros((1, 1, 128), dtype=np.float32)
    for start in range(0, len(speech) - 576, 512):
        given = {"windows": speech[None, start : start + 576], "h": h, "c": c}
        found, expected = run(**given), run_graph(content, given)
        for name, values in expected.items():
            assert found[name] == pytest.approx(values, abs=1e-4)
        h, c = found["next_h"], found["next_c"]


def test_campplus_gives_the_same_embeddings(tmp_path: Path) -> None:
    weights = {name: tensor.numpy() for name, tensor in small_campplus().state_dict().items()}
    network, path = campplus_graph(weights), tmp_path / "encoder.onnx"
    taken = EncoderInput(input="fbank", fbank=FbankConfig(bins=BINS))
    onnx.save(join(front_end_graph(taken, opset=opset_of(network)), network, source=path), path)
    write_program(path, tmp_path / "encoder.mlpackage")
    run = open_program(tmp_path / "encoder.mlpackage")
    for seed, seconds in enumerate((1.0, 2.02, 2.04, 5.3)):
        given = {"front_waveform": synthesize(seed, seconds, 120.0, 1.0)[None]}
        (expected,) = run_graph(path.read_bytes(), given).values()
        assert cosine(normalize(run(**given)["encoder_embedding"]), normalize(expected))[0] >= 0.9999


def test_what_has_no_core_ml_form_is_named(tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.onnx", chain(("Erf", [], {}), ("Sin", [], {})), {})
    with pytest.raises(ModelError, match=r"g\.onnx: has operators that have no Core ML form here: Erf, Sin"):
        write_program(path, tmp_path / "g.mlpackage")


def test_a_form_that_is_not_known_is_named(tmp_path: Path) -> None:
    given = {"one": np.array([1]), "kernels": random(6, 1, 400), "bias": random(6)}
    padded = step("MaxPool", kernel_shape=[2], strides=[2], pads=[1, 0])
    path = write_graph(tmp_path / "g.onnx", chain(*FRAMED, padded), given, 3)
    with pytest.raises(ModelError, match=r"the operator MaxPool \(.*\) has no Core ML form here: padding"):
        write_program(path, tmp_path / "g.mlpackage")
