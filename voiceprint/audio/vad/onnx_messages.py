"""Just enough of the ONNX file format to read weights out of one graph and to write another.

An ONNX file is Protocol Buffers: messages of numbered fields. The numbers stand in onnx.proto, which keeps
them for good. The onnx package would do all of this and more, for 17 MB that nothing else needs at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = int | str | bytes | memoryview
"""What a field holds: a number, text, or a message of its own."""

Attribute = int | str | Sequence[int]

_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_DTYPES: dict[int, np.dtype[Any]] = {_FLOAT: np.dtype("<f4"), _INT64: np.dtype("<i8")}
_IR_VERSION, _OPSET = 8, 16

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


def fields(data: bytes | memoryview) -> Iterator[tuple[int, Field]]:
    """Yield the fields of a message, (number, what it holds); messages in it stay unread bytes."""
    view, place = memoryview(data), 0
    while place < len(view):
        key, place = _read_varint(view, place)
        if key & 7 == _VARINT:
            value, place = _read_varint(view, place)
            yield key >> 3, value
            continue
        if key & 7 == _BYTES:
            size, place = _read_varint(view, place)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}[key & 7]
        yield key >> 3, view[place : place + size]
        place += size


def message(*parts: tuple[int, Field]) -> bytes:
    """Write a message of fields, (number, what it holds)."""
    return b"".join(_written(number, value) for number, value in parts)


def text(value: Field) -> str:
    """Return a field that holds text as such."""
    return bytes(value).decode() if isinstance(value, bytes | memoryview) else str(value)


def read_tensor(data: Field) -> NDArray[np.generic]:
    """Read a TensorProto of floats or 64-bit integers; ValueError if it holds something else."""
    dims: list[int] = []
    dtype = 0
    raw = b""
    for number, value in fields(_as_bytes(data)):
        if number == 1:  # packed, or one at a time
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2:
            dtype = int(value)
        elif number == 9:
            raw = bytes(_as_bytes(value))
    if dtype not in _DTYPES or not raw:
        raise ValueError(f"a tensor of type {dtype} in {len(raw)} bytes cannot be read")
    return np.frombuffer(raw, dtype=_DTYPES[dtype]).reshape(dims)


def node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Attribute]
) -> bytes:
    """Write a NodeProto."""
    return message(
        *((1, name) for name in inputs),
        *((2, name) for name in outputs),
        (4, operator),
        *((5, _attribute(name, value)) for name, value in attributes.items()),
    )


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    """Write a ValueInfoProto of floats; a dimension that is text may be any size."""
    dims = [(1, message((1, size) if isinstance(size, int) else (2, size))) for size in shape]
    tensor = message((1, _FLOAT), (2, message(*dims)))
    return message((1, name), (2, message((1, tensor))))


def graph(
    nodes: Sequence[bytes],
    weights: Mapping[str, NDArray[np.generic]],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> bytes:
    """Write a GraphProto."""
    return message(
        *((1, each) for each in nodes),
        (2, "graph"),
        *((5, _tensor(name, array)) for name, array in weights.items()),
        *((11, each) for each in inputs),
        *((12, each) for each in outputs),
    )


def model(of: bytes) -> bytes:
    """Write a ModelProto around a graph: the content of an ONNX file."""
    return message((1, _IR_VERSION), (7, of), (8, message((1, ""), (2, _OPSET))))


def _as_bytes(value: Field) -> bytes | memoryview:
    if isinstance(value, int | str):
        raise ValueError(f"{value!r} stands where a message was expected")
    return value


def _read_varint(view: memoryview, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; returns it, and the place behind it."""
    value = shift = 0
    while True:
        byte = view[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _varints(packed: Field) -> Iterator[int]:
    view, place = memoryview(_as_bytes(packed)), 0
    while place < len(view):
        value, place = _read_varint(view, place)
        yield value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _written(number: int, value: Field) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _tensor(name: str, array: NDArray[np.generic]) -> bytes:
    (kind,) = (kind for kind, dtype in _DTYPES.items() if dtype == array.dtype)
    dims = [(1, size) for size in array.shape]
    return message(*dims, (2, kind), (8, name), (9, array.tobytes()))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return message((1, name), (3, value), (20, 2))
    if isinstance(value, str):
        return message((1, name), (4, value), (20, 3))
    return message((1, name), *((8, each) for each in value), (20, 7))
