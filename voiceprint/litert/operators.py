"""Every ONNX operator that is known here, in LiteRT's operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema

from voiceprint.clip_graph import node_attribute
from voiceprint.litert.convolution import average_pool, batch_normalization, convolution, max_pool
from voiceprint.litert.indexing import gathered, shape_of, slice_of
from voiceprint.litert.lowering import Lowering
from voiceprint.litert.lstm import lstm

Translate = Callable[[Lowering, onnx.NodeProto], None]


def _same(operator: str, whole: str = "") -> Translate:
    """An operator of one or more inputs that LiteRT has, too; ``whole`` is what it is called for integers."""

    def translate(low: Lowering, node: onnx.NodeProto) -> None:
        kind = low.kind(node.input[0])
        low.give(
            node, whole if whole and kind == "int32" else operator, [low.value(name) for name in node.input]
        )

    return translate


def _pairwise(operator: str) -> Translate:
    """Such as Max, which takes any number of inputs in ONNX and two in LiteRT."""

    def translate(low: Lowering, node: onnx.NodeProto) -> None:
        *others, last = (low.value(name) for name in node.input)
        if not others:
            low.numbers[node.output[0]] = last
            return
        found, *others = others
        for other in others:
            found = low.file.apply(operator, [found, other], low.shape(node.output[0]))
        low.give(node, operator, [found, last])

    return translate


def _reduced(operator: str) -> Translate:
    def translate(low: Lowering, node: onnx.NodeProto) -> None:
        rank = len(low.shape(node.input[0]))
        axes = low.axes(node, 1) or tuple(range(rank))
        options = schema.ReducerOptionsT()
        options.keepDims = bool(node_attribute(node, "keepdims", 1))
        low.give(
            node,
            operator,
            [low.value(node.input[0]), low.file.constant(np.array(axes, dtype=np.int32))],
            options=options,
        )

    return translate


def _clip(low: Lowering, node: onnx.NodeProto) -> None:
    found = low.value(node.input[0])
    bounds = [("MAXIMUM", low.constant(node, 1)), ("MINIMUM", low.constant(node, 2))]
    for operator, bound in bounds:
        if bound is not None:
            found = low.file.apply(operator, [found, low.file.constant(bound)], low.shape(node.output[0]))
    low.numbers[node.output[0]] = found


def _power(low: Lowering, node: onnx.NodeProto) -> None:
    base, exponent = low.value(node.input[0]), low.constant(node, 1)
    if exponent is not None and exponent.size == 1 and float(exponent.ravel()[0]) == 2.0:
        low.give(node, "MUL", [base, base])
    else:
        low.give(node, "POW", [base, low.value(node.input[1])])


def _product(low: Lowering, node: onnx.NodeProto) -> None:
    """MatMul: by weights a dense layer, otherwise matrix by matrix."""
    first, second = node.input
    weights = low.constants.get(second)
    if weights is not None and weights.ndim == 2:
        shape = low.shape(node.output[0])
        low.numbers[node.output[0]] = low.dense(
            low.value(first), np.ascontiguousarray(weights.T), None, shape
        )
    else:
        low.give(node, "BATCH_MATMUL", [low.value(first), low.value(second)])


def _gemm(low: Lowering, node: onnx.NodeProto) -> None:
    weights, bias = low.needed(node, 1), low.constant(node, 2)
    low.check(node, not node_attribute(node, "transA", 0), "its first factor is transposed")
    factors = np.float32(node_attribute(node, "alpha", 1.0)), np.float32(node_attribute(node, "beta", 1.0))
    laid = weights if node_attribute(node, "transB", 0) else np.transpose(weights)
    scaled = np.ascontiguousarray(laid * factors[0])
    added = None if bias is None else np.broadcast_to(bias * factors[1], scaled.shape[:1]).copy()
    shape = low.shape(node.output[0])
    low.numbers[node.output[0]] = low.dense(low.value(node.input[0]), scaled, added, shape)


def _softmax(low: Lowering, node: onnx.NodeProto) -> None:
    """LiteRT's softmax is that of the last axis."""
    shape = low.shape(node.input[0])
    order = list(range(len(shape)))
    axis = node_attribute(node, "axis", -1) % len(shape)
    order[axis], order[-1] = order[-1], order[axis]
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    turned, there = low.transposed(low.value(node.input[0]), shape, order)
    found = low.file.apply("SOFTMAX", [turned], there, options=options)
    low.numbers[node.output[0]] = low.transposed(found, there, order)[0]


def _transpose(low: Lowering, node: onnx.NodeProto) -> None:
    shape = low.shape(node.input[0])
    order = node_attribute(node, "perm", [*reversed(range(len(shape)))])
    low.give(node, "TRANSPOSE", [low.value(node.input[0]), low.file.constant(np.array(order))])


def _reshape(low: Lowering, node: onnx.NodeProto) -> None:
    shape = low.shape(node.output[0])
    if shape.count(None) < 2:
        kind = low.kind(node.output[0])
        low.numbers[node.output[0]] = low.reshaped(low.value(node.input[0]), shape, kind)
    else:
        low.check(node, node.input[1] not in low.constants, "it keeps lengths that depend on the sound")
        low.give(node, "RESHAPE", [low.value(node.input[0]), low.value(node.input[1])])


def _flatten(low: Lowering, node: onnx.NodeProto) -> None:
    shape = low.shape(node.output[0])
    low.check(node, shape.count(None) < 2, "both its lengths depend on the sound")
    low.numbers[node.output[0]] = low.reshaped(low.value(node.input[0]), shape)


def _unsqueeze(low: Lowering, node: onnx.NodeProto) -> None:
    name, shape = node.output[0], low.shape(node.output[0])
    found, kind = low.value(node.input[0]), low.kind(node.input[0])
    lengths = list(low.shape(node.input[0]))
    for axis in sorted(axis % len(shape) for axis in low.axes(node, 1)):
        lengths.insert(axis, 1)
        place = low.file.constant(np.array(axis))
        found = low.file.apply("EXPAND_DIMS", [found, place], tuple(lengths), kind)
    low.numbers[name] = found


def _squeeze(low: Lowering, node: onnx.NodeProto) -> None:
    options = schema.SqueezeOptionsT()
    options.squeezeDims = [axis % len(low.shape(node.input[0])) for axis in low.axes(node, 1)]
    low.give(node, "SQUEEZE", [low.value(node.input[0])], options=options)


def _concat(low: Lowering, node: onnx.NodeProto) -> None:
    shape = low.shape(node.output[0])
    axis = node_attribute(node, "axis") % len(shape)
    numbers = [low.value(name) for name in node.input]
    low.numbers[node.output[0]] = low.joined(numbers, axis, shape, low.kind(node.output[0]))


def _split(low: Lowering, node: onnx.NodeProto) -> None:
    shape, sizes = low.shape(node.input[0]), low.constant(node, 1)
    axis = node_attribute(node, "axis", 0) % len(shape)
    parts = len(node.output)
    if sizes is None:
        length = shape[axis]
        low.check(node, length is not None and length % parts == 0, "its parts have no known length")
        sizes = np.full(parts, (length or 0) // parts)
    made = [low.file.tensor(low.shape(name), low.kind(name)) for name in node.output]
    options = schema.SplitVOptionsT()
    options.numSplits = parts
    inputs = [low.value(node.input[0]), low.file.constant(sizes), low.file.constant(np.array(axis))]
    low.file.add("SPLIT_V", inputs, made, options=options)
    low.numbers.update(zip(node.output, made, strict=True))


def _cast(low: Lowering, node: onnx.NodeProto) -> None:
    if low.kind(node.input[0]) == low.kind(node.output[0]):
        low.numbers[node.output[0]] = low.value(node.input[0])
    else:
        low.give(node, "CAST", [low.value(node.input[0])])


def _identity(low: Lowering, node: onnx.NodeProto) -> None:
    low.numbers[node.output[0]] = low.value(node.input[0])


def _expanded(low: Lowering, node: onnx.NodeProto) -> None:
    """Expand: times ones of that shape, which leaves every number as it is."""
    kind = low.kind(node.input[0])
    ones = low.file.constant(np.ones(low.needed(node, 1), dtype=kind))
    low.give(node, "MUL", [low.value(node.input[0]), ones])


def _global_mean(low: Lowering, node: onnx.NodeProto) -> None:
    """GlobalAveragePool: the mean over all that follows the channels."""
    options = schema.ReducerOptionsT()
    options.keepDims = True
    axes = np.arange(2, len(low.shape(node.input[0])), dtype=np.int32)
    low.give(node, "MEAN", [low.value(node.input[0]), low.file.constant(axes)], options=options)


def _filled(low: Lowering, node: onnx.NodeProto) -> None:
    """ConstantOfShape, of a shape that depends on the sound."""
    given = node_attribute(node, "value")
    value = np.zeros(1, dtype=np.float32) if given is None else onnx.numpy_helper.to_array(given)
    low.give(node, "FILL", [low.value(node.input[0]), low.file.constant(value.reshape(()))])


def _pad(low: Lowering, node: onnx.NodeProto) -> None:
    amounts, fill = low.needed(node, 1), low.constant(node, 2)
    mode = node_attribute(node, "mode", "constant")
    low.check(node, mode in {"constant", "reflect"}, f"its mode is {mode}")
    paddings = low.file.constant(np.reshape(amounts, (2, -1)).T)
    if mode == "reflect":
        options = schema.MirrorPadOptionsT()
        options.mode = schema.MirrorPadMode.REFLECT
        low.give(node, "MIRROR_PAD", [low.value(node.input[0]), paddings], options=options)
    else:
        value = low.file.constant(np.zeros((), dtype=np.float32) if fill is None else fill)
        low.give(node, "PADV2", [low.value(node.input[0]), paddings, value])


OPERATORS: Mapping[str, Translate] = {
    "Abs": _same("ABS"),
    "Add": _same("ADD"),
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Conv": convolution,
    "Div": _same("DIV", whole="FLOOR_DIV"),
    "Exp": _same("EXP"),
    "Expand": _expanded,
    "Flatten": _flatten,
    "Gather": gathered,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_mean,
    "Identity": _identity,
    "LSTM": lstm,
    "Log": _same("LOG"),
    "MatMul": _product,
    "Max": _pairwise("MAXIMUM"),
    "MaxPool": max_pool,
    "Min": _pairwise("MINIMUM"),
    "Mod": _same("FLOOR_MOD"),
    "Mul": _same("MUL"),
    "Neg": _same("NEG"),
    "Pad": _pad,
    "Pow": _power,
    "ReduceMax": _reduced("REDUCE_MAX"),
    "ReduceMean": _reduced("MEAN"),
    "ReduceSum": _reduced("SUM"),
    "Relu": _same("RELU"),
    "Reshape": _reshape,
    "Shape": shape_of,
    "Sigmoid": _same("LOGISTIC"),
    "Slice": slice_of,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _same("SQRT"),
    "Squeeze": _squeeze,
    "Sub": _same("SUB"),
    "Tanh": _same("TANH"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""How each operator is translated, by its ONNX name."""
