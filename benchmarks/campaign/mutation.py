"""Change bytes and documents at random, from a single bit to another shape."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["mutate_bytes", "mutate_value"]


def mutate_bytes(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Return changed bytes, and what was done to them.

    Parameters
    ----------
    data : bytes
        May be empty.
    draw : numpy.random.Generator
        What decides.
    """
    if not data:
        return draw.bytes(16), "16 random bytes in an empty file"
    kinds = list(_BYTES)
    kind = kinds[int(draw.choice(len(kinds), p=_WEIGHTS))]
    start = int(draw.integers(len(data)))
    length = min(len(data) - start, int(2 ** draw.uniform(0, 13)))
    return _BYTES[kind](data, start, length, draw), f"{kind} at {start}, {length} bytes"


def _flip(data: bytes, start: int, _length: int, draw: np.random.Generator) -> bytes:
    return data[:start] + bytes([data[start] ^ (1 << int(draw.integers(8)))]) + data[start + 1 :]


def _overwrite(data: bytes, start: int, length: int, draw: np.random.Generator) -> bytes:
    return data[:start] + draw.bytes(length) + data[start + length :]


def _move(data: bytes, start: int, length: int, draw: np.random.Generator) -> bytes:
    target = int(draw.integers(len(data)))
    return _splice(data, target, data[start : start + length])


def _splice(data: bytes, place: int, piece: bytes) -> bytes:
    return (data[:place] + piece + data[place + len(piece) :])[: max(len(data), place + len(piece))]


_BYTES: dict[str, Callable[[bytes, int, int, np.random.Generator], bytes]] = {
    "a bit flipped": _flip,
    "overwritten": _overwrite,
    "zeroed": lambda data, start, length, _: data[:start] + bytes(length) + data[start + length :],
    "cut off": lambda data, start, _length, _draw: data[:start],
    "taken out": lambda data, start, length, _: data[:start] + data[start + length :],
    "put in": lambda data, start, length, draw: data[:start] + draw.bytes(length) + data[start:],
    "copied elsewhere": _move,
    "appended": lambda data, _start, length, draw: data + draw.bytes(length),
}
_WEIGHTS = (0.4, 0.2, 0.1, 0.06, 0.06, 0.06, 0.06, 0.06)

_ODD_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"),
    "", " ", "nan", "1e999", "\u0000", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "\u202e", "/etc/passwd", "../..", "x" * 5000, [], {}, [[]], [None], {"": None}, "2026-13-45", b"".hex(),
)  # fmt: skip


def mutate_value(document: object, draw: np.random.Generator) -> object:
    """Return a copy of a document of dicts, lists and values with one place of it changed.

    Parameters
    ----------
    document : object
        As JSON or TOML reads it.
    draw : numpy.random.Generator
        What decides.
    """
    changed = copy.deepcopy(document)
    places = list(_places(changed))
    if not places:
        return _odd(draw)
    holder, key = places[int(draw.integers(len(places)))]
    kind = draw.random()
    if kind < 0.2:
        del holder[key]
    elif kind < 0.3:
        holder[key] = [copy.deepcopy(holder[key]), copy.deepcopy(holder[key])]
    elif kind < 0.4 and isinstance(holder, dict):
        holder[str(_odd(draw))] = holder[key]
    elif kind < 0.5 and isinstance(holder[key], int | float):
        holder[key] = holder[key] * float(draw.choice([-1, 10, 1e6, 1e-6])) + float(draw.integers(2))
    else:
        holder[key] = _odd(draw)
    return changed


def _odd(draw: np.random.Generator) -> object:
    return copy.deepcopy(_ODD_VALUES[int(draw.integers(len(_ODD_VALUES)))])


def _places(value: object, *, most: int = 50) -> list[tuple[Any, Any]]:
    """Return every place of a document: its holder and the key there; of a long list the first ones alone."""
    found: list[tuple[Any, Any]] = []
    items: list[tuple[Any, Any]]
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value[:most]))
    else:
        return []
    for key, item in items:
        found.append((value, key))
        found += _places(item)
    return found
