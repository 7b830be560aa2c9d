"""Convolutions, pooling and batch normalisation: channels come last in LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema

from voiceprint.clip_graph import Shape, node_attribute
from voiceprint.litert.indexing import shape_options
from voiceprint.litert.lowering import Lowering


def convolution(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate Conv, of one or two dimensions."""
    weights, bias = low.needed(node, 1), low.constant(node, 2)
    shape, made = low.shape(node.input[0]), low.shape(node.output[0])
    dimensions = len(shape) - 2
    plain = node_attribute(node, "auto_pad", "NOTSET") == "NOTSET" and node_attribute(node, "group", 1) == 1
    low.check(node, plain and dimensions in {1, 2}, "groups, or other dimensions")
    pads = node_attribute(node, "pads", [0] * 2 * dimensions)
    number, there = _channels_last(low, low.value(node.input[0]), shape)
    number, there = _padded(low, number, there, [*pads[:dimensions]], [*pads[dimensions:]])
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH, options.strideW = _two(node_attribute(node, "strides", [1] * dimensions))
    options.dilationHFactor, options.dilationWFactor = _two(
        node_attribute(node, "dilations", [1] * dimensions)
    )
    kernels = np.expand_dims(weights, 2) if dimensions == 1 else weights
    laid = np.ascontiguousarray(kernels.transpose(0, 2, 3, 1))
    added = np.zeros(len(laid), dtype=np.float32) if bias is None else bias
    inputs = [number, low.file.weights(laid), low.file.constant(added)]
    result = _picture(made)
    found = low.file.apply("CONV_2D", inputs, result, options=options)
    low.numbers[node.output[0]] = _channels_first(low, found, result, made)


def max_pool(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate MaxPool: whole windows, or with ``ceil_mode`` the last one cut short."""
    kernel, strides = _pooled(low, node)
    cut = bool(node_attribute(node, "ceil_mode", 0))
    # SAME adds half of what is missing before the first window: nothing, where one number is missing.
    low.check(node, not cut or (kernel == strides and max(kernel) <= 2), "its last window may be cut short")
    options = _pool_options(kernel, strides, schema.Padding.SAME if cut else schema.Padding.VALID)
    made = low.shape(node.output[0])
    number, _ = _channels_last(low, low.value(node.input[0]), low.shape(node.input[0]))
    found = low.file.apply("MAX_POOL_2D", [number], _picture(made), options=options)
    low.numbers[node.output[0]] = _channels_first(low, found, _picture(made), made)


def average_pool(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate AveragePool: whole windows, or with ``ceil_mode`` the mean of what the last one holds."""
    kernel, strides = _pooled(low, node)
    options = _pool_options(kernel, strides, schema.Padding.VALID)
    made = low.shape(node.output[0])
    number, there = _channels_last(low, low.value(node.input[0]), low.shape(node.input[0]))
    if not node_attribute(node, "ceil_mode", 0):
        found = low.file.apply("AVERAGE_POOL_2D", [number], _picture(made), options=options)
    else:
        low.check(node, all(map(int.__le__, strides, kernel)), "its last window may hold nothing")
        lengths = low.file.apply("SHAPE", [number], (len(there),), "int32", options=shape_options())
        ones = low.file.apply("FILL", [lengths, low.file.constant(np.ones((), dtype=np.float32))], there)
        # Zeros fill the last window; the mean of as many ones and zeros tells how much of it is filled.
        means = []
        for each in (number, ones):
            wide, _ = _padded(low, each, there, [0] * len(strides), [stride - 1 for stride in strides])
            means.append(low.file.apply("AVERAGE_POOL_2D", [wide], _picture(made), options=options))
        found = low.file.apply("DIV", means, _picture(made))
    low.numbers[node.output[0]] = _channels_first(low, found, _picture(made), made)


def _pooled(low: Lowering, node: onnx.NodeProto) -> tuple[list[int], list[int]]:
    """Window and step of a pooling."""
    kernel = [*node_attribute(node, "kernel_shape")]
    plain = not any(node_attribute(node, "pads", [0])) and set(node_attribute(node, "dilations", [1])) == {1}
    low.check(node, plain and len(kernel) in {1, 2}, "padding, or other dimensions")
    return kernel, [*node_attribute(node, "strides", [1] * len(kernel))]


def _pool_options(kernel: Sequence[int], strides: Sequence[int], padding: int) -> Any:
    options = schema.Pool2DOptionsT()
    options.padding = padding
    options.strideH, options.strideW = _two(strides)
    options.filterHeight, options.filterWidth = _two(kernel)
    return options


def batch_normalization(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate BatchNormalization: a factor and a summand for each channel."""
    scale, bias, mean, variance = (low.constants[name] for name in node.input[1:])
    factor = scale / np.sqrt(variance + np.float32(node_attribute(node, "epsilon", 1e-5)))
    summand = bias - mean * factor
    shape = low.shape(node.input[0])
    channels = (1, -1, *(1 for _ in shape[2:]))
    scaled = low.file.apply(
        "MUL", [low.value(node.input[0]), low.file.constant(factor.reshape(channels))], shape
    )
    low.give(node, "ADD", [scaled, low.file.constant(summand.reshape(channels))])


def _two(values: Sequence[int]) -> tuple[int, int]:
    """Height and width; one dimension is a picture of height 1."""
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def _picture(shape: Shape) -> Shape:
    """(batch, channels, T) or (batch, channels, height, width) with its channels last."""
    return (shape[0], *((1,) if len(shape) == 3 else ()), *shape[2:], shape[1])


def _channels_last(low: Lowering, number: int, shape: Shape) -> tuple[int, Shape]:
    number, there = low.transposed(number, shape, [0, *range(2, len(shape)), 1])
    if len(shape) == 3:
        there = _picture(shape)
        number = low.file.apply("EXPAND_DIMS", [number, low.file.constant(np.array(1))], there)
    return number, there


def _channels_first(low: Lowering, number: int, picture: Shape, shape: Shape) -> int:
    if len(shape) == 3:
        options = schema.SqueezeOptionsT()
        options.squeezeDims = [1]
        picture = (picture[0], *picture[2:])
        number = low.file.apply("SQUEEZE", [number], picture, options=options)
    rank = len(shape)
    return low.transposed(number, picture, [0, rank - 1, *range(1, rank - 1)])[0]


def _padded(
    low: Lowering, number: int, shape: Shape, before: Sequence[int], after: Sequence[int]
) -> tuple[int, Shape]:
    """Put zeros around a picture."""
    if not any([*before, *after]):
        return number, shape
    sides = [*([(0, 0)] if len(before) == 1 else []), *zip(before, after, strict=True)]
    amounts = [(0, 0), *sides, (0, 0)]
    wider = tuple(
        None if length is None else length + sum(extra) for length, extra in zip(shape, amounts, strict=True)
    )
    paddings = low.file.constant(np.array(amounts, dtype=np.int32))
    return low.file.apply("PAD", [number, paddings], wider), wider
