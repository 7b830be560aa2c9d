"""The commands that keep speech and move a store to another model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from other_model import write_other_model
from typer.testing import CliRunner, Result

from voiceprint.cli import app

runner = CliRunner()
AGREED = ("--consent-by", "ada", "--purpose", "calls")


def run(*arguments: str | Path) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def other(tmp_path: Path, model_folder: Path) -> Path:
    return write_other_model(tmp_path / "other", model_folder)


@pytest.fixture
def store(tmp_path: Path, model_folder: Path, people: Path) -> Path:
    folder = tmp_path / "enrollments"  # which the variable names
    kept = ("--keep-audio", *AGREED)
    assert run("enroll", "ada", people / "ada", "--model", model_folder, *kept).exit_code == 0
    assert run("enroll", "bert", people / "bert", "--model", model_folder).exit_code == 0
    return folder


def test_an_old_store_says_which_command_moves_it_and_the_command_does(
    store: Path, other: Path, people: Path
) -> None:
    verify = ("verify", "bert", people / "bert/4.wav", "--allow-replay", "--model", other)
    refused = run(*verify)
    assert (refused.exit_code, "voiceprint store upgrade" in refused.output) == (2, True)
    moved = run("store", "upgrade", "--model", other, "--jobs", "1")
    assert moved.exit_code == 3, moved.output
    assert "1 person moved" in moved.output
    assert "bert" in moved.output
    assert run(*verify).exit_code == 0
    assert "1 of an earlier one" in run("stats").output
    rest = run("store", "upgrade", "--model", other, "--clips", people, "--jobs", "1", "--json")
    assert rest.exit_code == 0, rest.output
    assert json.loads(rest.stdout)["moved"] == 1
    assert run(*verify).exit_code == 0


def test_what_waits_is_put_in_force_later_or_thrown_away(store: Path, other: Path, people: Path) -> None:
    waits = run("store", "upgrade", "--model", other, "--clips", people, "--no-switch", "--jobs", "1")
    assert (waits.exit_code, "2 people" in waits.output) == (0, True)
    assert "what waited was thrown away" in run("store", "upgrade", "--abandon").output
    assert "nothing waited" in run("store", "upgrade", "--abandon").output


def test_kept_speech_is_shown_and_can_be_erased_alone(store: Path) -> None:
    assert "speech kept of 5 clips" in run("show", "ada").output
    assert "of 5 clips" in run("stats").output
    assert "was erased" in run("store", "forget-audio", "ada").output
    assert "speech kept" not in run("show", "ada").output
    assert "none was kept" in run("store", "forget-audio", "ada").output


def test_speech_is_kept_with_consent_of_one_person_alone(people: Path, model_folder: Path) -> None:
    refused = run("enroll", "cleo", people / "cleo", "--keep-audio", "--model", model_folder)
    assert (refused.exit_code, "--consent-by" in refused.output) == (2, True)
    everybody = run("enroll", "--from", people, "--keep-audio", "--model", model_folder)
    assert everybody.exit_code == 2
