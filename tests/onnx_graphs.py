"""Small ONNX graphs, as the tests of converters give them: sound -> frames -> a chain of operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
Step = tuple[str, Sequence[str], dict[str, Any]]
"""An operator, the constants behind its first input, and its attributes."""

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


def chain(*steps: Step) -> list[onnx.NodeProto]:
    """Nodes one behind the other: each takes what the one before gave, then its constants."""
    names = ["waveform", *(f"step{i}" for i in range(len(steps) - 1)), "embedding"]
    return [
        helper.make_node(operator, [before, *others], [after], **attributes)
        for (operator, others, attributes), before, after in zip(steps, names[:-1], names[1:], strict=True)
    ]


FRAMED: list[Step] = [
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
    "last_axis": np.array([3]),
    "four_times": np.array([1, 1, 1, 4]),
    "joined": np.array([0, 0, -1]),
    "shape": np.array([0, 0, 2, 3]),
    "around": np.array([0, 0, 3, 0, 0, 2]),
    "low": f32(-0.2),
    "high": f32(0.3),
    "eps": f32(1e-3),
}


def step(operator: str, *others: str, **attributes: Any) -> Step:
    return operator, others, attributes


CHAINS: list[Any] = [
    pytest.param(steps, rank, id="-".join(operator for operator, _, _ in steps))
    for steps, rank in [
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
        ([step("AveragePool", kernel_shape=[3], strides=[2])], 3),
        ([step("AveragePool", kernel_shape=[7], strides=[7], ceil_mode=1)], 3),
        ([step("AveragePool", kernel_shape=[5], strides=[3], ceil_mode=1)], 3),
        (
            [
                step("Unsqueeze", "one"),
                step("AveragePool", kernel_shape=[2, 5], strides=[2, 4], ceil_mode=1),
            ],
            4,
        ),
        ([step("GlobalAveragePool")], 3),
        ([step("Unsqueeze", "last_axis"), step("Expand", "four_times"), step("Reshape", "joined")], 3),
        (
            [
                step("Unsqueeze", "one"),
                step("Conv", "picture", "picture_bias", pads=[1, 1, 1, 1], strides=[1, 2]),
                step("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
            ],
            4,
        ),
    ]
]
"""Chains of operators behind the frames, and the axes of what they give."""


def write_chain(path: Path, steps: Sequence[Step], rank: int) -> Path:
    """Write a graph of a chain behind the frames."""
    nodes = chain(*FRAMED, *steps)
    used = {name for node in nodes for name in node.input}
    return write_graph(path, nodes, {name: value for name, value in CONSTANTS.items() if name in used}, rank)


def write_split(path: Path) -> Path:
    """Write a graph that uses both parts of a split."""
    nodes = [
        *chain(*FRAMED, step("Identity"))[:-1],
        helper.make_node("Split", ["step1", "sizes"], ["left", "right"], axis=1),
        helper.make_node("ReduceMean", ["left"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["right", "mean"], ["embedding"]),
    ]
    constants = {name: CONSTANTS[name] for name in ("one", "kernels", "bias", "sizes")}
    return write_graph(path, nodes, constants, 3)


def write_lengths(path: Path) -> Path:
    """Write a graph that counts: so many samples as there are frames, times numbers, and as they are."""
    nodes = [
        helper.make_node("Shape", ["waveform"], ["shape"]),
        helper.make_node("Gather", ["shape", "second"], ["samples"], axis=0),
        helper.make_node("Mod", ["samples", "frame"], ["over"]),
        helper.make_node("Sub", ["samples", "over"], ["whole"]),
        helper.make_node("Div", ["whole", "frame"], ["frames"]),
        helper.make_node("Unsqueeze", ["frames", "nought"], ["end"]),
        helper.make_node("Slice", ["waveform", "nought", "end", "one", "one"], ["first"]),
        helper.make_node("Cast", ["frames"], ["counted"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["first", "counted"], ["by_frames"]),
        helper.make_node("Shape", ["first"], ["length"], start=1),
        helper.make_node("Cast", ["length"], ["long"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["by_frames", "long"], ["scaled"]),
        helper.make_node("Concat", ["scaled", "first"], ["embedding"], axis=1),
    ]
    constants = {
        "second": np.array(1),
        "frame": np.array(160),
        "nought": np.array([0]),
        "one": np.array([1]),
    }
    return write_graph(path, nodes, constants)


def write_lstm(path: Path, direction: str) -> Path:
    """Write a graph of frames through an LSTM."""
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
    return write_graph(path, nodes, constants, 4)
