"""The tensors of a torch checkpoint, read as data: without torch, and without running what a file says.

``torch.save`` writes a zip archive: ``data.pkl``, a pickle that describes the tensors, and ``data/KEY``,
their numbers. The pickle is not loaded. Its instructions are followed here, one by one, and all that they can
make is dicts, tuples, text, numbers and tensors; whatever else a pickle can do is refused.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_tensors"]

_TYPES = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ByteStorage": "<u1",
}
_REBUILD = "torch._utils _rebuild_tensor_v2"
_ORDERED = "collections OrderedDict"
_FOUND = {*_TYPES, _REBUILD, _ORDERED}


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Read the tensors of a file that ``torch.save`` wrote of a dict of them.

    Parameters
    ----------
    data : bytes
        The content of the file.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        It is no such file, damaged, or holds something other than tensors.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError("it is no checkpoint of torch, or a damaged one") from error


def _read(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    described = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(described) != 1:
        raise ValueError("it is no checkpoint of torch: it holds no data.pkl")
    folder = described[0].removesuffix("data.pkl")

    def read_numbers(storage: _Storage) -> NDArray[Any]:
        name = f"{folder}data/{storage.key}"
        if name not in archive.namelist():
            raise ValueError(f"it is damaged: it holds no {name}")
        return np.frombuffer(archive.read(name), dtype=storage.kind)

    found = _Reader(read_numbers).read(archive.read(described[0]))
    if not isinstance(found, dict) or not all(isinstance(value, np.ndarray) for value in found.values()):
        raise ValueError("it holds something other than a dict of tensors")
    return found


@dataclass(frozen=True, slots=True)
class _Named:
    """What a pickle would import: one of the few names that are known here."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Where the numbers of a tensor stand, and of which type they are."""

    kind: str
    key: str


class _Reader:
    """Follows the instructions of a pickle that describes tensors."""

    def __init__(self, read_numbers: Callable[[_Storage], NDArray[Any]]) -> None:
        self.read_numbers = read_numbers
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self, pickled: bytes) -> Any:
        """Follow the instructions to their end; ValueError where one is not known here, or has no sense."""
        try:
            for name, argument in _instructions(pickled):
                if name == "STOP":
                    break
                self._follow(name, argument)
            (result,) = self.stack
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is damaged: its description of the tensors makes no sense") from error
        return result

    def _follow(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in {"PROTO", "FRAME"}:
            pass
        elif name in {"BINPUT", "LONG_BINPUT"}:
            self.memo[argument] = self.stack[-1]
        elif name in {"BINGET", "LONG_BINGET"}:
            self.stack.append(self.memo[argument])
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            self.stack.append(tuple(self._pop(int(name[-1]))))
        elif name in _HANDLERS:
            _HANDLERS[name](self, argument)
        else:
            raise ValueError(f"it asks for {name}, which no tensor needs; it is not read")

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError
        popped = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return popped

    def _pop_to_mark(self) -> list[Any]:
        return self._pop(len(self.stack) - self.marks.pop())

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def join(self, _: Any) -> None:
        self.stack.append((*self._pop_to_mark(),))

    def set_item(self, _: Any) -> None:
        key, value = self._pop(2)
        self.stack[-1][key] = value

    def set_items(self, _: Any) -> None:
        items = self._pop_to_mark()
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def find(self, name: str) -> None:
        if name not in _FOUND:
            raise ValueError(f"it asks for {name.replace(' ', '.')}, which is no tensor; it is not read")
        self.stack.append(_Named(name))

    def storage(self, _: Any) -> None:
        """A storage's persistent id: ("storage", its type, its key, its device, how many numbers)."""
        kind, named, key, _device, _count = self.stack.pop()
        if kind != "storage" or not isinstance(key, str):
            raise ValueError("it is damaged: a tensor is said to be stored nowhere")
        self.stack.append(_Storage(_TYPES[named.name], key))

    def call(self, _: Any) -> None:
        named, arguments = self._pop(2)
        if named == _Named(_ORDERED) and not arguments:
            self.stack.append({})
        elif named == _Named(_REBUILD):
            self.stack.append(self._tensor(*arguments[:4]))
        else:
            raise ValueError("it calls something that makes no tensor; it is not read")

    def build(self, _: Any) -> None:
        """The attributes of a state dict, which say nothing of its tensors, are left out."""
        self._pop(1)
        if not isinstance(self.stack[-1], dict):
            raise TypeError

    def _tensor(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> NDArray[Any]:
        numbers = self.read_numbers(storage)
        if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
            raise ValueError(f"it is damaged: a tensor of shape {shape} with strides {strides}")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if all(shape) and last >= len(numbers):
            raise ValueError(f"it is damaged: a tensor of shape {shape} has {len(numbers)} numbers")
        size = numbers.itemsize
        view = np.lib.stride_tricks.as_strided(
            numbers[offset:], shape, [step * size for step in strides], writeable=False
        )
        return np.array(view)


_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = {"BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "LONG1"}
_HANDLERS: Mapping[str, Callable[[_Reader, Any], None]] = {
    "MARK": _Reader.mark,
    "TUPLE": _Reader.join,
    "SETITEM": _Reader.set_item,
    "SETITEMS": _Reader.set_items,
    "GLOBAL": _Reader.find,
    "BINPERSID": _Reader.storage,
    "REDUCE": _Reader.call,
    "BUILD": _Reader.build,
}


def _instructions(pickled: bytes) -> Iterator[tuple[str, Any]]:
    """Names and arguments of a pickle's instructions; ValueError where it ends too early."""
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            yield opcode.name, argument
    except ValueError as error:  # of what only pickletools has words for
        raise ValueError("it is damaged: its description of the tensors breaks off") from error
