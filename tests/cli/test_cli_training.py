"""``voiceprint train`` and ``voiceprint models``: from a folder of clips to a model that is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import tomli_w
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from benchmarks.synthetic_speech import VOICES
from voiceprint.cli import app
from voiceprint.corpus import Corpus, Utterance, write_manifest
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.percent import percent

runner = CliRunner()

RECIPE: dict[str, Any] = {
    "name": "mine",
    "data": {"train": ["people"], "dev": ["people"]},
    "encoder": {
        "dim": 8,
        "channels": 8,
        "blocks": 1,
        "hidden": 4,
        "attention": 4,
        "features": {"n_mfcc": 12, "n_mels": 20},
    },
    "batches": {"speakers": 4, "seconds": [0.3, 0.5], "workers": 0},
    "augment": {"reverberation": 0.0, "noise": 0.0},
    "loss": [{"name": "triplet"}],
    "trainer": {"steps": 4, "validate_every": 2, "checkpoint_every": 2, "precision": "float32"},
    "validation": {"conditions": ["clean"]},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., NDArray[np.float32]]) -> Path:
    """A folder with a recipe and a corpus of four training and two dev speakers."""
    folder = tmp_path_factory.mktemp("work")
    utterances = []
    for number, name in enumerate(VOICES):
        for clip in range(2):
            path = folder / "corpora" / "people" / f"{name}{clip}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, voice(name, clip, 0.8), 16_000)
            utterances.append(
                Utterance(
                    path=path,
                    speaker=name,
                    seconds=0.8,
                    id=path.name,
                    split="train" if number < 4 else "dev",
                    corpus="people",
                )
            )
    write_manifest(Corpus(utterances), folder / "corpora" / "people" / "manifest.csv")
    (folder / "mine.toml").write_text(tomli_w.dumps(RECIPE))
    return folder


def call(place: Path, *arguments: str, code: int = 0) -> Result:
    result = runner.invoke(app, list(arguments), env={"VOICEPRINT_CORPORA": str(place / "corpora")})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    result = call(place, "train", str(place / "mine.toml"), "-o", str(place / "runs" / "mine"))
    assert "step 4 of 4, best dev EER" in result.stdout
    assert "dev EER" in result.stderr
    return place / "runs" / "mine"


def test_a_run_leaves_recipe_log_checkpoints_and_a_pool_beside_it(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoints",
        "metrics.jsonl",
        "origins.json",
        "recipe.json",
    ]
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    assert (run.parent / "pool" / "voice-0.json").exists()


def test_resuming_goes_on_with_the_log(place: Path, run: Path) -> None:
    recipe = str(place / "mine.toml")
    refused = call(place, "train", recipe, "-o", str(run), code=2)
    assert refused.stderr.startswith("Error: ") and "--resume" in refused.stderr
    more = ("--set", "trainer.steps=6", "--resume", "--json")
    answer = json.loads(call(place, "train", recipe, "-o", str(run), *more).stdout)
    assert (answer["step"], answer["steps"], answer["finished"]) == (6, 6, True)
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 6


def test_prepare_only_renders(place: Path, tmp_path: Path) -> None:
    call(place, "train", str(place / "mine.toml"), "-o", str(tmp_path / "run"), "--prepare")
    assert (tmp_path / "pool" / "voice-0.pcm").exists()
    assert not (tmp_path / "run").exists()


def test_mistakes_are_one_line(place: Path, tmp_path: Path) -> None:
    recipe = str(place / "mine.toml")
    unknown = call(place, "train", recipe, "-o", str(tmp_path / "a"), "--set", "optimiser.lr=1", code=2)
    assert unknown.stderr == "Error: optimiser: unknown key; did you mean 'optimizer'?\n"
    missing = call(place, "train", recipe, "-o", str(tmp_path / "b"), "--corpora", str(tmp_path), code=2)
    assert "there is no such manifest" in missing.stderr
    nothing = call(place, "models", "export", str(tmp_path), "-o", str(tmp_path / "c"), code=2)
    assert "is no training run" in nothing.stderr


def test_from_run_to_the_model_in_use(place: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (tmp_path / "licences.toml").write_text('[people]\nlicence = "CC0-1.0"\n')
    export = ("models", "export", str(run), "-o", str(folder), "--checkpoint", "last")
    said = call(place, *export, "--licences", str(tmp_path / "licences.toml")).stdout
    card = read_model_card(folder)
    # Two dev speakers are too few for an interval.
    figure = f"dev EER {percent(card.measured['dev']['eer'])}"
    assert said == f"mine 1 is in {folder}: id {card.id[:12]}, step {card.training['steps']}, {figure}\n"
    assert card.training["speech"]["people"]["licence"] == "CC0-1.0"
    assert "exists already" in call(place, *export, code=2).stderr
    assert "mine@1 is registered" in call(place, "models", "add", str(folder)).stdout
    call(place, "models", "use", "mine@1")
    (row,) = [row for row in json.loads(call(place, "models", "list", "--json").stdout) if row["used"]]
    assert (row["name"], row["version"]) == ("mine", "1")
    assert row["training"]["run"] == "mine"
    assert "mine@1" in call(place, "models", "list").stdout
    shown = json.loads(call(place, "models", "show", "mine", "--json").stdout)
    assert shown["training"]["corpora"] == ["people"]
    assert "training.steps" in call(place, "models", "show", "mine").stdout
    first, second = json.loads(call(place, "models", "compare", "mine", str(folder), "--json").stdout)
    assert first["measured"] == second["measured"]
    assert set(first["measured"]) == {"dev.eer", "dev.eer/people/clean"}
    assert "dev.eer/people/clean" in call(place, "models", "compare", "mine", str(folder)).stdout
    compared = call(place, "models", "compare", "default", "mine").stdout
    calibration = read_model_card(PACKAGED_MODEL).calibration
    assert calibration is not None
    eer = calibration.cell(n_enroll=1, seconds=3.0).eer
    assert re.search(rf"EER, 1 clip, 3 s .*{percent(eer)}.* -", compared)
    assert "not of the same trials" not in compared
    call(place, "models", "use", "default")
    assert not any(row["used"] for row in json.loads(call(place, "models", "list", "--json").stdout)[-1:])


def test_comparing_says_whether_calibrations_are_of_the_same_trials(place: Path, tmp_path: Path) -> None:
    card = read_model_card(PACKAGED_MODEL)
    for name, seed in (("same", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        source = {**card.extra["calibrated_on"], "seed": seed}
        write_model_card(tmp_path / name, replace(card, measured={}, extra={"calibrated_on": source}))
    warned = "not of the same trials"
    assert warned not in call(place, "models", "compare", "default", str(tmp_path / "same")).stdout
    assert warned in call(place, "models", "compare", "default", str(tmp_path / "other")).stdout


def test_training_goes_on_from_a_model_and_exports(place: Path, run: Path, tmp_path: Path) -> None:
    call(place, "models", "export", str(run), "-o", str(tmp_path / "first"), "--int8")
    result = call(
        place,
        "train",
        str(place / "mine.toml"),
        "-o",
        str(tmp_path / "run"),
        "--pool",
        str(run.parent / "pool"),
        "--init",
        str(tmp_path / "first"),
        "--export",
        str(tmp_path / "second"),
    )
    assert f"mine 1 is in {tmp_path / 'second'}" in result.stdout
    first, second = (read_model_card(tmp_path / name) for name in ("first", "second"))
    assert "init" not in first.training
    assert second.training["init"]["id"] == first.id
    assert "Training started from the weights of mine 1" in (tmp_path / "second" / "README.md").read_text()


def test_tensorboard_that_is_not_installed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    result = call(
        place, "train", str(place / "mine.toml"), "-o", str(tmp_path / "run"), "--tensorboard", code=2
    )
    assert "the package tensorboard is not installed" in result.stderr
