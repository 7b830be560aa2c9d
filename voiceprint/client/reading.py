"""JSON into values: each field is read as its type says."""

from __future__ import annotations

import dataclasses
import json
import types
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from voiceprint.client.errors import ClientError

Value = TypeVar("Value")


def read_reply(kind: type[Value], body: bytes, *, url: str) -> Value:
    """Make a value out of a body that came from an address; ClientError where it is no such answer."""
    try:
        return read_value(kind, json.loads(body))
    except ValueError as error:
        raise ClientError(f"{url} answered something else than voiceprint does ({error})", url=url) from error


def read_value(kind: type[Value], document: Any) -> Value:
    """Make a value of a dataclass out of what JSON holds.

    A field that the dataclass does not have is left out, because a newer server may say more.

    Raises
    ------
    ValueError
        If a field is missing, or holds something else.

    Examples
    --------
    >>> from voiceprint.client.replies import TurnReply
    >>> read_value(TurnReply, {"start": 0, "stop": 1.5, "speaker": "ada", "new": 1})
    TurnReply(start=0.0, stop=1.5, speaker='ada')
    """
    found: Value = _read(kind, document, kind.__name__)
    return found


def _read(kind: Any, value: Any, place: str) -> Any:
    origin = get_origin(kind)
    if origin in (types.UnionType, Union):
        (some,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _read(some, value, place)
    if origin is tuple:
        each = get_args(kind)[0]
        return tuple(_read(each, item, place) for item in _of(list, value, place))
    if origin is not None:  # Literal: a newer server may know another word
        return _of(str, value, place)
    if kind is datetime:
        return datetime.fromisoformat(_of(str, value, place))
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, _of(dict, value, place), place)
    return float(_of((int, float), value, place)) if kind is float else _of(kind, value, place)


def _read_fields(kind: Any, document: dict[str, Any], place: str) -> Any:
    hints = _hints(kind)
    given = {
        name: _read(hint, document[name], f"{place}.{name}")
        for name, hint in hints.items()
        if name in document
    }
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{place}: {error}") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return {field.name: get_type_hints(kind)[field.name] for field in dataclasses.fields(kind)}


def _of(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{place} is {value!r}")
    return value
