"""Every ONNX operator that is known here, in Core ML's operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from voiceprint.clip_graph import node_attribute
from voiceprint.coreml.drafting import Draft, Translate, mb, whole
from voiceprint.coreml.indexing import INDEXING
from voiceprint.coreml.layers import LAYERS


def _of_one(operator: str) -> Translate:
    """An operator of one input that Core ML has, too."""
    return lambda draft, node: draft.give(node, getattr(mb, operator)(x=draft.first(node)))


def _of_two(operator: str, integers: str = "") -> Translate:
    """An operator of two inputs; ``integers`` is what it is called for whole numbers."""

    def translate(draft: Draft, node: onnx.NodeProto) -> None:
        called = integers if integers and draft.kind(node.input[0]) == "int32" else operator
        x, y = (draft.value(name) for name in node.input)
        draft.give(node, getattr(mb, called)(x=x, y=y))

    return translate


def _pairwise(operator: str) -> Translate:
    """Such as Max, which takes any number of inputs in ONNX and two in Core ML."""

    def translate(draft: Draft, node: onnx.NodeProto) -> None:
        found, *others = (draft.value(name) for name in node.input)
        for other in others:
            found = getattr(mb, operator)(x=found, y=other)
        draft.give(node, found)

    return translate


def _reduced(operator: str) -> Translate:
    def translate(draft: Draft, node: onnx.NodeProto) -> None:
        axes = draft.axes(node, 1) or tuple(range(len(draft.shape(node.input[0]))))
        keep = bool(node_attribute(node, "keepdims", 1))
        draft.give(node, getattr(mb, operator)(x=draft.first(node), axes=axes, keep_dims=keep))

    return translate


def _global_mean(draft: Draft, node: onnx.NodeProto) -> None:
    """GlobalAveragePool: the mean over all that follows the channels."""
    axes = range(2, len(draft.shape(node.input[0])))
    draft.give(node, mb.reduce_mean(x=draft.first(node), axes=[*axes], keep_dims=True))


def _clip(draft: Draft, node: onnx.NodeProto) -> None:
    found = draft.first(node)
    for operator, bound in ((mb.maximum, draft.constant(node, 1)), (mb.minimum, draft.constant(node, 2))):
        if bound is not None:
            found = operator(x=found, y=bound)
    draft.give(node, found)


def _negative(draft: Draft, node: onnx.NodeProto) -> None:
    draft.give(node, mb.mul(x=draft.first(node), y=np.array(-1, dtype=draft.kind(node.input[0]))))


def _gemm(draft: Draft, node: onnx.NodeProto) -> None:
    weights, bias = draft.needed(node, 1), draft.constant(node, 2)
    draft.check(node, not node_attribute(node, "transA", 0), "its first factor is transposed")
    factors = np.float32(node_attribute(node, "alpha", 1.0)), np.float32(node_attribute(node, "beta", 1.0))
    laid = (weights if node_attribute(node, "transB", 0) else weights.T) * factors[0]
    added = None if bias is None else np.broadcast_to(bias * factors[1], laid.shape[:1]).copy()
    draft.give(node, mb.linear(x=draft.first(node), weight=np.ascontiguousarray(laid), bias=added))


def _softmax(draft: Draft, node: onnx.NodeProto) -> None:
    draft.give(node, mb.softmax(x=draft.first(node), axis=node_attribute(node, "axis", -1)))


def _transpose(draft: Draft, node: onnx.NodeProto) -> None:
    order = node_attribute(node, "perm", [*reversed(range(len(draft.shape(node.input[0]))))])
    draft.give(node, mb.transpose(x=draft.first(node), perm=order))


def _reshape(draft: Draft, node: onnx.NodeProto) -> None:
    shape = draft.shape(node.output[0])
    if shape.count(None) < 2:
        draft.give(node, draft.reshaped(draft.first(node), shape))
        return
    lengths = draft.needed(node, 1)
    draft.check(node, (lengths == -1).sum() < 2, "it keeps lengths that depend on the sound")
    draft.give(node, mb.reshape(x=draft.first(node), shape=whole(lengths)))


def _unsqueeze(draft: Draft, node: onnx.NodeProto) -> None:
    rank = len(draft.shape(node.output[0]))
    axes = sorted(axis % rank for axis in draft.axes(node, 1))
    draft.give(node, mb.expand_dims(x=draft.first(node), axes=axes))


def _squeeze(draft: Draft, node: onnx.NodeProto) -> None:
    draft.give(node, mb.squeeze(x=draft.first(node), axes=[*draft.axes(node, 1)]))


def _concat(draft: Draft, node: onnx.NodeProto) -> None:
    values = [draft.value(name) for name in node.input]
    draft.give(node, mb.concat(values=values, axis=node_attribute(node, "axis")))


def _split(draft: Draft, node: onnx.NodeProto) -> None:
    sizes, axis = draft.constant(node, 1), node_attribute(node, "axis", 0)
    given = {"num_splits": len(node.output)} if sizes is None else {"split_sizes": whole(sizes)}
    draft.values |= zip(node.output, mb.split(x=draft.first(node), axis=axis, **given), strict=True)


def _cast(draft: Draft, node: onnx.NodeProto) -> None:
    kinds = {"float32": "fp32", "int32": "int32", "bool": "bool"}
    draft.give(node, mb.cast(x=draft.first(node), dtype=kinds[draft.kind(node.output[0])]))


def _filled(draft: Draft, node: onnx.NodeProto) -> None:
    """ConstantOfShape, of a shape that depends on the sound."""
    given = node_attribute(node, "value")
    value: Any = np.float32(0) if given is None else onnx.numpy_helper.to_array(given).ravel()[0]
    draft.give(node, mb.fill(shape=draft.first(node), value=value))


def _expanded(draft: Draft, node: onnx.NodeProto) -> None:
    """Expand: times ones of that shape, which leaves every number as it is."""
    ones = np.ones(draft.needed(node, 1), dtype=draft.kind(node.input[0]))
    draft.give(node, mb.mul(x=draft.first(node), y=ones))


def _pad(draft: Draft, node: onnx.NodeProto) -> None:
    amounts, fill = draft.needed(node, 1), draft.constant(node, 2)
    mode = node_attribute(node, "mode", "constant")
    draft.check(node, mode in {"constant", "reflect"}, f"its mode is {mode}")
    by_axis = np.reshape(amounts, (2, -1)).T
    first = int(np.argmax(by_axis.any(axis=1)))  # the axes before it are left as they are
    draft.check(node, mode == "constant" or len(by_axis) - first < 3, "it reflects more than two axes")
    value = np.float32(0) if fill is None else np.float32(fill.ravel()[0])
    padded = mb.pad(x=draft.first(node), pad=whole(by_axis[first:].ravel()), mode=mode, constant_val=value)
    draft.give(node, padded)


TRANSLATIONS: Mapping[str, Translate] = {
    **INDEXING,
    **LAYERS,
    "Abs": _of_one("abs"),
    "Add": _of_two("add"),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Div": _of_two("real_div", integers="floor_div"),
    "Exp": _of_one("exp"),
    "Expand": _expanded,
    "Flatten": _reshape,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_mean,
    "Identity": _of_one("identity"),
    "Log": _of_one("log"),
    "MatMul": _of_two("matmul"),
    "Max": _pairwise("maximum"),
    "Min": _pairwise("minimum"),
    "Mod": _of_two("mod"),
    "Mul": _of_two("mul"),
    "Neg": _negative,
    "Pad": _pad,
    "Pow": _of_two("pow"),
    "ReduceMax": _reduced("reduce_max"),
    "ReduceMean": _reduced("reduce_mean"),
    "ReduceSum": _reduced("reduce_sum"),
    "Relu": _of_one("relu"),
    "Reshape": _reshape,
    "Sigmoid": _of_one("sigmoid"),
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _of_one("sqrt"),
    "Squeeze": _squeeze,
    "Sub": _of_two("sub"),
    "Tanh": _of_one("tanh"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""How each operator is translated, by its ONNX name."""
