"""Keeps the index of centroids level with the database, in memory and in a file beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import StoreError
from voiceprint.files.whole import sync_folder
from voiceprint.store.sqlite.index import SpeakerIndex
from voiceprint.store.sqlite.index_file import IndexFile, strike_out, struck_until
from voiceprint.store.sqlite.rows import find_faiss
from voiceprint.store.sqlite.tables import SqliteTables
from voiceprint.store.tables import Header

INDEX_NAME = "voiceprints.faiss"

SMALL_DRIFT = 100
"""So many changed speakers are read from the database faster than the file is written anew."""


class LiveIndex:
    """The index of one open store.

    Nothing is read before the first search. From then on every search asks the database for its generation
    and applies what changed, by whichever process. The file is written on closing, when it is missing or when
    more than 100 speakers and more than one in a hundred changed since.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_NAME
        self._temporary = folder / f"{INDEX_NAME}.new"
        self._index: SpeakerIndex | None = None
        self._file: IndexFile | None = None
        self._strikes, self._struck = -1, np.empty(0, dtype=np.int64)
        self._generation = -1
        # Speakers who changed since the file was written; None: there is no file to drift from.
        self._drift: int | None = None

    def candidates(
        self, tables: SqliteTables, query: NDArray[np.float32], *, top: int, exact: bool
    ) -> NDArray[np.int64]:
        """Ask the index as of this transaction who may be nearest."""
        while True:
            index = self.current(tables)
            if index is None or len(index) == 0:
                return np.empty(0, dtype=np.int64)
            candidates = index.candidates(query, top=top, exact=exact)
            # Rows that another process struck out meanwhile may have been read as zeros.
            if self._file is None or self._file.strikes == self._strikes:
                return candidates

    def current(self, tables: SqliteTables) -> SpeakerIndex | None:
        """Return the index as of this transaction; None while nobody was ever enrolled."""
        header = tables.header()
        if header.dim is None:
            return None
        if self._index is None:
            self._load(header, header.dim)
        if self._generation != header.generation:
            if not self._catch_up(tables, header.dim):
                self._rebuild(tables, header.dim)
            self._generation = header.generation
        if self._index is not None and self._file is not None and self._file.strikes != self._strikes:
            self._read_struck(tables, self._index, self._file)
        if self._index is not None and len(self._index) != header.n_speakers - tables.earlier_count():
            self._rebuild(tables, header.dim)
        return self._index

    def strike_out(self, tables: SqliteTables) -> None:
        """Overwrite in the file whoever changed since it was written, as of this transaction.

        After the commit that took a voice out: a voice that is in the file alone cannot be identified,
        but one that is struck out and still in the database would be missed.
        """
        header = tables.header()
        until = struck_until(self._path, store_id=header.id)
        if until == header.generation:
            return
        self._temporary.unlink(missing_ok=True)
        if until is None or until > header.generation:  # damaged, or of a history that was lost
            self._erase_file()
        else:
            changed = tables.changes_since(until)
            if changed is None:
                self._erase_file()
            else:
                strike_out(self._path, changed, until=header.generation)

    def save(self, writing: Callable[[], AbstractContextManager[SqliteTables]]) -> None:
        """Write the file if it is missing or far behind; where that fails, the next opening is slower."""
        if self._index is None or not self._worth_saving(len(self._index)):
            return
        with suppress(StoreError, OSError), writing() as tables:
            index = self.current(tables)
            if index is not None:
                store_id = tables.header().id
                index.save(
                    self._path, store_id=store_id, generation=self._generation, temporary=self._temporary
                )
                self._drift = 0

    def _erase_file(self) -> None:
        if self._path.exists():
            self._path.unlink()
            sync_folder(self._path.parent)
        self._drift = None

    def _worth_saving(self, size: int) -> bool:
        if find_faiss() is None:
            return False
        if self._drift is None or not self._path.exists():
            return True
        return self._drift > max(SMALL_DRIFT, size // 100)

    def _load(self, header: Header, dim: int) -> None:
        self._file = IndexFile.open(self._path, store_id=header.id, dim=dim)
        if self._file is not None:
            self._index, self._generation = SpeakerIndex(dim, file=self._file), self._file.generation
            self._strikes, self._struck, self._drift = -1, np.empty(0, dtype=np.int64), 0

    def _catch_up(self, tables: SqliteTables, dim: int) -> bool:
        changed = tables.changes_since(self._generation)
        if changed is None or self._index is None or self._index.dim != dim or self._index.worn:
            return False
        self._read(tables, self._index, changed)
        return True

    def _read_struck(self, tables: SqliteTables, index: SpeakerIndex, file: IndexFile) -> None:
        """Read those from the database whose rows in the file somebody struck out since the last time."""
        self._strikes = file.strikes
        struck = file.struck()
        self._read(tables, index, np.setdiff1d(struck, self._struck).tolist())
        self._struck = struck

    def _read(self, tables: SqliteTables, index: SpeakerIndex, changed: list[int]) -> None:
        """Read those of the changed who still exist, and whoever came after the last of the index."""
        index.discard(np.asarray(changed, dtype=np.int64))
        last = index.last_id
        known = [speaker_id for speaker_id in changed if speaker_id <= last]
        read = 0
        of_known = tables.centroids(index.dim, only=known)
        for ids, centroids in chain(of_known, tables.centroids(index.dim, after=last)):
            index.put(ids, centroids)
            read += len(ids)
        if self._drift is not None:
            self._drift += max(read, len(changed))

    def _rebuild(self, tables: SqliteTables, dim: int) -> None:
        self._index, self._file, self._drift = SpeakerIndex(dim), None, None
        for ids, centroids in tables.centroids(dim):
            self._index.put(ids, centroids)
