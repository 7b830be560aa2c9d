"""The two arrays of an npz export, written and read in pieces, so that size costs no memory."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

_DOCUMENT, _EMBEDDINGS = "document.npy", "embeddings.npy"
_MOST_TIMES_SMALLER = 100
"""By how much a member may have been compressed; text of an export shrinks to a tenth, embeddings hardly."""

_HEADER = re.compile(
    rb"\s*\{\s*'descr':\s*'(?P<kind>[^']{1,8})',\s*'fortran_order':\s*False,\s*"
    rb"'shape':\s*\((?P<shape>[0-9, ]{1,60})\),?\s*\}\s*"
)
_LONGEST_HEADER = 4096
MOST_DIM = 65_536
_ROWS = 256  # read at a time


class ArchiveWriter:
    """Collects a document and embeddings in files without a name, then writes both as npz.

    The files lie in `folder`, where there is room for both. The document is written to `document`.
    """

    def __init__(self, folder: Path) -> None:
        with ExitStack() as files:
            self.document: BinaryIO = files.enter_context(TemporaryFile(dir=folder))
            self._rows: BinaryIO = files.enter_context(TemporaryFile(dir=folder))
            self._files = files.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, embedding: NDArray[np.float32]) -> None:
        """Append an embedding (dim,)."""
        self._rows.write(np.ascontiguousarray(embedding, dtype="<f4").data)

    def write(self, file: BinaryIO, *, dim: int) -> None:
        """Write the npz file; raises OSError."""
        with zipfile.ZipFile(file, "w") as archive:
            rows = self._rows.tell() // (4 * dim)
            _write_member(archive, _EMBEDDINGS, self._rows, "<f4", (rows, dim))
            _write_member(archive, _DOCUMENT, self.document, "|u1", (self.document.tell(),))


def _write_member(
    archive: zipfile.ZipFile, name: str, content: BinaryIO, kind: str, shape: tuple[int, ...]
) -> None:
    content.seek(0)
    with archive.open(name, "w", force_zip64=True) as member:
        facts = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, facts)
        shutil.copyfileobj(content, member, 1 << 16)


class ArchiveReader:
    """The two arrays of an npz file, whose kinds and sizes are checked before anything is unpacked.

    ValueError, zipfile.BadZipFile or OSError if the file is not what it should be.
    """

    def __init__(self, file: BinaryIO) -> None:
        archive = zipfile.ZipFile(file)
        self.document, kind, shape = _open_member(archive, _DOCUMENT)
        if kind != "|u1" or len(shape) != 1:
            raise ValueError(f"document is {kind} of shape {shape}")
        self._rows, kind, shape = _open_member(archive, _EMBEDDINGS)
        if kind != "<f4" or len(shape) != 2 or not 0 < shape[1] <= MOST_DIM:
            raise ValueError(f"embeddings are {kind} of shape {shape}")
        self.n_rows, self.dim = shape

    def embeddings(self) -> Iterator[NDArray[np.float32]]:
        """Yield each embedding (dim,); raises as opening does."""
        for start in range(0, self.n_rows, _ROWS):
            rows = min(_ROWS, self.n_rows - start)
            block = self._rows.read(4 * self.dim * rows)
            if len(block) < 4 * self.dim * rows:
                raise ValueError("embeddings end too early")
            yield from np.frombuffer(block, dtype="<f4").reshape(rows, self.dim)
        self._rows.read(1)  # the end of a member is where its checksum is compared


def _open_member(archive: zipfile.ZipFile, name: str) -> tuple[IO[bytes], str, tuple[int, ...]]:
    """Open an array; returns where its elements begin, their kind, and its shape."""
    facts = archive.getinfo(name)
    if facts.flag_bits & 1 or facts.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is encrypted or compressed in another way than by deflate")
    if facts.file_size > _MOST_TIMES_SMALLER * (facts.compress_size + 1000):
        raise ValueError(
            f"{name} unpacks {facts.compress_size:,} bytes to {facts.file_size:,}, which no export does"
        )
    member = archive.open(facts)
    kind, shape, header = _read_header(member, name)
    item = {"|u1": 1, "<f4": 4}.get(kind, 0)
    elements = 1
    for length in shape:
        elements *= length
    if header + item * elements != facts.file_size:
        raise ValueError(f"{name} is {kind} of shape {shape}, but has {facts.file_size - header:,} bytes")
    return member, kind, shape


def _read_header(member: IO[bytes], name: str) -> tuple[str, tuple[int, ...], int]:
    """Read the header of an npy file: the elements' kind, the shape, and the header's size."""
    start = member.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError(f"{name} is no array")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(member.read(width), "little")
    header = _HEADER.fullmatch(member.read(length)) if length <= _LONGEST_HEADER else None
    if header is None:
        raise ValueError(f"{name} is an array of another kind than an export's")
    shape = tuple(int(text) for text in header["shape"].replace(b" ", b"").split(b",") if text)
    return header["kind"].decode("latin-1"), shape, 8 + width + length
