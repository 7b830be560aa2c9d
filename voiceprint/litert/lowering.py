"""Lowering: a LiteRT file that is being made of an ONNX graph, and what every operator asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnx import helper

from voiceprint.errors import ModelError
from voiceprint.litert.file import NOTHING, LiteFile, Shape

__all__ = ["Lowering", "axes_of", "node_attribute"]


class Lowering:
    """What is known of an ONNX graph's values while its operators are translated, in their order.

    Parameters
    ----------
    source : str
        Where the graph comes from, for messages.
    constants : dict of str to ndarray
        Values that do not depend on the sound.
    shapes : dict of str to Shape
    kinds : dict of str to str
        Types of the values that are computed: float32, int32 or bool.
    wanted : set of str
        Values that somebody uses.
    """

    def __init__(
        self,
        source: str,
        *,
        constants: dict[str, NDArray[Any]],
        shapes: dict[str, Shape],
        kinds: dict[str, str],
        wanted: set[str],
    ) -> None:
        self.source = source
        self.file = LiteFile()
        self.constants, self.shapes, self.kinds, self.wanted = constants, shapes, kinds, wanted
        self.numbers: dict[str, int] = {}

    def value(self, name: str) -> int:
        """Number of the tensor that holds an ONNX value."""
        if name not in self.numbers:
            self.numbers[name] = self.file.constant(self.constants[name])
        return self.numbers[name]

    def shape(self, name: str) -> Shape:
        """Shape of an ONNX value."""
        return self.constants[name].shape if name in self.constants else self.shapes[name]

    def kind(self, name: str) -> str:
        """Type of an ONNX value."""
        if name in self.constants:
            return "int32" if self.constants[name].dtype.kind == "i" else str(self.constants[name].dtype)
        return self.kinds[name]

    def check(self, node: onnx.NodeProto, condition: bool, problem: str) -> None:
        """Raise ModelError unless a node is of a form that is known here."""
        if not condition:
            raise ModelError(
                f"{self.source}: the operator {node.op_type} ({node.name}) has no LiteRT form here: "
                f"{problem}",
                path=self.source,
            )

    def constant(self, node: onnx.NodeProto, place: int) -> NDArray[Any] | None:
        """An input that must not be computed; None where it is not given."""
        given = place < len(node.input) and node.input[place] != ""
        return self.needed(node, place) if given else None

    def needed(self, node: onnx.NodeProto, place: int) -> NDArray[Any]:
        """An input that must be given, and must not be computed."""
        self.check(node, node.input[place] in self.constants, f"its input {place} is computed")
        return self.constants[node.input[place]]

    def give(
        self, node: onnx.NodeProto, operator: str, inputs: Sequence[int], *, options: Any = None
    ) -> None:
        """Translate a node by an operator that gives the node's only output."""
        (name,) = node.output
        self.numbers[name] = self.file.apply(
            operator, inputs, self.shapes[name], self.kinds[name], options=options
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


def node_attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return an attribute of a node, or its default."""
    for each in node.attribute:
        if each.name == name:
            value = helper.get_attribute_value(each)
            return value.decode() if isinstance(value, bytes) else value
    return default


def axes_of(low: Lowering, node: onnx.NodeProto, place: int) -> tuple[int, ...]:
    """Axes of a node: an attribute in older operator sets, an input in newer ones."""
    given = node_attribute(node, "axes")
    if given is None:
        given = low.constant(node, place)
    return () if given is None else tuple(int(axis) for axis in given)
