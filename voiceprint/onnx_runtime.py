"""onnxruntime, which sends nothing to its makers: every module of voiceprint takes it from here.

From release 1.29 on, onnxruntime reports to Microsoft what it runs, unless the environment forbids it before
the library is loaded. This module forbids it, for the process and for every process that it starts. The
package imports it before all else; `load_runtime` loads onnxruntime itself, which takes about 90 ms.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voiceprint.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "PARITY",
    "Embed",
    "graph_embedder",
    "load_quantization",
    "load_runtime",
    "open_classifier",
    "open_session",
    "run_graph",
    "runtime_errors",
    "simplified_graph",
    "write_ort_files",
]

PARITY = 1e-5
"""Largest cosine distance between the embeddings of a graph and of what it was made of."""

Embed = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]
"""Waveforms (batch, samples) -> embeddings (batch, dim)."""

GraphLevel = Literal["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]

# Set whatever it was: an inherited environment does not switch reports on again.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@cache
def load_runtime() -> Any:
    """Return the module ``onnxruntime``, its reports switched off."""
    runtime = import_module("onnxruntime")
    # For a program that loaded onnxruntime before voiceprint, and for builds that ask no environment.
    runtime.disable_telemetry_events()
    return runtime


def load_quantization() -> Any:
    """Return the module ``onnxruntime.quantization``, which needs the extra ``models`` or ``train``."""
    load_runtime()
    return import_module("onnxruntime.quantization")


def open_session(
    graph: bytes | Path,
    *,
    threads: int = 1,
    level: GraphLevel = "ORT_ENABLE_ALL",
    written: Path | None = None,
) -> Any:
    """Open an ONNX graph for running on the processor, as every network here is run.

    Parameters
    ----------
    threads : int
        That an operator may use.
    level : str
        How far onnxruntime may rewrite the graph, by its own names.
    written : Path, optional
        Where the graph is written as it was rewritten.
    """
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, level)
    # Lengths differ from call to call, so remembered memory patterns would only hold memory.
    options.enable_mem_pattern = False
    if written is not None:
        options.optimized_model_filepath = str(written)
    given = str(graph) if isinstance(graph, Path) else graph
    return runtime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def open_classifier(path: Path, *, sha256: str, classes: int, called: str) -> Any:
    """Open a network of sounds whose folder has a card.

    Parameters
    ----------
    sha256 : str
        Of the file, as the card has it.
    classes : int
        That the network tells apart: the last axis of its output.
    called : str
        What it should be, for messages: ``"countermeasure"``.

    Raises
    ------
    ModelError
        If it is missing, not the one that the card is of, or takes or gives something else.
    """
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ModelError(f"{path}: is not the network that its card is of", path=str(path))
        session = open_session(content)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})", path=str(path)) from error
    except runtime_errors() as error:
        raise ModelError(f"{path}: is no {called} ({error})", path=str(path)) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [each.name for each in inputs] != ["waveform"] or outputs[0].shape[-1] != classes:
        raise ModelError(f"{path}: does not make {classes} logits of a waveform", path=str(path))
    return session


def graph_embedder(path: Path) -> Embed:
    """An ONNX encoder as a function; of a graph with several outputs, the first is the embedding."""
    import numpy as np  # noqa: PLC0415  this module is imported before all else

    session = open_session(path)
    (waveform,), embedding = session.get_inputs(), session.get_outputs()[0].name

    def embed(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        (embeddings,) = session.run([embedding], {waveform.name: waveforms})
        return np.asarray(embeddings, dtype=np.float32)

    return embed


def simplified_graph(content: bytes) -> bytes:
    """Return an ONNX file without what does not depend on its inputs; its operators stay ONNX's own."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "simplified.onnx"
        open_session(content, level="ORT_ENABLE_BASIC", written=made)
        return made.read_bytes()


def run_graph(content: bytes, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Run an ONNX file once, as it is written: inputs by their names -> outputs by theirs."""
    session = open_session(content, level="ORT_DISABLE_ALL")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def write_ort_files(folder: Path, output: Path) -> None:
    """Convert every ONNX file of a folder to ONNX Runtime's own format, which its builds for phones read.

    Parameters
    ----------
    output : Path
        Gets a ``.ort`` file for each, optimised for any processor, and ``required_operators.config``: what a
        build of the runtime with nothing else needs. It must exist. Needs the extra ``models``.
    """
    import logging  # noqa: PLC0415  2 ms that nothing else here needs

    load_runtime()
    tool = import_module("onnxruntime.tools.convert_onnx_models_to_ort")
    logging.getLogger("ort_format_model.utils").setLevel(logging.WARNING)
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():  # it tells every step
        warnings.simplefilter("ignore", ResourceWarning)  # and leaves files to the garbage collector
        tool.convert_onnx_models_to_ort(
            folder, output_dir=output, optimization_styles=[tool.OptimizationStyle.Fixed]
        )


def runtime_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises where it cannot load or run a network."""
    load_runtime()
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )
