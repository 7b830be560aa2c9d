"""Recipes: one TOML file, read into the dataclasses beside what they configure."""

from __future__ import annotations

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from voiceprint.errors import ConfigError
from voiceprint.files.text import read_text

__all__ = ["apply_overrides", "build", "read_toml", "require_positive"]

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a recipe, and of the one that its key ``base`` names, for keys that it lacks.

    ``base = "default.toml"`` (a path relative to the recipe's folder) adds the keys of that recipe that this
    one lacks. Two things are not mixed: a table that names its ``kind`` takes nothing from the
    base's, and a list replaces the base's whole.

    Raises
    ------
    ConfigError
        A file is missing or is not TOML, or recipes are based on each other.
    """
    return _with_base(path, ())


def _with_base(path: Path, based_on_it: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in based_on_it:
        raise ConfigError(f"{path}: base: is based on itself, directly or by way of others")
    table = _read_one(path)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base: expected the path of a recipe, not {base!r}")
    return _merged(_with_base(path.parent / base, (*based_on_it, path.resolve())), table)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own``, and what ``base`` adds to it."""
    merged = {**base, **own}
    for key, value in own.items():
        before = base.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and "kind" not in value:
            merged[key] = _merged(before, value)
    return merged


def _read_one(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); name a recipe such as configs/default.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error


def apply_overrides(table: dict[str, Any], overrides: Sequence[str]) -> None:
    """Set ``section.key=value`` pairs in ``table``, in place; values are TOML values, bare words are strings.

    Raises
    ------
    ConfigError
        An override is not of the form ``section.key=value``, or its list, table or string is not valid TOML.

    Examples
    --------
    >>> table = {"trainer": {"steps": 60000}}
    >>> apply_overrides(table, ["trainer.steps=500"])
    >>> table
    {'trainer': {'steps': 500}}
    """
    for override in overrides:
        dotted, separator, text = override.partition("=")
        keys = dotted.strip().split(".")
        if not separator or not all(keys):
            raise ConfigError(f"{override!r}: write it as section.key=value, for example optimizer.lr=3e-4")
        node = table
        for key in keys[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise ConfigError(f"{override!r}: {key!r} is a value, not a table")
        node[keys[-1]] = _parse_value(text.strip(), dotted.strip())


def build(cls: type[T], table: Mapping[str, Any], *, where: str = "") -> T:
    """Make the dataclass ``cls`` from a TOML table, checking names and types all the way down.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are scalars, tuples, dataclasses, tuples of dataclasses, or unions of
        dataclasses that a ``Literal`` field ``kind`` distinguishes.
    table : Mapping
        The TOML table; None stands for an optional value that is not given, as in JSON.
    where : str
        The table's dotted name, for messages.

    Raises
    ------
    ConfigError
        A key is unknown (the nearest known one is named), missing, or has a value of the wrong type.
    """
    hints = typing.get_type_hints(cls)
    known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
            raise ConfigError(f"{name}: unknown key; {hint}")
        values[key] = _convert(hints[key], value, name)
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"[{where or 'recipe'}]: {_missing(error)}") from error


def require_positive(where: str, config: Any, *names: str, or_zero: bool = False) -> None:
    """Raise ConfigError unless fields of a configuration are above 0, each number of those that hold several.

    Parameters
    ----------
    where : str
        The table's dotted name, for messages.
    *names : str
        The fields: numbers, or tuples of at least one.
    or_zero : bool
        Whether 0 will do.
    """
    for name in names:
        value = getattr(config, name)
        numbers = value if isinstance(value, tuple) else (value,)
        if not numbers:
            raise ConfigError(f"{where}.{name}: is empty; give at least one")
        for number in numbers:
            if not (number > 0 or (or_zero and number == 0)):
                least = "0 or more" if or_zero else "more than 0"
                raise ConfigError(f"{where}.{name}: {number:g}; give {least}")


def _missing(error: TypeError) -> str:
    text = str(error)
    return text[text.find("missing") :] if "missing" in text else text


def _parse_value(text: str, key: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if text.startswith(("[", "{", '"', "'")):  # no bare word
            raise ConfigError(f"{key}: {text!r} is not valid TOML: {error}") from error
        return text


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(typing.get_args(hint), value, name)
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name}: expected a table [{name}], not {value!r}")
        return build(cast(type[Any], hint), value, where=name)
    if origin is tuple:
        return _convert_tuple(typing.get_args(hint), value, name)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(
                f"{name}: {value!r} is not one of {', '.join(map(repr, typing.get_args(hint)))}"
            )
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is not Any and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise ConfigError(f"{name}: expected {hint.__name__}, not {json.dumps(value, default=str)}")
    return value


def _convert_union(options: tuple[Any, ...], value: Any, name: str) -> Any:
    """An optional value, or a table of the ``kind`` that it names; the first one by default."""
    if value is None and type(None) in options:
        return None
    tables = [option for option in options if option is not type(None)]
    if len(tables) == 1 or not isinstance(value, Mapping):
        return _convert(tables[0], value, name)
    of_kind = {_kind(table): table for table in tables}
    kind = value.get("kind", _kind(tables[0]))
    if kind not in of_kind:
        raise ConfigError(f"{name}.kind: {kind!r} is not one of {', '.join(map(repr, of_kind))}")
    return _convert(of_kind[kind], value, name)


def _kind(table: Any) -> Any:
    (own,) = [field.default for field in fields(table) if field.name == "kind"]
    return own


def _convert_tuple(kinds: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{name}: expected a list, not {value!r}")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_convert(kinds[0], item, f"{name}[{i}]") for i, item in enumerate(value))
    if len(value) != len(kinds):
        raise ConfigError(f"{name}: expected {len(kinds)} values, not {len(value)}")
    return tuple(
        _convert(kind, item, f"{name}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )
