"""Read plain data, such as a card's TOML, and say where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voiceprint.errors import CalibrationError


def check_keys(data: Any, names: Sequence[str], where: str, *, optional: Sequence[str] = ()) -> None:
    """Refuse what is not a table of these keys, but for the optional ones exactly."""
    if not isinstance(data, Mapping):
        raise CalibrationError(f"{where} is {data!r}; it must be a table")
    missing, unknown = sorted(set(names) - set(data)), sorted(set(data) - {*names, *optional})
    if missing or unknown:
        raise CalibrationError(f"{where}: missing keys {missing}, unknown keys {unknown}")


def read_sequence(value: Any, where: str) -> Sequence[Any]:
    """Refuse what is not a list."""
    if not isinstance(value, list | tuple):
        raise CalibrationError(f"{where} is {value!r}; it must be a list")
    return value


def read_number(value: Any, where: str) -> float:
    """Refuse what is not a number."""
    # bool is an int in Python, and no number in TOML.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CalibrationError(f"{where} is {value!r}; it must be a number")
    return float(value)


def read_integer(value: Any, where: str) -> int:
    """Refuse what is not a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise CalibrationError(f"{where} is {value!r}; it must be a whole number")
    return value


def read_boolean(value: Any, where: str) -> bool:
    """Refuse what is not true or false."""
    if not isinstance(value, bool):
        raise CalibrationError(f"{where} is {value!r}; it must be true or false")
    return value
