"""Keeps the index of centroids level with the database, in memory and in a file beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import numpy as np

from voiceprint.errors import StoreError
from voiceprint.store.sqlite.index import SpeakerIndex
from voiceprint.store.sqlite.tables import SqliteTables
from voiceprint.store.tables import Header
from voiceprint.whole_file import sync_folder

__all__ = ["INDEX_NAME", "LiveIndex"]

INDEX_NAME = "voiceprints.faiss"

SMALL_DRIFT = 100
"""So many changed speakers are read from the database faster than the file is written anew."""


class LiveIndex:
    """The index of one open store.

    Nothing is read before the first search. From then on every search asks the database for its generation
    and applies what changed, by whichever process. The file is written on closing, when it is missing or when
    more than 100 speakers and more than one in a hundred changed since.

    Parameters
    ----------
    folder : Path
        The store.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX_NAME
        self._temporary = folder / f"{INDEX_NAME}.new"
        self._index: SpeakerIndex | None = None
        self._generation = -1
        self._drift: int | None = (
            None  # speakers changed since the file; None: there is no file to drift from
        )

    def current(self, tables: SqliteTables) -> SpeakerIndex | None:
        """Return the index as of this transaction; None while nobody was ever enrolled."""
        header = tables.header()
        if header.dim is None:
            return None
        if self._index is None:
            self._load(header, header.dim)
        if self._index is None or self._generation != header.generation:
            if not self._catch_up(tables, header.dim):
                self._rebuild(tables, header.dim)
            self._generation = header.generation
        return self._index

    def erase_file(self) -> None:
        """Delete the file, inside the transaction that takes a voice out of the database.

        Before the commit, so that a crash leaves at worst no index, never one with a removed voice. Nobody
        writes it meanwhile, for that needs the same write lock. The next search writes a new one.
        """
        try:
            for path in (self._path, self._temporary):
                path.unlink(missing_ok=True)
            sync_folder(self._path.parent)
        except OSError as error:
            raise StoreError(
                f"the index {self._path} cannot be erased ({error.strerror}), so nothing was changed; "
                "check that this user may write the folder",
                path=str(self._path.parent),
            ) from error
        self._drift = None

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

    def _worth_saving(self, size: int) -> bool:
        if self._drift is None or not self._path.exists():
            return True
        return self._drift > max(SMALL_DRIFT, size // 100)

    def _load(self, header: Header, dim: int) -> None:
        loaded = SpeakerIndex.load(self._path, store_id=header.id, dim=dim)
        if loaded is not None:
            self._index, self._generation = loaded
            self._drift = 0

    def _catch_up(self, tables: SqliteTables, dim: int) -> bool:
        changed = tables.changes_since(self._generation)
        if changed is None or self._index is None or self._index.dim != dim:
            return False
        self._index.discard(np.asarray(changed, dtype=np.int64))
        self._index.put(*tables.centroids(dim, only=changed))
        if self._drift is not None:
            self._drift += len(changed)
        return True

    def _rebuild(self, tables: SqliteTables, dim: int) -> None:
        self._index = SpeakerIndex(dim)
        self._index.put(*tables.centroids(dim))
        self._drift = None
