"""A front end and an encoder as one graph: joined, tried on clips, and compared with the original code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import compose

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ModelError
from voiceprint.files.arrays import read_npz
from voiceprint.onnx_runtime import PARITY, graph_embedder, runtime_errors

__all__ = ["Reference", "check_parity", "join", "opset_of", "read_graph", "read_reference", "try_graph"]

Reference = Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Waveforms (n,), and their embeddings (dim,) by the original code."""

_LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds that are tried as an encoder's shortest input
_DEFAULT_OPSET = 17


def read_graph(path: Path) -> onnx.ModelProto:
    """Load an encoder in ONNX.

    Raises
    ------
    ModelError
        It is missing, no ONNX model, or has another number of inputs or outputs than one each.
    """
    try:
        model: onnx.ModelProto = onnx.load(str(path))
        onnx.checker.check_model(model)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file", path=str(path)) from error
    except (DecodeError, onnx.checker.ValidationError, ValueError, OSError) as error:
        raise ModelError(f"{path}: is not an ONNX model: {error}", path=str(path)) from error
    inputs = _inputs(model)
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ModelError(
            f"{path}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; "
            "export it with one of each: features or waveforms in, embeddings out",
            path=str(path),
        )
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """Return which version of ONNX's operators a model is written in."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), _DEFAULT_OPSET)


def join(front_end: onnx.ModelProto, encoder: onnx.ModelProto, *, source: Path) -> onnx.ModelProto:
    """Join a front end and an encoder to one graph, both of the encoder's operator set.

    Parameters
    ----------
    front_end : onnx.ModelProto
        ``waveform`` -> ``features``.
    encoder : onnx.ModelProto
        Features -> embeddings.
    source : Path
        Where the encoder comes from, for the message.

    Raises
    ------
    ModelError
        They do not go together.
    """
    front_end.ir_version = encoder.ir_version
    try:
        merged: onnx.ModelProto = compose.merge_models(
            front_end,
            encoder,
            io_map=[("features", _inputs(encoder)[0])],
            prefix1="front_",
            prefix2="encoder_",
            producer_name="",
        )
    except (ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{source}: no front end can be put before it: {error}", path=str(source)) from error
    return merged


def _inputs(model: onnx.ModelProto) -> list[str]:
    """Names of a graph's inputs; old exporters list the weights among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in weights]


def read_reference(path: Path) -> Reference:
    """Read what the original code makes of some clips: ``waveform_0``, ``embedding_0``, ``waveform_1``, ...

    Raises
    ------
    ModelError
        It is no npz file of these arrays, or an empty one.
    """
    try:
        arrays = read_npz(path.read_bytes())
        count = len(arrays) // 2
        pairs = [(arrays[f"waveform_{i}"], arrays[f"embedding_{i}"]) for i in range(count)]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: is not an npz file of waveform_0, embedding_0, waveform_1, ...",
            advice="docs/how-to/importing.md says how to make one",
            path=str(path),
        ) from error
    if not pairs:
        raise ModelError(f"{path}: holds no clip to compare with", path=str(path))
    return [(waveform.astype(np.float32), embedding.astype(np.float32)) for waveform, embedding in pairs]


def try_graph(graph: Path) -> tuple[float, int]:
    """Find the shortest clip that a graph embeds, in seconds, and the length of an embedding.

    Raises
    ------
    ModelError
        It does not embed two clips at once.
    """
    generator = np.random.default_rng(0)
    failure: Exception | None = None
    for seconds in _LENGTHS:
        clips = 0.1 * generator.standard_normal((2, round(seconds * SAMPLE_RATE)), dtype=np.float32)
        try:
            both = graph_embedder(graph)(clips)
        except runtime_errors() as error:
            failure = error
            continue
        if both.ndim == 2 and len(both) == 2 and np.isfinite(both).all() and both.any(axis=1).all():
            return seconds, both.shape[1]
        failure = ValueError(f"two clips gave shape {both.shape}, or values that are no embeddings")
    reason = " ".join(str(failure).split())
    raise ModelError(
        f"the graph does not embed two clips of {_LENGTHS[-1]:g} s at once; export it with any batch and any "
        f"length (dynamic axes), and one embedding (batch, dim) out: {reason}",
        path=str(graph),
    )


def check_parity(graph: Path, reference: Reference, *, shortest: float) -> float:
    """Compare a graph's embeddings with those of the original code; return the largest cosine distance.

    Parameters
    ----------
    graph : Path
    reference : Reference
    shortest : float
        The shortest clip that the graph embeds, in seconds.

    Raises
    ------
    ModelError
        They differ by more than `PARITY`, in length, or a clip is too short to be compared.
    """
    embed = graph_embedder(graph)
    distances = []
    for waveform, expected in reference:
        if len(waveform) < shortest * SAMPLE_RATE:
            raise ModelError(
                f"a reference clip of {len(waveform)} samples is shorter than the {shortest:g} s that the "
                "encoder takes; give longer ones",
                path=str(graph),
            )
        ours = embed(waveform[None])[0]
        if ours.shape != expected.shape:
            raise ModelError(
                f"the graph gives {ours.shape} values where the original code gave {expected.shape}",
                path=str(graph),
            )
        distances.append(_distance(ours.astype(np.float64), expected.astype(np.float64)))
    if not max(distances) <= PARITY:
        raise ModelError(
            f"its embeddings lie {max(distances):.1e} (cosine distance) from those of the original code, "
            f"more than {PARITY:.0e}; check the front end in the description",
            path=str(graph),
        )
    return max(distances)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine distance in double precision: in single, 1e-7 is all that differs from 0."""
    return max(0.0, 1.0 - float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))))
