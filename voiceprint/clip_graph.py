"""ClipGraph: an ONNX graph for one clip of any length, as it is translated for another runtime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from voiceprint.errors import ModelError
from voiceprint.onnx_runtime import run_graph, simplified_graph

__all__ = ["ClipGraph", "Shape", "node_attribute"]

Shape = tuple[int | None, ...]
"""Of a tensor; None where the length is known only when the graph is run."""

Values = dict[str, NDArray[Any]]

# Samples of made-up sounds: an axis that has another length in each run depends on the length of the sound.
_LENGTHS = (16000, 24321, 40007)


class ClipGraph:
    """What is known of a graph's values: which are constants, and the shapes and types of the others.

    Parameters
    ----------
    path : Path
        Of an ONNX file whose inputs begin with the batch, which becomes one clip.
    source : str
        What messages call it; its path by default.
    runtime : str
        What the graph is translated for, for messages.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
        What the outputs depend on, in the order in which it is computed.
    inputs, outputs : list of str
    constants : dict of str to ndarray
        Values that do not depend on the sound.
    """

    def __init__(self, path: Path, *, source: str = "", runtime: str) -> None:
        self.source, self.runtime = source or str(path), runtime
        model = onnx.load(path)
        for value in _inputs(model.graph):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        model = onnx.load_from_string(simplified_graph(model.SerializeToString()))
        graph = model.graph
        runs = _observe(model)
        self.inputs = [value.name for value in _inputs(graph)]
        self.outputs = [value.name for value in graph.output]
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.constants |= _constant_states(graph, runs[0])
        self.nodes = _used(graph.node, self.outputs, self.constants)
        self.wanted = {name for node in self.nodes for name in node.input} | {*self.outputs}
        self._shapes = {name: _shape([run[name] for run in runs]) for name in runs[0]}
        self._kinds = {name: str(value.dtype) for name, value in runs[0].items()}

    def require(self, operators: Iterable[str]) -> None:
        """Raise ModelError if a node has an operator that is not among these."""
        unknown = sorted({node.op_type for node in self.nodes} - {*operators})
        if unknown:
            raise ModelError(
                f"{self.source}: has operators that have no {self.runtime} form here: {', '.join(unknown)}",
                path=self.source,
            )

    def shape(self, name: str) -> Shape:
        """Shape of a value."""
        return self.constants[name].shape if name in self.constants else self._shapes[name]

    def kind(self, name: str) -> str:
        """Type of a value; whole numbers count as int32."""
        kind = str(self.constants[name].dtype) if name in self.constants else self._kinds[name]
        return "int32" if kind == "int64" else kind

    def check(self, node: onnx.NodeProto, condition: bool, problem: str) -> None:
        """Raise ModelError unless a node is of a form that is known here."""
        if not condition:
            raise ModelError(
                f"{self.source}: the operator {node.op_type} ({node.name}) has no {self.runtime} form here: "
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

    def axes(self, node: onnx.NodeProto, place: int) -> tuple[int, ...]:
        """Axes of a node: an attribute in older operator sets, an input in newer ones."""
        given = node_attribute(node, "axes")
        if given is None:
            given = self.constant(node, place)
        return () if given is None else tuple(int(axis) for axis in given)


def node_attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return an attribute of a node, or its default."""
    for each in node.attribute:
        if each.name == name:
            value = helper.get_attribute_value(each)
            return value.decode() if isinstance(value, bytes) else value
    return default


def _inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """What is given to a graph; old exporters list the weights among its inputs."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def _observe(model: onnx.ModelProto) -> list[Values]:
    """Run a graph on sounds of several lengths; returns all its values in each run."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    names = [name for node in model.graph.node for name in node.output if name]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    content, generator = copy.SerializeToString(), np.random.default_rng(0)
    runs = []
    for length in _LENGTHS:
        given = {}
        for value in _inputs(model.graph):
            axes = value.type.tensor_type.shape.dim
            shape = [1, *(axis.dim_value or length for axis in axes[1:])]
            given[value.name] = 0.1 * generator.standard_normal(shape, dtype=np.float32)
        runs.append(given | run_graph(content, given))
    return runs


def _shape(values: Sequence[NDArray[Any]]) -> Shape:
    lengths = zip(*(value.shape for value in values), strict=True)
    return tuple(first if {first, *others} == {first} else None for first, *others in lengths)


def _constant_states(graph: onnx.GraphProto, values: Values) -> Values:
    """The LSTM states that are made for a batch of any size, from shapes alone; here it is one clip."""
    given = {value.name for value in _inputs(graph)}
    for node in graph.node:
        if node.op_type != "Shape" and given & {*node.input}:
            given |= {*node.output}
    states = {name for node in graph.node if node.op_type == "LSTM" for name in node.input[5:7] if name}
    return {name: values[name] for name in states - given if name in values}


def _used(nodes: Iterable[onnx.NodeProto], outputs: Sequence[str], constants: Values) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in their order."""
    wanted, kept = {*outputs}, []
    for node in reversed([*nodes]):
        if wanted & {*node.output} - constants.keys():
            kept.append(node)
            wanted |= {*node.input}
    return kept[::-1]
