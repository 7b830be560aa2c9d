from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voiceprint.cli import app

runner = CliRunner()


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))


def run(*arguments: object) -> tuple[int, str, str]:
    result = runner.invoke(app, [*map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_every_clip_is_shown_and_strangers_are_named(people: Path) -> None:
    code, out, _ = run("enroll", "ada", people / "ada", people / "bert/0.wav")
    assert code == 0
    assert f"set aside {people / 'bert/0.wav'}: sounds like another person" in out
    assert "ada is enrolled with 5 clips of" in out
    assert "1 clip set aside" in out
    assert all(head in out for head in ("speech s", "level dB", "clipped %", "SNR dB", "agreement"))


def test_the_json_of_enroll(people: Path) -> None:
    _, out, _ = run("enroll", "ada", people / "ada/0.wav", people / "ada/1.wav", "--json", "--notes", "n")
    answer = json.loads(out)
    assert (answer["name"], answer["clips_in_voiceprint"]) == ("ada", 2)
    assert [clip["status"] for clip in answer["clips"]] == ["used", "used"]
    assert set(answer["clips"][0]["quality"]) == {
        "seconds", "seconds_of_speech", "level_dbfs", "clipped", "snr_db",
    }  # fmt: skip


def test_enrolling_again_needs_add_or_replace(people: Path) -> None:
    assert run("enroll", "ada", people / "ada/0.wav", people / "ada/1.wav")[0] == 0
    code, _, err = run("enroll", "ada", people / "ada/2.wav")
    assert code == 2
    assert "--add" in err and "--replace" in err
    assert run("enroll", "ada", people / "ada/2.wav", "--add")[0] == 0
    assert json.loads(run("show", "ada", "--json")[1])["clips_in_voiceprint"] == 3
    assert run("enroll", "ada", people / "ada/3.wav", people / "ada/4.wav", "--replace")[0] == 0
    assert json.loads(run("show", "ada", "--json")[1])["clips_in_voiceprint"] == 2


def test_clips_that_are_refused_are_shown_before_the_error(people: Path) -> None:
    code, out, err = run("enroll", "ada", people / "ada/0.wav", people / "bert/0.wav", "--min-speech", "1")
    assert code == 2
    assert "disagrees" in out
    assert err.startswith("Error: ada: 1 of 2 clips disagree with each other")
    assert run("enroll", "ada", people / "ada/0.wav", "--json")[1] == ""


def test_a_clip_that_cannot_be_read_is_told_once(tmp_path: Path, people: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    code, out, err = run("enroll", "ada", broken)
    assert code == 2
    assert (out + err).count("cannot be decoded") == 1
    assert f"{broken}: {broken}" not in err
    _, out, _ = run("enroll", "ada", people / "ada", broken)
    assert f"set aside {broken}: cannot be decoded" in out


def test_a_folder_of_folders_enrolls_everybody(people: Path) -> None:
    code, out, _ = run("enroll", "--from", people, "--jobs", "1")
    assert (code, out) == (0, "4 people enrolled, 0 skipped, 0 refused\n")
    code, out, _ = run("enroll", "--from", people, "--jobs", "1", "--json")
    assert [speaker["status"] for speaker in json.loads(out)["speakers"]] == ["skipped"] * 4


def test_a_folder_in_which_nobody_can_be_enrolled_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "all/empty").mkdir(parents=True)
    code, out, err = run("enroll", "--from", tmp_path / "all", "--jobs", "1")
    assert code == 2
    assert "0 people enrolled, 0 skipped, 1 refused" in out
    assert err.startswith("refused: empty: ")
    assert err.endswith("Error: none of 1 person can be enrolled\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_people_who_are_refused_are_named_on_standard_error(
    people: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    shutil.copytree(people / "ada", tmp_path / "all/ada")
    (tmp_path / "all/empty").mkdir()
    code, _, err = run("enroll", "--from", tmp_path / "all", "--jobs", "1", *options)
    assert code == 3
    assert [line.split(": ")[:2] for line in err.splitlines()] == [["refused", "empty"]]


@pytest.mark.parametrize(
    "arguments",
    [[], ["ada"], ["ada", "x.wav", "--from", "y"], ["ada", "x.wav", "--add", "--replace"]],
)
def test_contradictory_requests_are_usage_errors(arguments: list[str]) -> None:
    code, _, err = run("enroll", *arguments)
    assert code == 2
    assert "Usage: " in err
