"""An ONNX graph as a Core ML program: simplified for one clip, then translated operator by operator."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from voiceprint.clip_graph import ClipGraph
from voiceprint.coreml.drafting import Draft, Function, Placeholder, Program, ct, get_new_symbol, mb
from voiceprint.coreml.operators import TRANSLATIONS
from voiceprint.errors import ModelError

_SHORTEST, _USUAL, _LONGEST = 1_600, 48_000, 480_000  # samples of a clip: 0.1, 3 and 30 s
_OLDEST = ct.target.iOS16


def write_program(path: Path, package: Path, *, source: str = "") -> None:
    """Make a Core ML program of an ONNX graph.

    Parameters
    ----------
    path : Path
        Of an ONNX file whose inputs begin with the batch; the program takes one clip at a time. An axis of
        any length takes 1,600 to 480,000 samples.
    package : Path
        The ``.mlpackage`` to write, a folder; it must not exist.
    source : str
        What messages call the graph; its path by default.

    Raises
    ------
    ModelError
        If the graph has an operator, or a form of one, that is not known here, or an output gets another
        shape than it has in the graph.
    """
    draft = Draft(path, source=source)
    draft.require(TRANSLATIONS)
    given = {name: _lengths(draft, name) for name in draft.inputs}
    program = Program()
    inputs = {name: Placeholder(_symbolic(lengths)) for name, lengths in given.items()}
    with Function(inputs, opset_version=_OLDEST) as function:
        draft.values |= function.inputs
        for node in draft.nodes:
            TRANSLATIONS[node.op_type](draft, node)
        function.set_outputs([mb.identity(x=draft.value(name), name=name) for name in draft.outputs])
        program.add_function("main", function)
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():  # it shows its progress
        warnings.simplefilter("ignore", ResourceWarning)  # and leaves a folder to the garbage collector
        made = ct.convert(
            program,
            inputs=[ct.TensorType(name=name, shape=lengths) for name, lengths in given.items()],
            convert_to="mlprogram",
            minimum_deployment_target=_OLDEST,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
            package_dir=str(package),
        )
    for output in made.get_spec().description.output:
        _check_shape(draft, output.name, tuple(output.type.multiArrayType.shape))


def _lengths(graph: ClipGraph, name: str) -> tuple[Any, ...]:
    """An input's shape; an open axis with the bounds of its length."""
    return tuple(
        ct.RangeDim(_SHORTEST, _LONGEST, default=_USUAL) if length is None else length
        for length in graph.shape(name)
    )


def _symbolic(lengths: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(get_new_symbol() if isinstance(length, ct.RangeDim) else length for length in lengths)


def _check_shape(graph: ClipGraph, name: str, found: tuple[int, ...]) -> None:
    """Compare an output's shape; coremltools says nothing of one whose length depends on the sound."""
    expected = graph.shape(name)
    if found and None not in expected and found != expected:
        raise ModelError(
            f"{graph.source}: {name} becomes {found} in Core ML; it is {expected}", path=graph.source
        )
