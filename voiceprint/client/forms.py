"""Forms of clips, sent piece by piece as they are read: no recording is held in memory."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from voiceprint.arguments import check_type

ClipFile = str | os.PathLike[str] | bytes | BinaryIO
"""A clip as it is given: a path, the bytes of a file, or a file that is open for reading."""

_PIECE = 64 << 10


class Form:
    """The fields and files of a request, as multipart/form-data (RFC 7578).

    It can be iterated over again, unless one of its files is a pipe: a request may have to be repeated.

    Parameters
    ----------
    fields : dict
        Texts by their names. A list comes several times; what is None is left out.
    files : list of tuple
        Names, and the clips that are sent under them.

    Raises
    ------
    OSError
        If a file cannot be read.
    ArgumentError
        If something is given that is no clip.
    """

    def __init__(self, fields: dict[str, object], files: list[tuple[str, ClipFile]]) -> None:
        self._boundary = secrets.token_hex(16)
        texts = [
            (name, _text(each))
            for name, value in fields.items()
            if value is not None
            for each in (value if isinstance(value, list | tuple) else [value])
        ]
        self._heads = [(self._head(f'name="{name}"') + text.encode() + b"\r\n") for name, text in texts]
        self._files = [(self._file_head(name, clip), _File(clip)) for name, clip in files]
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def content_type(self) -> str:
        """The header of that name."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def length(self) -> int | None:
        """How many bytes it has; None if a pipe is among its files."""
        sizes = [file.size for _, file in self._files]
        if None in sizes:
            return None
        heads = [*self._heads, *(head for head, _ in self._files), self._end]
        return sum(map(len, heads)) + sum(size + 2 for size in sizes if size is not None)

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent once more."""
        return self.length is not None

    def __iter__(self) -> Iterator[bytes]:
        """Yield its bytes in pieces."""
        yield from self._heads
        for head, file in self._files:
            yield head
            yield from file.pieces()
            yield b"\r\n"
        yield self._end

    def _head(self, disposition: str, kind: str = "") -> bytes:
        return f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{kind}\r\n".encode()

    def _file_head(self, name: str, clip: ClipFile) -> bytes:
        file = Path(_name_of(clip)).name.encode("utf-8", "replace").decode()
        for letter, code in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
            file = file.replace(letter, code)
        kind = "Content-Type: application/octet-stream\r\n"
        return self._head(f'name="{name}"; filename="{file or "clip"}"', kind)


class _File:
    """A clip, from where it stands."""

    def __init__(self, clip: ClipFile) -> None:
        check_type("clip", clip, (str, os.PathLike, bytes, io.IOBase), "a path, bytes or a binary file")
        self._clip = clip
        self._start = 0
        self.size: int | None = None
        if isinstance(clip, bytes):
            self.size = len(clip)
        elif isinstance(clip, str | os.PathLike):
            self.size = Path(clip).stat().st_size
        elif clip.seekable():
            self._start = clip.tell()
            self.size = clip.seek(0, os.SEEK_END) - self._start

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes."""
        if isinstance(self._clip, bytes):
            yield self._clip
        elif isinstance(self._clip, str | os.PathLike):
            with Path(self._clip).open("rb") as file:
                yield from _read(file)
        else:
            if self.size is not None:
                self._clip.seek(self._start)
            yield from _read(self._clip)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _name_of(clip: ClipFile) -> str:
    if isinstance(clip, str | os.PathLike):
        return os.fspath(clip)
    name = getattr(clip, "name", "")
    return name if isinstance(name, str) else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
