"""Lowering: a LiteRT file that is being made of an ONNX graph, and what every operator asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from voiceprint.clip_graph import ClipGraph, Shape
from voiceprint.litert.file import NOTHING, LiteFile


class Lowering(ClipGraph):
    """A graph while its operators are translated, in their order.

    Attributes
    ----------
    file : LiteFile
    numbers : dict of str to int
        Of the tensors that hold the values so far.
    """

    def __init__(self, path: Path, *, source: str = "") -> None:
        super().__init__(path, source=source, runtime="LiteRT")
        self.file = LiteFile()
        self.numbers: dict[str, int] = {}

    def value(self, name: str) -> int:
        """Number of the tensor that holds an ONNX value."""
        if name not in self.numbers:
            self.numbers[name] = self.file.constant(self.constants[name])
        return self.numbers[name]

    def give(
        self, node: onnx.NodeProto, operator: str, inputs: Sequence[int], *, options: Any = None
    ) -> None:
        """Translate a node by an operator that gives the node's only output."""
        (name,) = node.output
        self.numbers[name] = self.file.apply(
            operator, inputs, self.shape(name), self.kind(name), options=options
        )

    def transposed(self, number: int, shape: Shape, order: Sequence[int]) -> tuple[int, Shape]:
        """Put the axes of a tensor into another order; returns its number and shape."""
        turned = tuple(shape[axis] for axis in order)
        order_given = self.file.constant(np.array(order))
        return self.file.apply("TRANSPOSE", [number, order_given], turned), turned

    def reshaped(self, number: int, shape: Shape, kind: str = "float32") -> int:
        """Give a tensor another shape, in which one length may be open."""
        lengths = np.array([-1 if length is None else length for length in shape], dtype=np.int32)
        return self.file.apply("RESHAPE", [number, self.file.constant(lengths)], shape, kind)

    def dense(
        self, number: int, weights: NDArray[np.float32], bias: NDArray[np.float32] | None, shape: Shape
    ) -> int:
        """Multiply the last axis by weights (outputs, inputs)."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        added = NOTHING if bias is None else self.file.constant(bias)
        return self.file.apply(
            "FULLY_CONNECTED", [number, self.file.weights(weights), added], shape, options=options
        )

    def joined(self, numbers: Sequence[int], axis: int, shape: Shape, kind: str = "float32") -> int:
        """Put tensors one behind the other."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        return self.file.apply("CONCATENATION", numbers, shape, kind, options=options)

    def without_first(self, number: int, shape: Shape) -> int:
        """Leave out the first step of a tensor's first axis."""
        rank = len(shape)
        options = schema.StridedSliceOptionsT()
        options.endMask = 2**rank - 1
        begin, ones = np.eye(1, rank, dtype=np.int32)[0], np.ones(rank, dtype=np.int32)
        bounds = [self.file.constant(each) for each in (begin, ones, ones)]
        return self.file.apply("STRIDED_SLICE", [number, *bounds], (None, *shape[1:]), options=options)
