"""Shapes and parts of tensors, which may depend on the length of the sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from voiceprint.clip_graph import node_attribute
from voiceprint.coreml.drafting import Draft, Translate, mb, whole

_FARTHEST = np.iinfo(np.int32).max  # an end from there on is the end of the axis


def _shape_of(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate Shape, of all axes or some."""
    rank = len(draft.shape(node.input[0]))
    found = mb.shape(x=draft.first(node))
    taken = range(rank)[node_attribute(node, "start", 0) : node_attribute(node, "end")]
    if len(taken) < rank:
        found = mb.gather(x=found, indices=np.array(taken, dtype=np.int32), axis=0)
    draft.give(node, found)


def _gathered(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate Gather."""
    places = draft.needed(node, 1)
    axis = node_attribute(node, "axis", 0)
    length = draft.shape(node.input[0])[axis]
    known = length is not None or bool((places >= 0).all())
    draft.check(node, known, "it counts from an end that is not known")
    counted = places + (places < 0) * (length or 0)
    draft.give(node, mb.gather(x=draft.first(node), indices=whole(counted), axis=axis))


def _slice_of(draft: Draft, node: onnx.NodeProto) -> None:
    """Translate Slice; that of a whole axis from its end to its begin reverses the axis."""
    rank = len(draft.shape(node.input[0]))
    axes, steps = draft.constant(node, 3), draft.constant(node, 4)
    along = [*range(rank)] if axes is None else [int(axis) % rank for axis in axes]
    strides = [1] * len(along) if steps is None else [int(step) for step in steps]
    if strides == [-1]:
        start, stop = draft.needed(node, 1), draft.needed(node, 2)
        draft.check(node, start[0] == -1 and stop[0] < -_FARTHEST, "it reverses a part")
        draft.give(node, mb.reverse(x=draft.first(node), axes=along))
        return
    draft.check(node, all(stride > 0 for stride in strides), "it goes backwards in steps")
    ends = draft.constants.get(node.input[2])
    cut = {axis for place, axis in enumerate(along) if ends is None or ends[place] < _FARTHEST}
    every = np.ones(rank, dtype=np.int32)
    every[along] = strides
    part = mb.slice_by_index(
        x=draft.first(node),
        begin=_bounds(draft, node.input[1], along, rank),
        end=_bounds(draft, node.input[2], along, rank),
        stride=every,
        end_mask=[axis not in cut for axis in range(rank)],
    )
    draft.give(node, part)


def _bounds(draft: Draft, name: str, along: Sequence[int], rank: int) -> Any:
    """Begins or ends for every axis: of those that are cut what is given, 0 of the others."""
    if name in draft.constants:
        every = np.zeros(rank, dtype=np.int64)
        every[list(along)] = draft.constants[name]
        return whole(every)
    parts: list[Any] = [np.zeros(1, dtype=np.int32)] * rank
    given = draft.value(name)
    for place, axis in enumerate(along):
        parts[axis] = mb.gather(x=given, indices=np.array([place], dtype=np.int32), axis=0)
    return parts[0] if rank == 1 else mb.concat(values=parts, axis=0)


INDEXING: Mapping[str, Translate] = {"Gather": _gathered, "Shape": _shape_of, "Slice": _slice_of}
"""How they are translated, by their ONNX names."""
