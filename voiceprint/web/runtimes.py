"""A model folder for other runtimes: ONNX Runtime on a phone, and ONNX with weights in 8 bits."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from voiceprint.arguments import check_choice
from voiceprint.files.whole import write_whole
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE
from voiceprint.model.folder import staged_folder
from voiceprint.onnx_runtime import write_ort_files
from voiceprint.web.model_files import CARD, SPEECH, least_cosine, write_model_files

__all__ = ["ConvertedModel", "RuntimeFormat", "convert_model"]

RuntimeFormat = Literal["ort", "onnx-int8"]
"""ONNX Runtime's own format, for its builds for phones; or ONNX with weights in 8 bits."""

OPERATORS = "required_operators.config"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedModel:
    """A model that was written for another runtime.

    Attributes
    ----------
    model : str
        Id of the model whose voiceprints it makes.
    encoder : str
        The encoder's file in the folder.
    least_cosine : float
        Of its embeddings and the original's, on sounds that are made up.
    bytes_in_all : int
        Of all files.
    """

    folder: Path
    model: str
    encoder: str
    least_cosine: float
    bytes_in_all: int


def convert_model(model: SpeakerModel, folder: Path, *, runtime_format: RuntimeFormat) -> ConvertedModel:
    """Write a model for another runtime: encoder, speech detector, cohort, and the card as JSON.

    Parameters
    ----------
    folder : Path
        Written whole, or not at all; it must not exist.
    runtime_format : {"ort", "onnx-int8"}
        With "ort" there is also ``required_operators.config``, by which a runtime with nothing else is built.

    Raises
    ------
    ModelError
        If the folder is taken or cannot be written, or 8 bits are too few.
    """
    check_choice("runtime_format", runtime_format, get_args(RuntimeFormat))
    in_8_bits = runtime_format == "onnx-int8"
    with staged_folder(folder) as new:
        write_model_files(model, new, weights="int8" if in_8_bits else "original")
        encoder = new / ENCODER_FILE
        if not in_8_bits:
            encoder = _in_ort_format(new)
        return ConvertedModel(
            folder=folder,
            model=model.id,
            encoder=encoder.name,
            least_cosine=least_cosine(model.folder / ENCODER_FILE, encoder),
            bytes_in_all=sum(path.stat().st_size for path in new.iterdir()),
        )


def _in_ort_format(folder: Path) -> Path:
    """Replace the networks of a folder by files in ONNX Runtime's format; returns the encoder's."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        write_ort_files(folder, made)
        names = {name: Path(name).with_suffix(".ort").name for name in (ENCODER_FILE, SPEECH)}
        for name, converted in names.items():
            (folder / converted).write_bytes((made / converted).read_bytes())
            (folder / name).unlink()
        lines = (made / OPERATORS).read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line and not line.startswith("#")]  # comments name a folder of ours
    (folder / OPERATORS).write_text("\n".join([*needed, ""]), encoding="utf-8")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["files"] = {names.get(name, name): digest for name, digest in card["files"].items()}
    for name in names.values():
        card["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    write_whole(folder / CARD, json.dumps(card, separators=(",", ":"), allow_nan=False))
    return folder / names[ENCODER_FILE]
