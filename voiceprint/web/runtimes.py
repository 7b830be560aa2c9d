"""A model folder for other runtimes: those of phones, and ONNX with weights in 8 bits."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from voiceprint.arguments import check_choice
from voiceprint.classification import ClassifierModel, EncoderClassifier
from voiceprint.errors import ModelError
from voiceprint.files.whole import write_whole
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE
from voiceprint.model.folder import staged_folder
from voiceprint.onnx_runtime import Embed, graph_embedder, write_ort_files
from voiceprint.web.model_files import CARD, SPEECH, least_cosine, write_model_files

RuntimeFormat = Literal["ort", "onnx-int8", "tflite", "coreml"]
"""ONNX Runtime's own, for its builds for phones; ONNX with weights in 8 bits; LiteRT's; or Core ML's."""

OPERATORS = "required_operators.config"

LABELS = "labels.txt"
"""A classifier's people, one a line, in the order of its probabilities."""

_CENTROIDS = "centroids.f32"
_INPUT, _OUTPUT = "waveform", "embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedModel:
    """A model that was written for another runtime.

    Attributes
    ----------
    model : str
        Id of the model whose voiceprints it makes.
    encoder : str
        The encoder's file in the folder; of Core ML, a folder.
    least_cosine : float or None
        Of its embeddings and the original's, on sounds that are made up; None for Core ML, which only Apple's
        systems run.
    bytes_in_all : int
        Of all files.
    """

    folder: Path
    model: str
    encoder: str
    least_cosine: float | None
    bytes_in_all: int


def convert_model(model: SpeakerModel, folder: Path, *, runtime_format: RuntimeFormat) -> ConvertedModel:
    """Write a model for another runtime: encoder, speech detector, cohort, and the card as JSON.

    The encoder of a classifier has a second output, the probabilities of its people; their names lie beside
    it in ``labels.txt``.

    Parameters
    ----------
    folder : Path
        Written whole, or not at all; it must not exist.
    runtime_format : {"ort", "onnx-int8", "tflite", "coreml"}
        With "ort" there is also ``required_operators.config``, by which a runtime with nothing else is built.
        With "tflite" and "coreml" both networks take one clip, or window, at a time.

    Raises
    ------
    ModelError
        If the folder is taken or cannot be written, 8 bits are too few, or the format lacks an operator.
    """
    check_choice("runtime_format", runtime_format, get_args(RuntimeFormat))
    if folder.exists():  # no FolderExistsError, which tells of an option to replace it
        raise ModelError(f"{folder}: exists already", advice="name another folder", path=str(folder))
    with staged_folder(folder) as new:
        write_model_files(model, new, weights="int8" if runtime_format == "onnx-int8" else "original")
        _name_ends(new)
        if "classifier" in model.card.extra:
            _add_classifier(new, ClassifierModel.open(model.folder))
        writers = {"ort": _write_ort, "tflite": _write_litert, "coreml": _write_core_ml}
        if runtime_format in writers:
            _replace_networks(new, partial(writers[runtime_format], title=model.card.title))
        (encoder,) = new.glob(f"{Path(ENCODER_FILE).stem}.*")
        embed = None if runtime_format == "coreml" else encoder_embedder(encoder)
        return ConvertedModel(
            folder=folder,
            model=model.id,
            encoder=encoder.name,
            least_cosine=None if embed is None else least_cosine(model.folder / ENCODER_FILE, embed),
            bytes_in_all=sum(path.stat().st_size for path in new.rglob("*") if path.is_file()),
        )


def encoder_embedder(path: Path) -> Embed:
    """An encoder in any of the formats that run here as a function: in all but Core ML's."""
    if path.suffix != ".tflite":
        return graph_embedder(path)
    from voiceprint.litert import litert_embedder  # noqa: PLC0415  of the extra convert

    return litert_embedder(path)


def _name_ends(folder: Path) -> None:
    """Call an encoder's input and output what apps call them; those of published encoders have others."""
    import onnx  # noqa: PLC0415  of the extra models

    model = onnx.load(folder / ENCODER_FILE)
    ends = {model.graph.input[0].name: _INPUT, model.graph.output[0].name: _OUTPUT}
    if all(before == after for before, after in ends.items()):
        return
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [ends.get(name, name) for name in names]
    for value in (model.graph.input[0], model.graph.output[0]):
        value.name = ends[value.name]
    onnx.checker.check_model(model)
    (folder / ENCODER_FILE).write_bytes(model.SerializeToString())
    card = _read_card(folder)
    _write_card(folder, card, [*card["files"]])


def _add_classifier(folder: Path, classifier: ClassifierModel) -> None:
    """Put a classifier's head behind the encoder, and what else it needs beside it."""
    import onnx  # noqa: PLC0415  of the extra models

    from voiceprint.classification.head_graph import append_head  # noqa: PLC0415  onnx

    inner = classifier.classifier
    if not isinstance(inner, EncoderClassifier) or inner.centroids is None or classifier.rejection is None:
        raise ModelError(f"{classifier.title}: is no classifier with an encoder", path=str(folder))
    if any(len(name.splitlines()) != 1 for name in inner.names):
        raise ModelError(f"{classifier.title}: a name has several lines: {inner.names}", path=str(folder))
    graph = onnx.load(folder / ENCODER_FILE)
    append_head(graph, inner.head)
    contents = {
        ENCODER_FILE: graph.SerializeToString(),
        LABELS: "".join(f"{name}\n" for name in inner.names).encode(),
        _CENTROIDS: inner.centroids.astype("<f4").tobytes(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    card = _read_card(folder)
    card["classifier"] = {
        "names": inner.names,
        "seconds": inner.seconds,
        "threshold": classifier.rejection.threshold,
    }
    _write_card(folder, card, [*card["files"], LABELS, _CENTROIDS])


def _replace_networks(folder: Path, write: Callable[[Path, Path], str]) -> None:
    """Put other forms of the networks into the place of the ONNX files; ``write`` returns their suffix."""
    with tempfile.TemporaryDirectory() as scratch:
        suffix = write(folder, Path(scratch))
        shutil.copytree(scratch, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for name in (ENCODER_FILE, SPEECH):
        (folder / name).unlink()
    card = _read_card(folder)
    files = [name for name in card["files"] if (folder / name).is_file()]
    networks = [folder / Path(name).with_suffix(suffix) for name in (ENCODER_FILE, SPEECH)]
    parts = [part for network in networks for part in (network, *sorted(network.rglob("*")))]
    made = [part.relative_to(folder).as_posix() for part in parts if part.is_file()]
    _write_card(folder, card, [*made, *files])


def _write_ort(folder: Path, made: Path, *, title: str) -> str:
    write_ort_files(folder, made)
    lines = (made / OPERATORS).read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line and not line.startswith("#")]  # comments name a folder of ours
    (made / OPERATORS).write_text("\n".join([f"# {title}", *needed, ""]), encoding="utf-8")
    return ".ort"


def _write_litert(folder: Path, made: Path, *, title: str) -> str:
    from voiceprint.litert import convert_graph  # noqa: PLC0415  of the extra convert

    for name in (ENCODER_FILE, SPEECH):
        (made / name).with_suffix(".tflite").write_bytes(
            convert_graph(folder / name, source=f"{title}, {name}")
        )
    return ".tflite"


def _write_core_ml(folder: Path, made: Path, *, title: str) -> str:
    from voiceprint.coreml import write_program  # noqa: PLC0415  of the extra coreml

    for name in (ENCODER_FILE, SPEECH):
        write_program(folder / name, (made / name).with_suffix(".mlpackage"), source=f"{title}, {name}")
    return ".mlpackage"


def _read_card(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return card


def _write_card(folder: Path, card: dict[str, Any], files: list[str]) -> None:
    card["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    write_whole(folder / CARD, json.dumps(card, separators=(",", ":"), allow_nan=False))
