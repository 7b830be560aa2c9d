"""What every command does where its surroundings are bad: no home, no streams, a full disk, odd bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_lines
import pytest

PROGRAM = Path(__file__).with_name("run_commands.py")


@pytest.fixture(scope="module")
def laid_out(
    tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., object], model_folder: Path
) -> Path:
    folder = tmp_path_factory.mktemp("laid out")
    command_lines.lay_out(folder, voice, model_folder)
    return folder


@pytest.fixture
def place(laid_out: Path, tmp_path: Path) -> Path:
    return shutil.copytree(laid_out, tmp_path / "place", symlinks=True)


def run(lines: list[list[str]], place: Path, setting: str = "as usual", **environment: str) -> list[Any]:
    """Run command lines, with a home of their own, and the store and the model in `place`."""
    home = place / "home"
    home.mkdir(exist_ok=True)
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "HOME": str(home),
        "VOICEPRINT_STORE": str(place / "store"),
        "VOICEPRINT_MODELS": str(place / "models"),
        "VOICEPRINT_MODEL": str(place / "model"),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM), setting],
        input=json.dumps(lines),
        env={name: value for name, value in own.items() if value != "unset"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def complaint(result: Any) -> str:
    """Return what is wrong with how a command ended, whatever it was asked; empty where nothing is."""
    if "Traceback" in result["stderr"] or "Exception ignored" in result["stderr"]:
        return "shows a traceback"
    if result["code"] not in {0, 1, 2, 130, 141}:
        return "ends with a code that means nothing"
    if result["code"] == 2 and "Error: " not in result["stderr"]:
        return "does not say why it failed"
    return ""


def test_there_is_a_line_for_every_command() -> None:
    assert sorted(command_lines.LINES) == sorted(command_lines.leaves())


# What the driver changes, and the environment.
SETTINGS: dict[str, tuple[str, dict[str, str]]] = {
    "no home": ("no passwd entry", {"HOME": "unset"}),
    "home is a file": ("as usual", {"HOME": "/dev/null"}),
    "deleted folder": ("deleted folder", {}),
    "ASCII alone": ("as usual", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "narrow, no temporary folder": (
        "as usual",
        {"COLUMNS": "20", "NO_COLOR": "1", "TERM": "dumb", "TMPDIR": "/nonsense"},
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_command_ends_as_it_should_whatever_its_surroundings(place: Path, name: str) -> None:
    setting, environment = SETTINGS[name]
    results = run_all(place, setting, **environment)
    assert {command: found for command, found in results.items() if complaint(found)} == {}
    assert codes(results) == {command: code for command, (_, code) in command_lines.LINES.items()}


def test_every_command_ends_as_it_should_with_its_streams_closed(place: Path) -> None:
    results = run_all(place, "streams closed")
    assert codes(results) == {command: code for command, (_, code) in command_lines.LINES.items()}


@pytest.mark.parametrize(("setting", "code"), [("reader gone", 141), ("disk full", 2)])
def test_output_that_cannot_be_written_is_no_verdict(place: Path, setting: str, code: int) -> None:
    results = run_all(place, setting)
    assert {command: found for command, found in results.items() if complaint(found)} == {}
    expected = {command: code if usual < 2 else 2 for command, (_, usual) in command_lines.LINES.items()}
    assert codes(results) == expected


def test_no_command_connects_to_anything_or_leaves_a_file_in_the_home_folder(place: Path) -> None:
    results = run_all(place, "connections forbidden")
    assert codes(results) == {command: code for command, (_, code) in command_lines.LINES.items()}
    # Embeddings are kept on purpose, and matplotlib its list of fonts.
    left = {str(path.relative_to(place / "home")) for path in (place / "home").rglob("*") if path.is_file()}
    assert {
        path for path in left if "voiceprint/embeddings-" not in path and "matplotlib" not in path
    } == set()


def test_of_many_inputs_the_good_have_answers_and_the_bad_are_named(place: Path) -> None:
    lines = [command_lines.line(command, place, rest) for command, (rest, _) in command_lines.MANY.items()]
    results = dict(zip(command_lines.MANY, run(lines, place), strict=True))
    assert codes(results) == dict.fromkeys(command_lines.MANY, 3)
    unnamed = {
        command: results[command]
        for command, (_, bad) in command_lines.MANY.items()
        if bad not in results[command]["stderr"]
    }
    assert unnamed == {}
    assert "Traceback" not in str(results)


def test_nothing_left_to_do_is_no_error(place: Path) -> None:
    lines = [command_lines.line(command, place, rest) for command, rest in command_lines.NOTHING_LEFT.items()]
    alone = [[*words[:-1], "1"] for words in lines]  # no processes: they would import the driver
    first, again = run(alone, place), run(lines, place)
    assert [result["code"] for result in first] == [0] * len(lines)
    assert [(result["code"], result["stderr"]) for result in again] == [(0, "")] * len(lines)
    assert "there is nothing left to do" in again[0]["stdout"]


def run_all(place: Path, setting: str, **environment: str) -> dict[str, Any]:
    """Run the line of every command; return what came of each."""
    lines = [command_lines.line(command, place) for command in command_lines.LINES]
    return dict(zip(command_lines.LINES, run(lines, place, setting, **environment), strict=True))


def codes(results: dict[str, Any]) -> dict[str, int]:
    return {command: found["code"] for command, found in results.items()}
