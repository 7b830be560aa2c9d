"""What is typed becomes the same by itself as by typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from voiceprint.cli.plain_values import PlainCommand, plain_value

runner = CliRunner()

VALUES: list[tuple[Any, Any, Any]] = [
    (str, "ada", "ada"),
    (str | None, "", ""),
    (Path, "a/b.wav", Path("a/b.wav")),
    (Path | None, "-", Path("-")),
    (int, "12", 12),
    (int | None, "-3", -3),
    (float, "1e-3", 0.001),
    (float | None, "2", 2.0),
    (float, 0.5, 0.5),
    (bool, True, True),
    (list[str], ("a", "b"), ["a", "b"]),
    (list[Path] | None, ("a",), [Path("a")]),
    (Literal["new", "add"], "add", "add"),
]


@pytest.mark.parametrize(("kind", "value", "plain"), VALUES)
def test_a_plain_value_is_what_its_type_says(kind: Any, value: Any, plain: Any) -> None:
    found = plain_value(kind, value)
    assert (type(found), found) == (type(plain), plain)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, "1.5"), (float, "much"), (float, ""), (Literal["new", "add"], "ADD"), (bool, "yes"), (bytes, "x")],
)
def test_what_is_not_plain_is_left_to_typer(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError):
        plain_value(kind, value)


def test_a_number_with_bounds_is_left_to_typer() -> None:
    assert plain_value(int, 3, bounded=True) == 3
    with pytest.raises(ValueError, match="3"):
        plain_value(int, "3", bounded=True)


@pytest.mark.parametrize(
    "line",
    [
        ["ada"],
        ["ada", "--far", "0.1", "--many", "a", "--many", "b", "--loud"],
        ["ada", "--size", "0"],
        ["ada", "--size", "x"],
        ["ada", "--far", "much"],
        ["ada", "--kind", "new"],
        [],
        ["--help"],
    ],
)
def test_a_command_says_the_same_with_plain_values(line: list[str]) -> None:
    def say(
        name: str,
        far: float | None = None,
        size: Annotated[int, typer.Option(min=1)] = 1,
        kind: Literal["new", "add"] = "add",
        many: list[Path] | None = None,
        loud: bool = False,
    ) -> None:
        typer.echo(repr((name, far, size, kind, many, loud)))

    def run(cls: Any) -> tuple[int, str]:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cls=cls)(say)
        result = runner.invoke(app, line)
        return result.exit_code, result.output

    assert run(PlainCommand) == run(None)


def test_a_wrong_choice_is_named_without_pydantics_prefix() -> None:
    def say(kind: Literal["new", "add"] = "add") -> None:
        typer.echo(kind)

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=PlainCommand)(say)
    result = runner.invoke(app, ["--kind", "other"])
    assert result.exit_code == 2
    assert "Invalid value for '--kind': 'other' is not one of 'new', 'add'" in result.output
