"""A LiteRT file answers like the ONNX graph that it was made from, whatever the length of the sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.synthetic_speech import synthesize
from voiceprint.audio.vad.network import build_network
from voiceprint.errors import ModelError
from voiceprint.litert import convert_graph, litert_embedder
from voiceprint.litert.running import litert_runner
from voiceprint.model.card import ENCODER_FILE
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.onnx_runtime import graph_embedder, run_graph
from voiceprint.scoring import cosine, normalize

Floats = NDArray[np.float32]
LENGTHS = (1600, 16000, 16001, 33333)


def f32(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float32)


def random(*shape: int, seed: int = 0) -> Floats:
    return 0.3 * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def write_graph(
    path: Path, nodes: Sequence[onnx.NodeProto], constants: dict[str, NDArray[np.generic]], rank: int = 2
) -> Path:
    """Write a graph: ``waveform`` (batch, samples) -> ``embedding``, of so many axes."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [f"axis{i}" for i in range(rank)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def chain(*steps: tuple[str, Sequence[str], dict[str, Any]]) -> list[onnx.NodeProto]:
    """Nodes one behind the other: each takes what the one before gave, then its constants."""
    names = ["waveform", *(f"step{i}" for i in range(len(steps) - 1)), "embedding"]
    return [
        helper.make_node(operator, [before, *others], [after], **attributes)
        for (operator, others, attributes), before, after in zip(steps, names[:-1], names[1:], strict=True)
    ]


FRAMED: list[tuple[str, Sequence[str], dict[str, Any]]] = [
    ("Unsqueeze", ["one"], {}),
    ("Conv", ["kernels", "bias"], {"strides": [160], "pads": [200, 199]}),
]
"""(1, samples) -> (1, 6, samples / 160)."""

CONSTANTS: dict[str, NDArray[np.generic]] = {
    "one": np.array([1]),
    "two": np.array([2]),
    "half": f32(0.5),
    "squared": f32(2.0),
    "kernels": random(6, 1, 400),
    "bias": random(6, seed=1),
    "wide": random(5, 6, 3, seed=2),
    "vector": random(6, 1, seed=3),
    "table": random(6, 4, seed=4),
    "flip_from": np.array([-1]),
    "flip_to": np.array([np.iinfo(np.int64).min]),
    "from": np.array([1]),
    "to": np.array([-2]),
    "last": np.array([2**63 - 1]),
    "picture": random(3, 1, 3, 3, seed=5),
    "picture_bias": random(3, seed=6),
    "scale": f32([1, 2, 0.5, 1, 1, 3]),
    "mean": random(6, seed=7),
    "variance": np.abs(random(6, seed=8)) + f32(0.1),
    "sizes": np.array([2, 4]),
    "shape": np.array([0, 0, 2, 3]),
    "around": np.array([0, 0, 3, 0, 0, 2]),
    "low": f32(-0.2),
    "high": f32(0.3),
    "eps": f32(1e-3),
}


def step(operator: str, *others: str, **attributes: Any) -> tuple[str, Sequence[str], dict[str, Any]]:
    return operator, others, attributes


@pytest.mark.parametrize(
    ("steps", "rank"),
    [
        ([step("Conv", "wide", pads=[2, 2], dilations=[2])], 3),
        ([step("Relu"), step("Add", "half"), step("Log")], 3),
        (
            [
                step("Mul", "vector"),
                step("Sub", "vector"),
                step("Abs"),
                step("Add", "eps"),
                step("Div", "half"),
            ],
            3,
        ),
        ([step("Abs"), step("Pow", "squared"), step("Sqrt"), step("Exp"), step("Neg")], 3),
        ([step("Abs"), step("Pow", "half")], 3),
        ([step("Clip", "low", "high")], 3),
        ([step("Clip", "low")], 3),
        ([step("Softmax", axis=2)], 3),
        ([step("Softmax", axis=1)], 3),
        ([step("Sigmoid"), step("Tanh")], 3),
        ([step("BatchNormalization", "scale", "bias", "mean", "variance")], 3),
        ([step("ReduceMean", axes=[2], keepdims=0)], 2),
        ([step("ReduceMean", axes=[-1], keepdims=1)], 3),
        ([step("ReduceMax", axes=[1, 2], keepdims=1)], 3),
        ([step("ReduceSum", "two", keepdims=0)], 2),
        ([step("Transpose", perm=[0, 2, 1]), step("MatMul", "table")], 3),
        ([step("Transpose", perm=[2, 0, 1]), step("Reshape", "shape")], 4),
        ([step("Slice", "flip_from", "flip_to", "two", "flip_from")], 3),
        ([step("Slice", "from", "to", "two")], 3),
        ([step("Slice", "from", "last", "two", "two")], 3),
        ([step("ReduceMean", axes=[2]), step("Squeeze", "two"), step("Gemm", "table")], 2),
        ([step("ReduceMean", axes=[2]), step("Flatten"), step("Gemm", "table", alpha=2.0)], 2),
        ([step("Pad", "around", mode="reflect")], 3),
        ([step("Pad", "around", mode="constant")], 3),
        ([step("Max", "half"), step("Min", "high")], 3),
        ([step("MaxPool", kernel_shape=[2], strides=[2], ceil_mode=1)], 3),
        ([step("MaxPool", kernel_shape=[3], strides=[2])], 3),
        (
            [
                step("Unsqueeze", "one"),
                step("Conv", "picture", "picture_bias", pads=[1, 1, 1, 1], strides=[1, 2]),
                step("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
            ],
            4,
        ),
    ],
    ids=lambda value: (
        "-".join(operator for operator, _, _ in value) if isinstance(value, list) else str(value)
    ),
)
def test_each_operator_answers_like_onnx_runtime(
    tmp_path: Path, steps: list[tuple[str, Sequence[str], dict[str, Any]]], rank: int
) -> None:
    nodes = chain(*FRAMED, *steps)
    used = {name for node in nodes for name in node.input}
    path = write_graph(
        tmp_path / "g.onnx", nodes, {name: value for name, value in CONSTANTS.items() if name in used}, rank
    )
    check_alike(path, tmp_path / "g.tflite")


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
    nodes = [
        *chain(*FRAMED, step("Identity"))[:-1],
        helper.make_node("Split", ["step1", "sizes"], ["left", "right"], axis=1),
        helper.make_node("ReduceMean", ["left"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["right", "mean"], ["embedding"]),
    ]
    constants = {name: CONSTANTS[name] for name in ("one", "kernels", "bias", "sizes")}
    check_alike(write_graph(tmp_path / "g.onnx", nodes, constants, 3), tmp_path / "g.tflite")


def test_numbers_that_depend_on_the_length_stay_in_the_file(tmp_path: Path) -> None:
    # As many samples as there are whole frames of 160, times that number, and as they are.
    nodes = [
        helper.make_node("Shape", ["waveform"], ["shape"]),
        helper.make_node("Gather", ["shape", "second"], ["samples"], axis=0),
        helper.make_node("Mod", ["samples", "frame"], ["over"]),
        helper.make_node("Sub", ["samples", "over"], ["whole"]),
        helper.make_node("Div", ["whole", "frame"], ["frames"]),
        helper.make_node("Unsqueeze", ["frames", "nought"], ["end"]),
        helper.make_node("Slice", ["waveform", "nought", "end", "one", "one"], ["first"]),
        helper.make_node("Cast", ["frames"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["first", "counted"], ["scaled"]),
        helper.make_node("Concat", ["scaled", "first"], ["embedding"], axis=1),
    ]
    constants = {
        "second": np.array(1),
        "frame": np.array(160),
        "nought": np.array([0]),
        "one": np.array([1]),
    }
    check_alike(write_graph(tmp_path / "g.onnx", nodes, constants), tmp_path / "g.tflite", within=1e-3)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_forgets_the_clip_before(tmp_path: Path, direction: str) -> None:
    directions = 2 if direction == "bidirectional" else 1
    constants = {
        "one": np.array([1]),
        "kernels": random(6, 1, 400),
        "bias": random(6, seed=1),
        "entering": 3 * random(directions, 20, 6, seed=2),
        "hidden": 3 * random(directions, 20, 5, seed=3),
        "biases": random(directions, 40, seed=4),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["mono"]),
        helper.make_node("Conv", ["mono", "kernels", "bias"], ["frames"], strides=[160]),
        helper.make_node("Transpose", ["frames"], ["steps"], perm=[2, 0, 1]),
        helper.make_node(
            "LSTM",
            ["steps", "entering", "hidden", "biases"],
            ["embedding"],
            hidden_size=5,
            direction=direction,
        ),
    ]
    path = write_graph(tmp_path / "g.onnx", nodes, constants, 4)
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
