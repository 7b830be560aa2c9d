"""An ONNX graph as a LiteRT file: simplified for one clip, then translated operator by operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from voiceprint.errors import ModelError
from voiceprint.litert.file import Shape
from voiceprint.litert.lowering import Lowering
from voiceprint.litert.operators import OPERATORS
from voiceprint.onnx_runtime import run_graph, simplified_graph

__all__ = ["convert_graph"]

# Samples of made-up sounds: an axis that has another length in each run depends on the length of the sound.
_LENGTHS = (16000, 24321, 40007)

Values = dict[str, NDArray[Any]]


def convert_graph(path: Path, *, source: str = "") -> bytes:
    """Make a LiteRT file of an ONNX graph.

    Parameters
    ----------
    path : Path
        Of an ONNX file whose inputs begin with the batch; the LiteRT file takes one clip at a time. An axis
        of any length stays one: resize the input to the clip before the tensors are allocated.
    source : str
        What messages call it; its path by default.

    Returns
    -------
    bytes
        A file whose inputs and outputs have the names of the graph's, in the signature ``serving_default``.
        Weights that are stored in half precision stay so.

    Raises
    ------
    ModelError
        If the graph has an operator, or a form of one, that is not known here.
    """
    model, source = onnx.load(path), source or str(path)
    for value in _inputs(model.graph):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    model = onnx.load_from_string(simplified_graph(model.SerializeToString()))
    graph, outputs = model.graph, [value.name for value in model.graph.output]
    runs = _observe(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants |= _constant_states(graph, runs[0])
    nodes = _used(graph.node, outputs, constants)
    unknown = sorted({node.op_type for node in nodes} - OPERATORS.keys())
    if unknown:
        listed = ", ".join(unknown)
        raise ModelError(f"{source}: has operators that have no LiteRT form here: {listed}", path=source)
    kinds = {name: str(value.dtype) for name, value in runs[0].items()}
    low = Lowering(
        source,
        constants=constants,
        shapes={name: _shape([run[name] for run in runs]) for name in runs[0]},
        kinds={name: "int32" if kind == "int64" else kind for name, kind in kinds.items()},
        wanted={name for node in nodes for name in node.input} | {*outputs},
    )
    given = {}
    for value in _inputs(graph):
        name = value.name
        given[name] = low.numbers[name] = low.file.tensor(low.shapes[name], low.kinds[name], name=name)
    for node in nodes:
        OPERATORS[node.op_type](low, node)
    return low.file.to_bytes(given, {name: low.numbers[name] for name in outputs})


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
