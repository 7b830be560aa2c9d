"""Models for other runtimes answer like the model that they were made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from voiceprint.audio import read_audio
from voiceprint.errors import ArgumentError, FolderExistsError
from voiceprint.model import SpeakerModel
from voiceprint.onnx_runtime import graph_embedder
from voiceprint.scoring import cosine, normalize
from voiceprint.web.runtimes import RuntimeFormat, convert_model


@pytest.mark.parametrize(("runtime_format", "least"), [("ort", 0.999999), ("onnx-int8", 0.999)])
def test_a_converted_encoder_makes_the_same_embeddings(
    model: SpeakerModel, people: Path, tmp_path: Path, runtime_format: RuntimeFormat, least: float
) -> None:
    made = convert_model(model, tmp_path / "made", runtime_format=runtime_format)
    assert made.model == model.id
    assert made.least_cosine >= least
    embed = graph_embedder(made.folder / made.encoder)
    clips = [read_audio(people / name / "0.wav").samples for name in ("ada", "bert", "cleo", "dmitri")]
    found = normalize(np.concatenate([embed(samples[None]) for samples in clips]))
    assert cosine(found, model.embed(clips)).min() >= least


@pytest.mark.parametrize("runtime_format", ["ort", "onnx-int8"])
def test_the_card_names_the_files_that_are_there(
    model: SpeakerModel, tmp_path: Path, runtime_format: RuntimeFormat
) -> None:
    folder = convert_model(model, tmp_path / "made", runtime_format=runtime_format).folder
    card = json.loads((folder / "model.json").read_text())
    for name, digest in card["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    extra = {"model.json"} | ({"required_operators.config"} if runtime_format == "ort" else set())
    assert {path.name for path in folder.iterdir()} == {*card["files"], *extra}


def test_the_operators_of_both_networks_are_listed_and_no_path_of_this_machine(
    model: SpeakerModel, tmp_path: Path
) -> None:
    folder = convert_model(model, tmp_path / "made", runtime_format="ort").folder
    listed = (folder / "required_operators.config").read_text()
    assert {"Conv", "LSTM", "Sigmoid"} <= set(listed.replace(";", ",").replace("\n", ",").split(","))
    assert str(tmp_path) not in listed
    assert "/tmp" not in listed


def test_a_folder_that_is_there_stays_as_it_is(model: SpeakerModel, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FolderExistsError, match="exists already"):
        convert_model(model, tmp_path, runtime_format="ort")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_format_that_is_none_is_named(model: SpeakerModel, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="runtime_format is 'tflite'; it must be ort or onnx-int8"):
        convert_model(model, tmp_path / "made", runtime_format="tflite")  # type: ignore[arg-type]
