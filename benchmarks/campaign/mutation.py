"""Change bytes and documents at random, from a single bit to another shape."""

from __future__ import annotations

import copy
import io
import json
import tomllib
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import tomli_w


def mutate_bytes(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Return changed bytes, and what was done to them."""
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
    """Return a copy of a document of dicts, lists and values with one place of it changed."""
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


def mutate_document(name: str, data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Return a changed document, and what was done to it: to its bytes, its text or its structure.

    Parameters
    ----------
    name : str
        The file's name, whose ending tells what it is.
    """
    kind = draw.random()
    suffix = name.rpartition(".")[2]
    if kind < 0.3 or suffix == "onnx":
        return mutate_bytes(data, draw)
    if suffix == "npz":
        return _mutate_archive(data, draw)
    if kind < 0.45:
        encoding = _ENCODINGS[int(draw.integers(len(_ENCODINGS)))]
        return data.decode().encode(encoding, "replace"), f"in {encoding}"
    return _mutate_structure(data, draw) if suffix in ("json", "toml") else _mutate_lines(data, draw)


def _mutate_structure(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Change a value of a JSON or TOML document; of what TOML cannot hold, a byte."""
    if data.lstrip().startswith(b"{"):
        return json.dumps(mutate_value(json.loads(data), draw)).encode(), "another value"
    changed: Any = mutate_value(tomllib.loads(data.decode()), draw)
    try:
        return tomli_w.dumps(changed).encode(), "another value"
    except (TypeError, ValueError, AttributeError):
        return mutate_bytes(data, draw)


MANY_ZEROS = 300_000_000
"""Bytes that pack into a small file, and must not be unpacked for it."""

_ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "cp037")
_SEPARATORS = (b" ", b",", b"\t", b";", b": ")
_ENDS = (b"\r\n", b"\r", b"\x00", b"\n\n", b"\x0b", b"\xc2\x85")


def _mutate_lines(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Change a field of a line, the order or the number of lines, or what stands between them."""
    lines = data.split(b"\n")
    place, kind = int(draw.integers(len(lines))), draw.random()
    if kind < 0.15:
        end = _ENDS[int(draw.integers(len(_ENDS)))]
        return end.join(lines), f"lines end with {end!r}"
    if kind < 0.3:
        return b"\n".join([*lines[:place], lines[place], *lines[place:]]), f"line {place + 1} twice"
    if kind < 0.4:
        return b"\n".join(lines[:place] + lines[place + 1 :]), f"without line {place + 1}"
    separator = _SEPARATORS[int(draw.integers(len(_SEPARATORS)))]
    fields = lines[place].split(separator)
    field = int(draw.integers(len(fields)))
    value = str(_odd(draw)).encode("utf-8", "replace")
    fields[field : field + 1] = [] if kind < 0.5 else [value]
    lines[place] = separator.join(fields)
    return b"\n".join(lines), f"field {field + 1} of line {place + 1} became {value!r:.40}"


def _mutate_archive(data: bytes, draw: np.random.Generator) -> tuple[bytes, str]:
    """Change what is in a zip file, and keep the file sound."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, kind = list(members)[int(draw.integers(len(members)))], draw.random()
    method, how = zipfile.ZIP_DEFLATED, "packed in another way"
    if kind < 0.4:
        members[name], how = mutate_bytes(members[name], draw)
    elif kind < 0.6:
        members[name], how = members[name][:128] + bytes(MANY_ZEROS), "many zeros in it"
    elif kind < 0.7:
        members[f"more/{name}"], how = members.pop(name), "under another name"
    elif kind < 0.85:
        header = members[name][:128].replace(b"(", b"(9999999999, ", 1)
        members[name], how = header[:128] + members[name][128:], "another shape"
    else:
        method = [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][int(draw.integers(3))]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return packed.getvalue(), f"{name}: {how}"
