"""Options that belong together: a command takes them as one dataclass."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["with_options_apart"]


def with_options_apart(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the dataclasses that it takes.

    Parameters
    ----------
    command : callable
        Annotated with types and typer's options. A parameter whose type is a dataclass is a group: each of
        its fields becomes an option, in its place.

    Returns
    -------
    callable
        What typer is given; the command itself where it takes no group.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    if not groups:
        return command
    apart = [
        option
        for parameter in inspect.signature(command).parameters.values()
        for option in (
            _options_of(groups[parameter.name])
            if parameter.name in groups
            else [_option(parameter.name, hints[parameter.name], parameter.default)]
        )
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        together = {
            name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
            for name, group in groups.items()
        }
        command(**given, **together)

    run.__dict__["__signature__"] = inspect.Signature(apart)
    run.__annotations__ = {option.name: option.annotation for option in apart}
    return run


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        _option(
            field.name,
            hints[field.name],
            inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(group)
    ]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
