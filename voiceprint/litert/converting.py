"""An ONNX graph as a LiteRT file: simplified for one clip, then translated operator by operator."""

from __future__ import annotations

from pathlib import Path

from voiceprint.litert.lowering import Lowering
from voiceprint.litert.operators import OPERATORS


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
    low = Lowering(path, source=source)
    low.require(OPERATORS)
    for name in low.inputs:
        low.numbers[name] = low.file.tensor(low.shape(name), low.kind(name), name=name)
    for node in low.nodes:
        OPERATORS[node.op_type](low, node)
    return low.file.to_bytes(
        {name: low.numbers[name] for name in low.inputs}, {name: low.numbers[name] for name in low.outputs}
    )
