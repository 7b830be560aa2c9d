"""The file of an index: mapped into memory, read by all processes in one copy, struck out row by row.

It holds a header, the speakers' ids, a check of each row, and FAISS's serialisation of an
`IndexScalarQuantizer`, which ends in the rows: centroids in half precision. Nothing of it is trusted that its
digest or a row's check does not cover.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.files.whole import sync_folder, whole_file
from voiceprint.store.sqlite.rows import find_faiss, import_faiss, row_bytes

_MAGIC = b"VPINDEX2"
_FACTS = struct.Struct("<8s16sqqq")
"""Magic, the store's id, its generation, people, bytes of FAISS's serialisation before the rows."""
_DIGEST_SIZE = 32
_MARKS = struct.Struct("<qQ")
"""Until which generation people are struck out, and how often that was begun; both change in place."""
_MARKS_AT = _FACTS.size + _DIGEST_SIZE
_HEADER_SIZE = 128
_STRUCK = 0
"""The check of a row that was struck out."""
_CHUNK = 65_536  # rows checked at a time
_MOST_PREFIX = 4096  # bytes of FAISS's serialisation before the rows; it writes 81


class IndexFile:
    """A sound index file, mapped.

    Attributes
    ----------
    ids : ndarray of shape (n,), int64
        Speakers, in the order of the rows.
    index : faiss.IndexScalarQuantizer
        The rows, read where they lie in the file.
    generation : int
        The store's generation of which it holds everybody.
    """

    def __init__(self, mapped: mmap.mmap, *, dim: int) -> None:
        _, _, self.generation, people, prefix = _FACTS.unpack_from(mapped)
        self._mapped = mapped
        self._raw = np.frombuffer(mapped, dtype=np.uint8)
        self.ids: NDArray[np.int64] = self._raw[_HEADER_SIZE : _HEADER_SIZE + 8 * people].view("<i8")
        at = _HEADER_SIZE + 8 * people
        self._checks = self._raw[at : at + 8 * people].view("<u8")
        self._rows = self._raw[at + 8 * people + prefix :].reshape(people, 2 * dim)
        faiss = import_faiss()
        serialised = self._raw[at + 8 * people :]
        reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(serialised), len(serialised))
        self.index: Any = faiss.read_index(reader, faiss.IO_FLAG_MMAP_IFC)

    @classmethod
    def open(cls, path: Path, *, store_id: bytes, dim: int) -> IndexFile | None:
        """Map a file; None if it is missing, damaged, of an older format or another store, or FAISS is."""
        mapped = None if find_faiss() is None else _mapped(path)
        if mapped is None or not _is_sound(mapped, store_id=store_id, dim=dim):
            return None
        opened = cls(mapped, dim=dim)
        return opened if opened.index.d == dim and opened._rows_are_sound() else None

    @property
    def strikes(self) -> int:
        """How often somebody began to strike people out, by whichever process."""
        return int(_MARKS.unpack_from(self._mapped, _MARKS_AT)[1])

    def struck(self) -> NDArray[np.int64]:
        """Return the ids of those who are struck out."""
        return np.asarray(self.ids[self._checks == _STRUCK])

    def _rows_are_sound(self) -> bool:
        for start in range(0, len(self.ids), _CHUNK):
            part = slice(start, start + _CHUNK)
            checks = self._checks[part]
            if not ((checks == _checks(self.ids[part], self._rows[part])) | (checks == _STRUCK)).all():
                return False
        return True


def write_index(
    path: Path, index: Any, ids: NDArray[np.int64], *, store_id: bytes, generation: int, temporary: Path
) -> None:
    """Write a file such that no half-written one is ever at `path`; raises OSError if it cannot.

    Parameters
    ----------
    index : faiss.IndexScalarQuantizer
        In half precision, holding its rows.
    ids : ndarray of shape (n,), int64
        Speakers, in the order of the rows.
    """
    faiss, rows = import_faiss(), row_bytes(index)
    with whole_file(path, mode=0o600, temporary=temporary) as file:
        file.write(bytes(_HEADER_SIZE))
        file.write(np.ascontiguousarray(ids, dtype="<i8").data)
        for start in range(0, len(ids), _CHUNK):
            part = slice(start, start + _CHUNK)
            file.write(_checks(ids[part], rows[part]).astype("<u8").data)
        begun, head = file.tell(), bytearray()

        def write(chunk: bytes) -> int:
            head.extend(chunk[: _MOST_PREFIX - len(head)])
            return file.write(chunk)

        faiss.write_index(index, faiss.PyCallbackIOWriter(write))
        prefix = file.tell() - begun - rows.size
        facts = _FACTS.pack(_MAGIC, store_id, generation, len(ids), prefix)
        file.seek(0)
        file.write(facts + _digest(facts, bytes(head[:prefix])) + _MARKS.pack(generation, 0))
    sync_folder(path.parent)


def struck_until(path: Path, *, store_id: bytes) -> int | None:
    """Return the generation until which people who changed are struck out; None if that cannot be known.

    It is not known of a file whose header is damaged: where its rows lie is then unknown as well.
    """
    mapped = _mapped(path)
    if mapped is None:
        return None
    with mapped:
        if not _header_is_sound(mapped, store_id=store_id):
            return None
        return int(_MARKS.unpack_from(mapped, _MARKS_AT)[0])


def strike_out(path: Path, changed: Collection[int], *, until: int) -> None:
    """Overwrite the rows of people with zeros, and make that last; raises OSError if it cannot.

    Other processes see the count of strikes grow before a row is touched. A process that is killed meanwhile
    leaves whole rows, and rows that are marked as struck out.

    Parameters
    ----------
    changed : collection of int
        Speakers who changed or were removed; ids that the file does not hold do not matter.
    until : int
        The generation of that.
    """
    with path.open("r+b", buffering=0) as file:
        descriptor = file.fileno()
        header = os.pread(descriptor, _HEADER_SIZE, 0)
        _, _, _, people, prefix = _FACTS.unpack_from(header)
        before, strikes = _MARKS.unpack_from(header, _MARKS_AT)
        ids = np.frombuffer(os.pread(descriptor, 8 * people, _HEADER_SIZE), dtype="<i8")
        places = np.flatnonzero(np.isin(ids, list(changed)))
        if len(places):
            strikes += 1
            os.pwrite(descriptor, _MARKS.pack(before, strikes), _MARKS_AT)
            checks_at = _HEADER_SIZE + 8 * people
            rows_at = checks_at + 8 * people + prefix
            row_size = (os.fstat(descriptor).st_size - rows_at) // people
            for place in places.tolist():
                os.pwrite(descriptor, bytes(8), checks_at + 8 * place)
                os.pwrite(descriptor, bytes(row_size), rows_at + row_size * place)
            os.fsync(descriptor)
        os.pwrite(descriptor, _MARKS.pack(until, strikes), _MARKS_AT)


def _mapped(path: Path) -> mmap.mmap | None:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None


def _is_sound(mapped: mmap.mmap, *, store_id: bytes, dim: int) -> bool:
    if not _header_is_sound(mapped, store_id=store_id):
        return False
    _, _, _, people, prefix = _FACTS.unpack_from(mapped)
    size: int = _HEADER_SIZE + 16 * people + prefix + people * 2 * dim
    return len(mapped) == size


def _header_is_sound(mapped: mmap.mmap, *, store_id: bytes) -> bool:
    """Tell whether a file is of a store, and all before its rows is as it was written."""
    if len(mapped) < _HEADER_SIZE:
        return False
    magic, owner, _, people, prefix = _FACTS.unpack_from(mapped)
    if (magic, owner) != (_MAGIC, store_id) or not 0 <= prefix <= _MOST_PREFIX or people < 0:
        return False
    at = _HEADER_SIZE + 16 * people
    rows = len(mapped) - at - prefix
    if rows < 0 or rows % max(people, 1):
        return False
    facts, digest = mapped[: _FACTS.size], mapped[_FACTS.size : _FACTS.size + _DIGEST_SIZE]
    return digest == _digest(facts, mapped[at : at + prefix])


def _digest(facts: bytes, serialised: bytes) -> bytes:
    return hashlib.sha256(facts + serialised).digest()


def _checks(ids: NDArray[np.int64], rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash rows (n, bytes) with their ids: a sum of words by powers of an odd number, so any bit counts."""
    words = rows.view(f"<u{math.gcd(rows.shape[1], 8)}")
    powers = np.cumprod(np.full(words.shape[1] + 1, 0x9E3779B97F4A7C15, dtype=np.uint64))
    return np.asarray(words @ powers[1:] + ids.astype(np.uint64) * powers[0], dtype=np.uint64)
