"""Options that a command takes together, as one dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from voiceprint.cli.commands import with_options_apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    size: Annotated[int, typer.Option("--size", help="How many.")]
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0


def draw(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    draws: Draws,
    loud: Annotated[bool, typer.Option("--loud")] = False,
) -> None:
    """Draw."""
    typer.echo(f"{name} {draws} {loud}")


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(with_options_apart(draw))
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_fields_of_a_group_are_options_of_the_command() -> None:
    assert run("ada", "--size", "3") == (0, "ada Draws(size=3, seed=0) False\n")
    assert run("--seed", "7", "--loud", "ada", "--size", "3") == (0, "ada Draws(size=3, seed=7) True\n")


def test_a_field_without_a_default_has_to_be_given() -> None:
    code, output = run("ada")
    assert code == 2
    assert "--size" in output


def test_help_shows_the_options_in_the_place_of_the_group() -> None:
    _, output = run("--help")
    assert output.index("--size") < output.index("--seed") < output.index("--loud")
    assert "Draw." in output


@pytest.mark.parametrize("value", ["many", "2.5"])
def test_a_field_has_the_type_that_it_says(value: str) -> None:
    assert run("ada", "--size", value)[0] == 2


def test_a_command_without_groups_is_given_as_it_is() -> None:
    def plain(name: str) -> None: ...

    assert with_options_apart(plain) is plain
