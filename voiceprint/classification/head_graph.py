"""The head of a classifier as part of its encoder's ONNX graph, for runtimes without numpy."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from voiceprint.classification.head import CosineHead, Head, LinearHead
from voiceprint.scoring import unit_length

PROBABILITIES = "probabilities"
"""The second output of an encoder with a head, (batch, classes); the first stays the embedding."""

_SMALLEST = 1e-12  # length of an embedding that is divided by


def append_head(encoder: onnx.ModelProto, head: Head) -> None:
    """Add a head behind an encoder, in place.

    Parameters
    ----------
    encoder : onnx.ModelProto
        Of operator set 13 to 17, with one output: embeddings (batch, dim).
    """
    graph, (classes, _) = encoder.graph, head.shape
    embedding = graph.output[0].name
    nodes, constants = _linear(head, embedding) if isinstance(head, LinearHead) else _cosines(head, embedding)
    nodes.append(helper.make_node("Softmax", ["head.logits"], [PROBABILITIES], axis=1))
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", classes]))
    onnx.checker.check_model(encoder)


Parts = tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]


def _linear(head: LinearHead, embedding: str) -> Parts:
    inputs = [embedding, "head.weight", "head.bias"]
    constants = {"head.weight": head.weight, "head.bias": head.bias}
    return [helper.make_node("Gemm", inputs, ["head.logits"], transB=1)], {**constants}


def _cosines(head: CosineHead, embedding: str) -> Parts:
    classes, centres, dim = head.centres.shape
    constants: dict[str, NDArray[np.generic]] = {
        "head.axis": np.array([1]),
        "head.smallest": np.array(_SMALLEST, dtype=np.float32),
        "head.centres": np.float32(head.scale) * unit_length(head.centres).reshape(-1, dim).T,
        "head.grouped": np.array([-1, classes, centres]),
    }
    nodes = [
        helper.make_node("Mul", [embedding, embedding], ["head.squares"]),
        helper.make_node("ReduceSum", ["head.squares", "head.axis"], ["head.sum"]),
        helper.make_node("Sqrt", ["head.sum"], ["head.norm"]),
        helper.make_node("Max", ["head.norm", "head.smallest"], ["head.length"]),
        helper.make_node("Div", [embedding, "head.length"], ["head.unit"]),
        helper.make_node("MatMul", ["head.unit", "head.centres"], ["head.cosines"]),
        helper.make_node("Reshape", ["head.cosines", "head.grouped"], ["head.groups"]),
        helper.make_node("ReduceMax", ["head.groups"], ["head.logits"], axes=[2], keepdims=0),
    ]
    return nodes, constants
