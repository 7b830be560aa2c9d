"""Weights in 8 bits: a graph of a quarter of the size that computes in float32 as before."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["WEIGHTED", "quantize_weights"]

_FEWEST = 1024  # numbers; smaller constants are left as they are

WEIGHTED = {"Conv": (1,), "Gemm": (1,), "MatMul": (1,), "LSTM": (1, 2)}
"""Operators that have weights, and which of their inputs these are."""


def quantize_weights(model: onnx.ModelProto, *, operators: Collection[str] = ("Conv",)) -> None:
    """Replace weights by 8-bit numbers and a scale for each output channel, in place.

    The graph turns them back into floats before it uses them: what is lost is precision, not speed. Weights
    that are stored in half precision are replaced as well.

    Parameters
    ----------
    model : onnx.ModelProto
        Of operator set 13 or later.
    operators : collection of str
        Whose weights: keys of `WEIGHTED`.
    """
    graph = model.graph
    axes = dict(_weights(graph.node, operators))
    halves = {node.input[0]: node for node in graph.node if node.op_type == "Cast"}
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    replaced: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        cast = halves.get(tensor.name) if value.dtype == np.float16 else None
        name = tensor.name if cast is None else cast.output[0]
        if name not in axes or value.size < _FEWEST:
            constants.append(tensor)
            continue
        replaced += [] if cast is None else [cast]
        whole, scales = _rounded(value.astype(np.float32), axes[name])
        constants.append(numpy_helper.from_array(whole, f"{name}.int8"))
        constants.append(numpy_helper.from_array(scales, f"{name}.scale"))
        inputs = [f"{name}.int8", f"{name}.scale"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=axes[name]))
    nodes += [node for node in graph.node if node not in replaced]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(constants)
    graph.node.extend(nodes)


def _weights(nodes: Collection[onnx.NodeProto], operators: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield the names of weights, and along which axis their output channels lie."""
    for node in nodes:
        if node.op_type in operators:
            for place in WEIGHTED[node.op_type]:
                yield node.input[place], _output_axis(node)


def _output_axis(node: onnx.NodeProto) -> int:
    if node.op_type == "Gemm":
        transposed = any(each.name == "transB" and each.i for each in node.attribute)
        return 0 if transposed else 1
    return {"Conv": 0, "MatMul": 1, "LSTM": 1}[node.op_type]


def _rounded(value: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to 8 bits: returns the numbers, and a scale for each channel."""
    others = tuple(each for each in range(value.ndim) if each != axis)
    largest = np.abs(value).max(axis=others)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    return np.rint(value / np.expand_dims(scales, others)).astype(np.int8), scales
