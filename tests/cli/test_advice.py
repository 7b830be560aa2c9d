"""What the command line says of the library's errors: options instead of arguments, and its own advice."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from test_errors import family
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.cli.advice import _ADVICE, explain
from voiceprint.errors import (
    ArgumentError,
    AudioError,
    NotCalibratedError,
    SpeakerExistsError,
    VoiceprintError,
)

PACKAGE = Path(__file__).parents[2] / "voiceprint"
FACES = {"cli", "server"}
runner = CliRunner()


def test_every_piece_of_advice_belongs_to_an_error() -> None:
    assert set(_ADVICE) <= {kind.code for kind in family(VoiceprintError)}
    assert list(_ADVICE) == sorted(_ADVICE)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ArgumentError("min_speech", -1.0, "a finite number at least 0.1"),
            "--min-speech is -1.0; it must be a finite number at least 0.1",
        ),
        (
            ArgumentError("far", 0.1, "left out where threshold is given", beside=["threshold"]),
            "--far is 0.1; it must be left out where --threshold is given",
        ),
        (
            SpeakerExistsError("ada is enrolled already", advice="choose mode add or replace", name="ada"),
            "ada is enrolled already; use --add to add clips, or --replace for a new voiceprint",
        ),
        (
            NotCalibratedError(path="m"),
            "m has no thresholds, for it was never calibrated; "
            "give --threshold, or run `voiceprint calibrate`",
        ),
        (
            AudioError("x.wav is empty", advice="record it again", source="x.wav"),
            "x.wav is empty; record it again",
        ),
        (AudioError("x.wav is empty", source="x.wav"), "x.wav is empty"),
    ],
)
def test_an_error_is_explained_in_options(error: VoiceprintError, line: str) -> None:
    assert explain(error) == line


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ["verify", "ada", "clip.wav", "--threshold", "nan"],
            "--threshold is nan; it must be a finite number",
        ),
        (
            ["verify", "ada", "clip.wav", "--far", "0.7"],
            "--far is 0.7; it must be a rate above 0 and at most 0.5",
        ),
        (["identify", "clip.wav", "--top", "0"], "--top is 0; it must be a whole number of at least 1"),
        (["compare", "a.wav", "b.wav", "--min-speech", "-1"], "--min-speech is -1.0; it must be"),
        (["enroll", "ada", "a.wav", "--min-speech", "0"], "--min-speech is 0.0; it must be"),
        (
            ["embed", "clip.wav", "--output", "x.npz", "--jobs", "0"],
            "--jobs is 0; it must be a whole number of at least 1",
        ),
    ],
)
def test_what_is_out_of_range_is_one_line_and_exit_code_2(
    command: list[str], said: str, tmp_path: Path, model_folder: Path
) -> None:
    environment = {"VOICEPRINT_STORE": str(tmp_path / "store"), "VOICEPRINT_MODEL": str(model_folder)}
    result = runner.invoke(app, command, env=environment)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {said}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "store").exists()


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_library_names_no_option(path: Path) -> None:
    """In no string that it could print; docstrings may say what a tool's option does."""
    # The catalog fetches wheels by pip, and names pip's options.
    if path.relative_to(PACKAGE).parts[0] in FACES or path == PACKAGE / "catalog" / "wheels.py":
        return
    tree = ast.parse(path.read_text())
    documented = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node)
        and isinstance(node.body[0], ast.Expr)
    }
    named = [
        f"{path.name}:{node.lineno}: {option}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documented
        for option in OPTION.findall(node.value)
    ]
    assert not named
