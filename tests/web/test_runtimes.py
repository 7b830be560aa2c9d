"""Models for other runtimes answer like the model that they were made from."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike, NDArray
from tiny_model import DIM

from voiceprint.audio import read_audio
from voiceprint.classification import (
    CLASSIFIER_FILE,
    ClassifierModel,
    CosineHead,
    EncoderClassifier,
    Head,
    LinearHead,
    Rejection,
    pack_head,
)
from voiceprint.errors import ArgumentError, ModelError
from voiceprint.files.checksum import sha256_of
from voiceprint.litert.running import litert_runner
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE, read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.onnx_runtime import run_graph
from voiceprint.scoring import cosine, normalize
from voiceprint.web.runtimes import RuntimeFormat, convert_model, encoder_embedder

RUN_HERE: tuple[RuntimeFormat, ...] = ("ort", "onnx-int8", "tflite")
CORE_ML = pytest.param(
    "coreml",
    marks=pytest.mark.skipif(find_spec("coremltools") is None, reason="coreml is not for this system"),
)
FORMATS = [*RUN_HERE, CORE_ML]
NAMES = ["ada", "bert", "cleo", "dmitri"]


def f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


@pytest.mark.parametrize(
    ("runtime_format", "least"), [("ort", 0.999999), ("onnx-int8", 0.999), ("tflite", 0.999999)]
)
def test_a_converted_encoder_makes_the_same_embeddings(
    model: SpeakerModel, people: Path, tmp_path: Path, runtime_format: RuntimeFormat, least: float
) -> None:
    made = convert_model(model, tmp_path / "made", runtime_format=runtime_format)
    assert made.model == model.id
    assert made.least_cosine is not None
    assert made.least_cosine >= least
    embed = encoder_embedder(made.folder / made.encoder)
    clips = [read_audio(people / name / "0.wav").samples for name in ("ada", "bert", "cleo", "dmitri")]
    found = normalize(np.concatenate([embed(samples[None]) for samples in clips]))
    assert cosine(found, model.embed(clips)).min() >= least


@pytest.mark.parametrize("runtime_format", FORMATS)
def test_the_card_names_the_files_that_are_there(
    model: SpeakerModel, tmp_path: Path, runtime_format: RuntimeFormat
) -> None:
    folder = convert_model(model, tmp_path / "made", runtime_format=runtime_format).folder
    card = json.loads((folder / "model.json").read_text())
    for name, digest in card["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    extra = {"model.json"} | ({"required_operators.config"} if runtime_format == "ort" else set())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*card["files"], *extra}


def test_the_operators_of_both_networks_are_listed_and_no_path_of_this_machine(
    model: SpeakerModel, tmp_path: Path
) -> None:
    folder = convert_model(model, tmp_path / "made", runtime_format="ort").folder
    listed = (folder / "required_operators.config").read_text()
    assert {"Conv", "LSTM", "Sigmoid"} <= set(listed.replace(";", ",").replace("\n", ",").split(","))
    assert str(tmp_path) not in listed
    assert "/tmp" not in listed


@pytest.mark.parametrize("runtime_format", FORMATS)
def test_what_apps_call_an_encoder_by_does_not_depend_on_where_it_comes_from(
    model_folder: Path, tmp_path: Path, runtime_format: RuntimeFormat
) -> None:
    folder = tmp_path / "published"
    shutil.copytree(model_folder, folder)
    graph = onnx.compose.add_prefix(onnx.load(folder / ENCODER_FILE), "front_")
    onnx.save(graph, folder / ENCODER_FILE)
    card = read_model_card(folder)
    write_model_card(folder, replace(card, files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)}))
    made = convert_model(SpeakerModel.open(folder), tmp_path / "made", runtime_format=runtime_format)
    clip = np.random.default_rng(0).standard_normal(16000, dtype=np.float32)
    assert outputs_of(made.folder / made.encoder, clip)["embedding"].shape == (1, DIM)


def test_a_folder_that_is_there_stays_as_it_is(model: SpeakerModel, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists already; name another folder"):
        convert_model(model, tmp_path, runtime_format="ort")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_encoder_that_does_not_convert_is_named_by_its_model(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "strange"
    shutil.copytree(model_folder, folder)
    graph = onnx.load(folder / ENCODER_FILE)
    graph.graph.node[-1].output[0] = "before"
    graph.graph.node.append(onnx.helper.make_node("Erf", ["before"], [graph.graph.output[0].name]))
    onnx.save(graph, folder / ENCODER_FILE)
    card = read_model_card(folder)
    write_model_card(folder, replace(card, files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)}))
    with pytest.raises(ModelError, match=r"^tiny 1, encoder\.onnx: has operators .*: Erf$"):
        convert_model(SpeakerModel.open(folder), tmp_path / "made", runtime_format="tflite")


def test_a_format_that_is_none_is_named(model: SpeakerModel, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="is 'pdf'; it must be ort, onnx-int8, tflite or coreml"):
        convert_model(model, tmp_path / "made", runtime_format="pdf")  # type: ignore[arg-type]


# ---- classifiers ----------------------------------------------------------------------------------------

HEADS: dict[str, Head] = {
    "linear": LinearHead(weight=f32(3 * np.eye(4, DIM)), bias=f32([0, 0.1, 0, -0.1])),
    "cosine": CosineHead(centres=f32(np.eye(8, DIM).reshape(4, 2, DIM)), scale=5.0),
}


@pytest.fixture(params=HEADS)
def classifier_folder(model_folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A model folder of a classifier of four people."""
    folder = tmp_path / "classifier"
    shutil.copytree(model_folder, folder)
    (folder / CLASSIFIER_FILE).write_bytes(pack_head(HEADS[request.param], f32(np.eye(4, DIM))))
    card = read_model_card(folder)
    rejection = Rejection(threshold=0.25, p_miss=0.1, p_fa=None, in_set=8, out_of_set=0, how="by hand")
    table = {"names": NAMES, "seconds": 1.0, "rejection": rejection.to_dict()}
    write_model_card(
        folder,
        replace(
            card,
            files={**card.files, CLASSIFIER_FILE: sha256_of(folder / CLASSIFIER_FILE)},
            extra={"classifier": table},
        ),
    )
    return folder


@pytest.mark.parametrize("runtime_format", FORMATS)
def test_a_classifier_gives_the_probabilities_of_the_people_in_its_labels(
    classifier_folder: Path, people: Path, tmp_path: Path, runtime_format: RuntimeFormat
) -> None:
    made = convert_model(
        SpeakerModel.open(classifier_folder), tmp_path / "made", runtime_format=runtime_format
    )
    assert (made.folder / "labels.txt").read_text() == "".join(f"{name}\n" for name in NAMES)
    card = json.loads((made.folder / "model.json").read_text())
    assert card["classifier"] == {"names": NAMES, "seconds": 1.0, "threshold": 0.25}
    assert {"labels.txt", "centroids.f32", made.encoder} <= {*card["files"]} | {made.encoder}
    original = ClassifierModel.open(classifier_folder).classifier
    assert isinstance(original, EncoderClassifier)
    clips = [read_audio(people / name / "0.wav").samples[:16000] for name in NAMES]
    expected = original.classify_whole(clips)
    for clip, probabilities, embedding in zip(
        clips, expected.probabilities, expected.embeddings, strict=True
    ):
        found = outputs_of(made.folder / made.encoder, clip)
        assert found["probabilities"][0] == pytest.approx(probabilities, abs=0.02)
        assert cosine(normalize(found["embedding"]), embedding[None])[0] > 0.999


def outputs_of(path: Path, clip: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    if path.suffix == ".tflite":
        return litert_runner(path)(waveform=clip[None])
    if path.suffix == ".mlpackage":
        from core_ml_in_torch import open_program  # noqa: PLC0415  of the extra coreml

        return open_program(path)(waveform=clip[None])
    return run_graph(path.read_bytes(), {"waveform": clip[None]})


def test_a_name_of_two_lines_is_refused(classifier_folder: Path, tmp_path: Path) -> None:
    card = read_model_card(classifier_folder)
    table = {**card.extra["classifier"], "names": ["ada", "bert\nberta", "cleo", "dmitri"]}
    write_model_card(classifier_folder, replace(card, extra={"classifier": table}))
    with pytest.raises(ModelError, match="a name has several lines"):
        convert_model(SpeakerModel.open(classifier_folder), tmp_path / "made", runtime_format="ort")
    assert not (tmp_path / "made").exists()
