"""A published encoder in ONNX as a model folder: with its front end, and checked against its own code.

A short description says what the encoder takes: waveforms or Kaldi filterbanks; see docs/how-to/importing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from voiceprint.catalog.encoder_input import EncoderInput
from voiceprint.catalog.front_end import front_end_graph
from voiceprint.catalog.graphs import (
    check_parity,
    join,
    opset_of,
    read_graph,
    read_reference,
    try_graph,
)
from voiceprint.config import build, read_toml
from voiceprint.errors import ConfigError
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import ENCODER_FILE, ModelCard, read_model_card
from voiceprint.model.folder import staged_folder, write_model_card

__all__ = ["EncoderDescription", "Imported", "import_described", "import_onnx", "read_description"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderDescription(EncoderInput):
    """What must be known of an encoder in ONNX; a TOML file of these keys.

    Parameters
    ----------
    file : str
        The ONNX file, beside the description: one input, one output (batch, dim), any batch and length.
    input, scale, bins_first, fbank
        As of `EncoderInput`.
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
    licence: str = ""
    description: str = ""
    training: str = "not known"


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
        raise ConfigError(
            f"{path}: no such file; give the description of an encoder, see docs/how-to/importing.md"
        )
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
    with staged_folder(folder, overwrite=overwrite) as staged:
        parity, clips = import_described(
            description,
            staged,
            file=path.parent / description.file,
            reference=path.parent / description.reference,
        )
        finish(staged)
        card = read_model_card(staged)
    return Imported(folder=folder, card=card, parity=parity, clips=clips)


def import_described(
    description: EncoderDescription, staged: Path, *, file: Path, reference: Path
) -> tuple[float, int]:
    """Write an encoder that a description describes into an empty folder, with its card.

    Parameters
    ----------
    description : EncoderDescription
    staged : Path
        The empty folder.
    file, reference : Path
        The ONNX file, and what the original code makes of some clips.

    Returns
    -------
    tuple of float and int
        The largest cosine distance to the original code's embeddings, and on how many clips.

    Raises
    ------
    ModelError
        As for `import_onnx`.
    """
    pairs = read_reference(reference)
    encoder = read_graph(file)
    front_end = front_end_graph(description, opset=opset_of(encoder))
    graph = staged / ENCODER_FILE
    onnx.save(join(front_end, encoder, source=file), str(graph))
    shortest, dim = try_graph(graph)
    parity = check_parity(graph, pairs, shortest=shortest)
    fbank = description.input == "fbank"
    about: dict[str, Any] = {
        "imported_from": description.file,
        "source_sha256": sha256_of(file),
        "input": description.input,
        **({"fbank": asdict(description.fbank)} if fbank else {"scale": description.scale}),
        "parity": parity,
    }
    card = ModelCard(
        name=description.name,
        version=description.version,
        description=description.description,
        licence=description.licence,
        dim=dim,
        files={ENCODER_FILE: sha256_of(graph)},
        min_seconds=shortest,
        encoder=about,
        training={"data": description.training},
    )
    write_model_card(staged, card)
    return parity, len(pairs)
