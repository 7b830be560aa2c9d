"""A published encoder in ONNX as a model folder: with its front end, and checked against its own code.

A short description says what the encoder takes: waveforms or Kaldi filterbanks; see docs/importing.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import compose
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError, ModelError
from voiceprint.files.arrays import read_npz
from voiceprint.model.card import ENCODER_FILE, ModelCard, read_model_card, sha256_of
from voiceprint.model.folder import staged_folder, write_model_card
from voiceprint.onnx_runtime import runtime_errors
from voiceprint.training.config import build, read_toml
from voiceprint.training.export.card_facts import CardFacts
from voiceprint.training.export.graph import OPSET, PARITY, graph_embedder, write_onnx
from voiceprint.training.export.kaldi import FbankConfig, KaldiFbank

__all__ = ["EncoderDescription", "Imported", "import_onnx", "read_description", "write_imported"]

Floats = NDArray[np.float32]
_LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds that are tried as an encoder's shortest input


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderDescription:
    """What must be known of an encoder in ONNX; a TOML file of these keys.

    Parameters
    ----------
    file : str
        The ONNX file, beside the description: one input, one output (batch, dim), any batch and length.
    input : str
        ``waveform``, (batch, samples) at 16 kHz; or ``fbank``, (batch, frames, bins).
    scale : float
        Of ``waveform``: what samples in [-1, 1] are multiplied with.
    bins_first : bool
        Of ``fbank``: whether the encoder takes (batch, bins, frames).
    fbank : FbankConfig
        Of ``fbank``: how it is computed.
    reference : str
        An npz file beside the description, with arrays ``waveform_0``, ``embedding_0``, ``waveform_1``, ...:
        what the original code makes of some clips.
    training : str
        What the encoder was trained on, for the model card.
    """

    name: str
    version: str
    file: str
    reference: str
    input: Literal["waveform", "fbank"]
    licence: str = ""
    description: str = ""
    training: str = "not known"
    scale: float = 1.0
    bins_first: bool = False
    fbank: FbankConfig = field(default_factory=FbankConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A model folder that was made of a published encoder.

    Parameters
    ----------
    parity : float
        Largest cosine distance to the original code's embeddings.
    clips : int
        How many clips that was measured on.
    """

    folder: Path
    card: ModelCard
    parity: float
    clips: int


def read_description(path: Path) -> EncoderDescription:
    """Read the description of an encoder in ONNX.

    Raises
    ------
    ConfigError
        It is missing, not TOML, or holds an unknown or missing key or a value of the wrong type.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give the description of an encoder, see docs/importing.md")
    return build(EncoderDescription, read_toml(path))


def import_onnx(
    path: Path,
    folder: Path,
    *,
    finish: Callable[[Path], object] = lambda folder: None,
    overwrite: bool = False,
) -> Imported:
    """Make a model folder of an encoder in ONNX, whole or not at all.

    Parameters
    ----------
    finish : callable
        Takes the folder before it is in its place, to calibrate the model there, for example. Where it fails,
        nothing is written.
    overwrite : bool
        Whether a model that is there may be replaced.

    Raises
    ------
    ConfigError
        The description is wrong.
    ModelError
        A file is missing or damaged, the graph is not what the description says, its embeddings differ
        from the reference, or the folder exists already.
    """
    description = read_description(path)
    source = path.parent / description.file
    graph = _with_front_end(_load(source), _front_end(description), source)
    return write_imported(
        folder,
        lambda encoder: onnx.save(graph, str(encoder)),
        _read_reference(path.parent / description.reference),
        _facts(description, source),
        finish=finish,
        overwrite=overwrite,
    )


def _facts(description: EncoderDescription, source: Path) -> CardFacts:
    fbank = description.input == "fbank"
    return CardFacts(
        name=description.name,
        version=description.version,
        description=description.description,
        licence=description.licence,
        encoder={
            "imported_from": description.file,
            "source_sha256": sha256_of(source),
            "input": description.input,
            **({"fbank": asdict(description.fbank)} if fbank else {"scale": description.scale}),
        },
        training={"data": description.training},
    )


class _Scaled(nn.Module):
    """What stands before an encoder that takes waveforms."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, waveforms: Tensor) -> Tensor:
        return waveforms * self.scale


class _BinsFirst(nn.Module):
    """A filterbank as (batch, bins, frames)."""

    def __init__(self, config: FbankConfig) -> None:
        super().__init__()
        self.bank = KaldiFbank(config)

    def forward(self, waveforms: Tensor) -> Tensor:
        features: Tensor = self.bank(waveforms)
        return features.transpose(1, 2)


def _front_end(description: EncoderDescription) -> nn.Module:
    if description.input == "waveform":
        return _Scaled(description.scale)
    return _BinsFirst(description.fbank) if description.bins_first else KaldiFbank(description.fbank)


def _load(path: Path) -> onnx.ModelProto:
    try:
        model: onnx.ModelProto = onnx.load(str(path))
        onnx.checker.check_model(model)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no such file; the description's key `file` names it", path=str(path)
        ) from error
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


def _with_front_end(encoder: onnx.ModelProto, front_end: nn.Module, source: Path) -> onnx.ModelProto:
    """Join a front end and an encoder to one graph, of the encoder's own operator set."""
    opset = next((o.version for o in encoder.opset_import if o.domain in ("", "ai.onnx")), OPSET)
    try:
        front = _export_front_end(front_end, opset)
        front.ir_version = encoder.ir_version
        merged: onnx.ModelProto = compose.merge_models(
            front,
            encoder,
            io_map=[("features", _inputs(encoder)[0])],
            prefix1="front_",
            prefix2="encoder_",
        )
    except (ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            f"{source}: no front end can be put before its operator set {opset}: {error}", path=str(source)
        ) from error
    return merged


def _export_front_end(front_end: nn.Module, opset: int) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "front.onnx"
        write_onnx(front_end, path, output="features", axes=("batch", "time", "bins"), opset=opset)
        return onnx.load(str(path))


def _inputs(model: onnx.ModelProto) -> list[str]:
    """Names of a graph's inputs; old exporters list the weights among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in weights]


def _read_reference(path: Path) -> list[tuple[Floats, Floats]]:
    try:
        arrays = read_npz(path.read_bytes())
        count = len(arrays) // 2
        pairs = [(arrays[f"waveform_{i}"], arrays[f"embedding_{i}"]) for i in range(count)]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: is not an npz file of waveform_0, embedding_0, waveform_1, ...; see docs/importing.md",
            path=str(path),
        ) from error
    if not pairs:
        raise ModelError(f"{path}: holds no clip to compare with", path=str(path))
    return [(waveform.astype(np.float32), embedding.astype(np.float32)) for waveform, embedding in pairs]


def write_imported(
    folder: Path,
    write: Callable[[Path], None],
    reference: Sequence[tuple[Floats, Floats]],
    facts: CardFacts,
    *,
    finish: Callable[[Path], object],
    overwrite: bool,
) -> Imported:
    """Write a model folder whose graph has been tried and compared; nothing is left where it is refused.

    Parameters
    ----------
    write : callable
        Writes the graph to a path.
    reference : sequence of (ndarray (n,), ndarray (dim,))
        Waveforms, and their embeddings by the original code.
    finish, overwrite
        As for `import_onnx`.

    Raises
    ------
    ModelError
        The graph takes no batch, its embeddings differ, or the folder exists already.
    """
    with staged_folder(folder, overwrite=overwrite) as staged:
        write(staged / ENCODER_FILE)
        shortest, dim = _try(staged / ENCODER_FILE)
        parity = _parity(staged / ENCODER_FILE, reference, shortest)
        if not parity <= PARITY:
            raise ModelError(
                f"{folder}: its embeddings lie {parity:.1e} (cosine distance) from those of the original "
                f"code, more than {PARITY:.0e}; check the front end in the description",
                path=str(folder),
            )
        card = facts.card_of(staged, dim=dim, min_seconds=shortest, encoder={"parity": parity})
        write_model_card(staged, card)
        finish(staged)
        card = read_model_card(staged)
    return Imported(folder=folder, card=card, parity=parity, clips=len(reference))


def _try(graph: Path) -> tuple[float, int]:
    """Find the shortest clip that a graph embeds, and its dimension; refuse one that takes no batch."""
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


def _parity(graph: Path, reference: Sequence[tuple[Floats, Floats]], shortest: float) -> float:
    """Largest cosine distance between a graph's embeddings and those of the original code."""
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
    return max(distances)


def _distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine distance in double precision: in single, 1e-7 is all that differs from 0."""
    return max(0.0, 1.0 - float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))))
