"""Draft: a Core ML program that is being made of an ONNX graph, and what every operator asks of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from voiceprint.clip_graph import ClipGraph

# It warns of every package of another release than its makers had, and of what only Apple's systems have.
logging.getLogger("coremltools").setLevel(logging.ERROR)

import coremltools as ct  # noqa: E402
from coremltools.converters.mil import Builder as mb  # noqa: E402, N813  its makers' name for it
from coremltools.converters.mil.mil import Function, Placeholder, Program, get_new_symbol  # noqa: E402

__all__ = ["Draft", "Function", "Placeholder", "Program", "Translate", "ct", "get_new_symbol", "mb", "whole"]


class Draft(ClipGraph):
    """A graph while its operators are translated, in their order.

    Attributes
    ----------
    values : dict of str to Var
        Of coremltools' own language, MIL: the values so far.
    """

    def __init__(self, path: Path, *, source: str = "") -> None:
        super().__init__(path, source=source, runtime="Core ML")
        self.values: dict[str, Any] = {}

    def value(self, name: str) -> Any:
        """A value as an operator of Core ML takes it."""
        return self.values[name] if name in self.values else whole(self.constants[name])

    def needed(self, node: onnx.NodeProto, place: int) -> NDArray[Any]:
        """An input that must not be computed: a copy, as coremltools' passes change constants in place."""
        return np.array(super().needed(node, place))

    def first(self, node: onnx.NodeProto) -> Any:
        """The first input of a node."""
        return self.value(node.input[0])

    def give(self, node: onnx.NodeProto, value: Any) -> None:
        """Say what a node's first output is."""
        self.values[node.output[0]] = value

    def reshaped(self, value: Any, shape: Sequence[int | None]) -> Any:
        """Give a value another shape, in which one length may be open."""
        return mb.reshape(x=value, shape=[-1 if length is None else length for length in shape])


Translate = Callable[[Draft, onnx.NodeProto], None]
"""How an operator is translated."""


def whole(values: NDArray[Any]) -> NDArray[Any]:
    """A copy of constants as Core ML has them: whole numbers in 32 bits."""
    if values.dtype.kind != "i":
        return np.array(values)
    bounds = np.iinfo(np.int32)
    return np.array(np.clip(values, bounds.min, bounds.max), dtype=np.int32)
