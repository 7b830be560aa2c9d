"""SqliteBackend: a folder with an SQLite file and the index derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voiceprint.errors import StoreError
from voiceprint.store.sqlite.database import Database
from voiceprint.store.sqlite.live_index import LiveIndex
from voiceprint.store.sqlite.schema import SCHEMA_VERSION
from voiceprint.store.sqlite.tables import SqliteTables

__all__ = ["SqliteBackend"]

ERASE_SECONDS = 10.0
"""How long a removal waits for other processes that still read an older state."""


class SqliteBackend:
    """The voiceprints in a folder; `voiceprint.store.backend.Backend` says what the methods are for.

    Parameters
    ----------
    folder : Path
        Created unless `read_only`.
    read_only : bool
        Refuse changes. A store that cannot be written is opened so whether asked or not.

    Raises
    ------
    StoreError, StoreDamagedError
        If it is missing, inaccessible, busy, of a newer format, or damaged.
    """

    schema_version = SCHEMA_VERSION

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"the store {folder} is a file", advice="name a folder", path=str(folder))
        self.place = folder
        self._database = Database(folder, read_only=read_only)
        self._live = LiveIndex(folder)
        if not self.read_only:
            # A process that was killed while it removed somebody left the voice in the index; where it cannot
            # be taken out, the next removal says so.
            try:
                with suppress(OSError), self.reading() as tables:
                    self._live.strike_out(tables)
            except BaseException:
                self._database.close()
                raise

    @property
    def read_only(self) -> bool:
        """Whether changes are refused, because that was asked for or because the files cannot be written."""
        return self._database.read_only

    @contextmanager
    def reading(self) -> Iterator[SqliteTables]:
        """Hold one unchanging view of the tables."""
        with self._database.reading() as connection:
            yield SqliteTables(connection, self._live)

    @contextmanager
    def writing(self) -> Iterator[SqliteTables]:
        """Make one change."""
        with self._database.writing() as connection:
            yield SqliteTables(connection, self._live)

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""
        self._database.check_writable()

    def after_removal(self, done: str) -> None:
        """Strike it out of the index, merge the write-ahead log and empty it: then no file holds it."""
        try:
            with self.reading() as tables:
                self._live.strike_out(tables)
        except OSError as error:
            raise StoreError(
                f"{done}, but the index in {self.place} cannot be written ({error.strerror}) and still holds "
                "the old voice, which nobody can find there; check that this user may write the folder, then "
                "open the store again",
                path=str(self.place),
            ) from error
        if not self._database.erase(seconds=ERASE_SECONDS):
            raise StoreError(
                f"{done}, but other processes kept reading the store {self.place} for {ERASE_SECONDS:g} s, "
                "so old bytes remain in its write-ahead log; they go when it is next opened while nobody "
                "reads it",
                path=str(self.place),
            )

    def erase(self) -> None:
        """Do what each removal does already."""
        self.after_removal("erasing did not finish")

    def problems(self) -> list[str]:
        """Check the whole file and compare the index with it."""
        found = self._database.integrity_problems()
        with self.reading() as tables:
            index = self._live.current(tables)
            if index is not None and len(index) != tables.count():
                found.append("the index does not hold the same people as the database")
        return found

    def bytes_on_disk(self) -> int:
        """Count the bytes of database, log and index."""
        return sum(file.stat().st_size for file in self.place.glob("voiceprints.*"))

    def close(self) -> None:
        """Write the index if that is worth it, and close the database."""
        if not self.read_only:
            self._live.save(self.writing)
        self._database.close()
