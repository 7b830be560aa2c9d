"""What is typed becomes what a command takes, without pydantic where that is obvious.

Typer converts every value, and every default, with pydantic: to import it and to make its validators takes
longer than most commands need to run. Texts, paths and numbers are converted here. What is not obvious still
goes to typer, and so does every wrong value, so that it says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose parameters take plain values as they are."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, the option for help among them."""
        return _taking_plain_values(self, super().get_params(ctx))


class PlainGroup(TyperGroup):
    """A group of commands whose parameters take plain values as they are."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, the option for help among them."""
        return _taking_plain_values(self, super().get_params(ctx))


def _taking_plain_values(command: Any, parameters: list[Any]) -> list[Any]:
    fresh = [each for each in parameters if "process_value" not in vars(each)]
    kinds = get_type_hints(command.callback) if fresh and command.callback else {}
    for each in fresh:
        vars(each)["process_value"] = _processor(each, kinds.get(each.name))
    return parameters


def _processor(parameter: Any, kind: Any) -> Callable[[Any, Any], Any]:
    """Return what processes a parameter's values in the place of its own method."""
    process = parameter.process_value
    many = parameter.multiple or parameter.nargs == -1
    bounded = any(getattr(parameter, bound, None) is not None for bound in ("min", "max"))

    def by_typer(context: Any, value: Any) -> Any:
        try:
            return process(context, value)
        except BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # pydantic's word for any of them
            raise

    def process_value(context: Any, value: Any) -> Any:
        if value in (None, (), []):
            plain = () if many else None
            if parameter.required:
                return by_typer(context, value)
        else:
            try:
                plain = plain_value(kind, value, bounded=bounded)
            except ValueError:
                return by_typer(context, value)
        return plain if parameter.callback is None else parameter.callback(context, parameter, plain)

    return process_value


def plain_value(kind: Any, value: Any, *, bounded: bool = False) -> Any:
    """Return a value as what a type says.

    Parameters
    ----------
    kind : type
        Of a command's parameter.
    value : object
        A text that was typed, texts, or a default.
    bounded : bool
        Whether numbers that were typed have to be looked at.

    Raises
    ------
    ValueError
        If it is not obvious what the value becomes.

    Examples
    --------
    >>> plain_value(float | None, "0.01"), plain_value(list[str], ("a", "b"))
    (0.01, ['a', 'b'])
    """
    of = [each for each in get_args(kind) if each is not type(None)]
    if type(None) in get_args(kind) and len(of) == 1:
        return plain_value(of[0], value, bounded=bounded)
    if get_origin(kind) is list and isinstance(value, list | tuple):
        return [plain_value(of[0], each, bounded=bounded) for each in value]
    if get_origin(kind) is Literal and value in of:
        return value
    if isinstance(value, str) and (kind in (str, Path) or (kind in (int, float) and not bounded)):
        return kind(value)
    if kind in (bool, int, float, Path) and isinstance(value, kind):
        return value
    raise ValueError(value)
