"""Shapes and parts of tensors, which may depend on the length of the sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from voiceprint.clip_graph import node_attribute
from voiceprint.litert.lowering import Lowering

_FARTHEST = np.iinfo(np.int32).max  # an end from there on is the end of the axis


def shape_of(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate Shape, of all axes or some."""
    shape = low.shape(node.input[0])
    number = low.file.apply(
        "SHAPE", [low.value(node.input[0])], (len(shape),), "int32", options=shape_options()
    )
    taken = range(len(shape))[node_attribute(node, "start", 0) : node_attribute(node, "end")]
    if len(taken) < len(shape):
        options = schema.GatherOptionsT()
        places = low.file.constant(np.array(taken, dtype=np.int32))
        number = low.file.apply("GATHER", [number, places], (len(taken),), "int32", options=options)
    low.numbers[node.output[0]] = number


def shape_options() -> Any:
    """Return the options of LiteRT's SHAPE: the numbers have 32 bits."""
    options = schema.ShapeOptionsT()
    options.outType = schema.TensorType.INT32
    return options


def gathered(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate Gather."""
    shape, places = low.shape(node.input[0]), low.needed(node, 1)
    axis = node_attribute(node, "axis", 0) % len(shape)
    length = shape[axis]
    low.check(
        node, length is not None or bool((places >= 0).all()), "it counts from an end that is not known"
    )
    options = schema.GatherOptionsT()
    options.axis = axis
    counted = places + (places < 0) * (length or 0)
    low.give(node, "GATHER", [low.value(node.input[0]), low.file.constant(counted)], options=options)


def slice_of(low: Lowering, node: onnx.NodeProto) -> None:
    """Translate Slice; that of a whole axis from its end to its begin reverses the axis."""
    rank = len(low.shape(node.input[0]))
    axes, steps = low.constant(node, 3), low.constant(node, 4)
    along = [*range(rank)] if axes is None else [int(axis) % rank for axis in axes]
    strides = [1] * len(along) if steps is None else [int(step) for step in steps]
    if strides == [-1]:
        _reverse(low, node, along[0])
        return
    low.check(node, all(stride > 0 for stride in strides), "it goes backwards in steps")
    bounds = [_bounds(low, name, along, rank) for name in node.input[1:3]]
    options = schema.StridedSliceOptionsT()
    options.endMask = _open_ends(low.constants.get(node.input[2]), along, rank)
    whole = np.ones(rank, dtype=np.int32)
    whole[along] = strides
    low.give(
        node,
        "STRIDED_SLICE",
        [low.value(node.input[0]), *bounds, low.file.constant(whole)],
        options=options,
    )


def _reverse(low: Lowering, node: onnx.NodeProto, axis: int) -> None:
    start, stop = (low.constant(node, place) for place in (1, 2))
    whole = start is not None and stop is not None and start[0] == -1 and stop[0] < -_FARTHEST
    low.check(node, whole, "it reverses a part")
    low.give(
        node, "REVERSE_V2", [low.value(node.input[0]), low.file.constant(np.array([axis], dtype=np.int32))]
    )


def _bounds(low: Lowering, name: str, along: Sequence[int], rank: int) -> int:
    """Begins or ends for every axis: of those that are cut what is given, 0 of the others."""
    given = low.constants.get(name)
    if given is not None:
        every = np.zeros(rank, dtype=np.int64)
        every[list(along)] = given
        return low.file.constant(every)
    nought = low.file.constant(np.zeros(1, dtype=np.int32))
    parts = [nought] * rank
    for place, axis in enumerate(along):
        parts[axis] = _element(low, name, place)
    return parts[0] if rank == 1 else low.joined(parts, 0, (rank,), "int32")


def _element(low: Lowering, name: str, place: int) -> int:
    """One number of a computed vector, as a vector."""
    if low.shape(name) == (1,):
        return low.value(name)
    options = schema.GatherOptionsT()
    where = low.file.constant(np.array([place], dtype=np.int32))
    return low.file.apply("GATHER", [low.value(name), where], (1,), "int32", options=options)


def _open_ends(ends: NDArray[Any] | None, along: Sequence[int], rank: int) -> int:
    """Bits of the axes that are taken to their end."""
    known = [0] * len(along) if ends is None else ends
    cut = {axis for axis, end in zip(along, known, strict=True) if end < _FARTHEST}
    return sum(1 << axis for axis in range(rank) if axis not in cut)
