"""`voiceprint models compare`: by the cards, and on a folder of one's own clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card

runner = CliRunner()


@pytest.fixture(scope="module")
def other(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without thresholds, under another name."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(model_folder, folder)
    write_model_card(folder, replace(read_model_card(folder), name="other", calibration=None))
    return folder


@pytest.fixture(autouse=True)
def _places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEPRINT_CACHE", str(tmp_path_factory.getbasetemp() / "compared"))


def test_models_are_compared_on_a_folder_of_people(
    people: Path, model_folder: Path, other: Path, tmp_path: Path
) -> None:
    page = tmp_path / "compare.html"
    command = ["models", "compare", model_folder, other, "--clips", people, "-o", page, "--jobs", "1"]
    result = runner.invoke(app, [*map(str, command), "--json"])
    assert result.exit_code == 0, result.output
    (measured,) = json.loads(result.stdout)["sets"]
    assert (measured["n_speakers"], measured["n_utterances"]) == (4, 20)
    first, second = measured["systems"]
    rates = [system["protocols"][0]["evaluation"]["metrics"]["eer"] for system in (first, second)]
    assert rates[0] == rates[1]  # the same encoder on the same trials
    assert [bool(system["protocols"][0]["decisions"]) for system in (first, second)] == [True, False]
    assert page.read_text(encoding="utf-8").count("<svg") >= 2
    assert page.with_suffix(".json").exists()


def test_clips_that_cannot_be_read_are_named_and_left_out(
    people: Path, model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    (folder / "ada" / "broken.wav").write_bytes(b"no sound")
    command = ["models", "compare", model_folder, "--clips", folder, "-o", tmp_path / "x.html", "--jobs", "1"]
    result = runner.invoke(app, [*map(str, command)])
    assert result.exit_code == 0, result.output
    assert "broken.wav" in result.stderr
    assert "x.html" in result.stdout


def test_a_length_that_one_person_alone_reaches_does_not_end_it(
    people: Path,
    model_folder: Path,
    voice: Callable[..., NDArray[np.float32]],
    wav: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """Of the length of that person's one long clip there are trials with impostors alone."""
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    wav(folder / "ada" / "long.wav", voice("ada", 7, 4.5))
    for name in ("bert", "cleo", "dmitri"):
        wav(folder / name / "sixth.wav", voice(name, 7, 2.0))
    command = ["models", "compare", model_folder, "--clips", folder, "-o", tmp_path / "x.html", "--jobs", "1"]
    result = runner.invoke(app, [*map(str, command), "--json"])
    assert result.exit_code == 0, result.output
    (measured,) = json.loads(result.stdout)["sets"]
    longest = [row for row in measured["systems"][0]["lengths"] if row["seconds"] == 3.0]
    assert [row["n_clips"] for row in longest] == [1]


def test_one_person_alone_cannot_be_compared(people: Path, model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(people / "ada", tmp_path / "people" / "ada")
    command = ["models", "compare", model_folder, "--clips", tmp_path / "people", "--jobs", "1"]
    result = runner.invoke(app, [*map(str, command), "-o", str(tmp_path / "x.html")])
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert not (tmp_path / "x.html").exists()


def test_cards_are_compared_without_clips(model_folder: Path, other: Path) -> None:
    result = runner.invoke(app, ["models", "compare", str(model_folder), str(other), "--json"])
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert first["id"] == second["id"]
    assert first["measured"]["EER, 1 clip, 3 s"] == 0.02
    assert second["measured"] == {}
