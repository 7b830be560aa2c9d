"""``voiceprint classify``: from a folder of clips to names, as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import tomli_w
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from voiceprint.cli import app

runner = CliRunner()

RECIPE: dict[str, Any] = {
    "name": "four",
    "seed": 2,
    "data": {"noise": "noise"},
    "encoder": {
        "dim": 16,
        "channels": 16,
        "blocks": 1,
        "hidden": 8,
        "attention": 8,
        "features": {"n_mfcc": 20, "n_mels": 32},
    },
    "batches": {"kind": "clips", "size": 8, "seconds": [0.5, 1.0], "workers": 0},
    "augment": {"peak_noise": 1.0, "noise": 0.0, "reverberation": 0.0, "babble": 0.0, "colour": 0.0}
    | dict.fromkeys(("clipping", "telephone", "narrowband", "gsm", "mp3", "opus"), 0.0),
    "loss": [{"name": "softmax"}],
    "optimizer": {"lr": 5e-3, "warmup": 5},
    "trainer": {"steps": 24, "validate_every": 12, "average": 0.5, "precision": "float32"},
    "validation": {"conditions": ["clean"]},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and a corpus of noise."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "four.toml").write_text(tomli_w.dumps(RECIPE))
    noise = folder / "corpora" / "noise"
    noise.mkdir(parents=True)
    sf.write(noise / "hiss.wav", np.random.default_rng(0).normal(0, 0.02, 32_000), 16_000)
    (noise / "manifest.csv").write_text("path,speaker,seconds\nhiss.wav,noise,2.0\n")
    return folder


def call(place: Path, *arguments: object, code: int = 0) -> Result:
    words = ["classify", *map(str, arguments)]
    result = runner.invoke(app, words, env={"VOICEPRINT_CORPORA": str(place / "corpora")})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def run(place: Path, people: Path) -> Path:
    folder = place / "runs" / "four"
    said = call(
        place, "train", people, "-o", folder, "--recipe", place / "four.toml", "--export", place / "model"
    )
    assert "step 24 of 24, best dev accuracy" in said.stdout
    assert f"four 1 is in {place / 'model'}" in said.stdout
    assert "dev accuracy" in said.stderr
    return folder


def test_a_run_is_measured_on_its_test_clips(place: Path, run: Path, tmp_path: Path) -> None:
    facts = json.loads(call(place, "eval", run, "-o", tmp_path / "figures", "--json").stdout)
    assert facts["part"] == "test"
    assert facts["confusion"]["names"] == ["ada", "bert", "cleo", "dmitri"]
    assert sum(map(sum, facts["confusion"]["counts"])) == 4
    assert facts["accuracy"]["low"] < facts["accuracy"]["value"] <= 1.0
    assert json.loads((tmp_path / "figures" / "report.json").read_text()) == facts
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "confusion.png",
        "curves.png",
        "report.json",
    ]
    (tmp_path / "read").hardlink_to(tmp_path / "figures" / "report.json")
    said = call(place, "eval", run, "--part", "train", "-o", tmp_path / "figures").stdout
    assert json.loads((tmp_path / "read").read_text()) == facts, "an old report is read whole"
    assert json.loads((tmp_path / "figures" / "report.json").read_text())["part"] == "train"
    assert "accuracy on train: " in said and "of 12 clips (95 %: " in said
    assert "precision" in said and "who it was, and how often each was answered:" in said


def test_a_model_needs_to_be_told_its_clips(place: Path, run: Path, people: Path) -> None:
    facts = json.loads(call(place, "eval", place / "model", people, "--json").stdout)
    assert facts["part"] == "all clips"
    assert sum(map(sum, facts["confusion"]["counts"])) == 20
    assert "give CLIPS" in call(place, "eval", place / "model", code=2).stderr


def test_predictions_name_somebody_or_nobody(place: Path, run: Path, people: Path, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    sf.write(silence, np.zeros(16_000), 16_000)
    clip = people / "ada" / "0.wav"
    answer = json.loads(call(place, "predict", place / "model", clip, silence, "--json", code=3).stdout)
    named, silent = answer["predictions"]
    assert answer["model"] == "four 1"
    assert named["decision"] == "identified" and named["threshold"] is None
    assert named["probabilities"][0]["name"] == named["name"]
    assert (silent["decision"], silent["probabilities"]) == ("not_enough_speech", [])
    strict = ("--threshold", "1.0")
    said = call(place, "predict", place / "model", clip, *strict, "--json", code=1).stdout
    (strange,) = json.loads(said)["predictions"]
    assert (strange["decision"], strange["name"]) == ("unknown", None)
    table = call(place, "predict", place / "model", clip, silence, "--reject", code=3).stdout
    assert "not enough speech" in table and "similarity" in table


def test_an_export_chooses_its_threshold_with_others(
    place: Path, run: Path, voice: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    for clip in range(3):
        path = tmp_path / "others" / "edda" / f"{clip}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, voice("edda", clip, 1.0), 16_000)
    others = ("--out-of-set", tmp_path / "others")
    said = call(place, "export", run, "-o", tmp_path / "model", *others).stdout
    assert "--reject names nobody below a similarity of" in said and "of out-of-set clips accepted" in said
    facts = json.loads(call(place, "export", run, "-o", tmp_path / "again", *others, "--json").stdout)
    assert facts["rejection"]["outsiders"] == 3


def test_a_classifier_is_registered_and_shown_like_any_model(place: Path, run: Path) -> None:
    added = runner.invoke(app, ["models", "add", str(place / "model")])
    assert "four@1 is registered" in added.output
    shown = json.loads(runner.invoke(app, ["models", "show", "four", "--json"]).stdout)
    assert shown["classifier"]["names"] == ["ada", "bert", "cleo", "dmitri"]
    assert set(shown["files"]) == {"encoder.onnx", "weights.safetensors", "classifier.npz"}
    assert "classifier.names" in runner.invoke(app, ["models", "show", "four"]).stdout


def test_resuming_a_finished_run_adds_nothing(place: Path, run: Path, people: Path) -> None:
    recipe = ("--recipe", place / "four.toml")
    refused = call(place, "train", people, "-o", run, *recipe, code=2)
    assert "continue it with --resume" in refused.stderr
    answer = json.loads(call(place, "train", people, "-o", run, *recipe, "--resume", "--json").stdout)
    assert (answer["step"], answer["finished"], answer["criterion"]) == (24, True, "accuracy")


def test_mistakes_are_one_line(place: Path, people: Path, tmp_path: Path) -> None:
    recipe = ("--recipe", place / "four.toml")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "ada").symlink_to(people / "ada")
    (tmp_path / "none").mkdir()
    cases = [
        ((tmp_path / "one", *recipe), "a classifier tells two people or more apart"),
        ((tmp_path / "none", *recipe), "holds no audio"),
        ((people, *recipe, "--split", "manifest"), "has no clip in the split 'train'"),
        ((people, *recipe, "--set", 'loss=[{name="triplet"}]'), "none of which classifies"),
    ]
    for arguments, message in cases:
        said = call(place, "train", *arguments, "-o", tmp_path / "run", code=2).stderr
        assert said.startswith("Error: ") and said.count("\n") == 1 and message in said
    assert "not a model folder" in call(place, "predict", people, people / "x.wav", code=2).stderr


def test_of_several_clips_the_good_are_answered_and_the_bad_named(
    place: Path, run: Path, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "damaged.wav").write_bytes(b"no sound")
    good, bad = people / "bert" / "0.wav", [tmp_path / "damaged.wav", tmp_path / "missing.wav"]
    said = call(place, "predict", place / "model", bad[0], good, bad[1], code=3)
    assert "bert" in said.stdout
    assert [line.split(": ")[0] for line in said.stderr.splitlines()] == ["no answer"] * 2
    answer = json.loads(call(place, "predict", place / "model", good, *bad, "--json", code=3).stdout)
    assert [each["source"] for each in answer["predictions"]] == [str(good)]
    assert list(answer["failed"]) == [str(path) for path in bad]
    assert call(place, "predict", place / "model", bad[0], code=2).stderr.startswith(f"Error: {bad[0]} ")
    assert "none of the 2 clips can be read" in call(place, "predict", place / "model", *bad, code=2).stderr
