"""SqliteBackend: a folder with an SQLite file and the index derived from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voiceprint.errors import StoreDamagedError, StoreError
from voiceprint.files.text import read_text
from voiceprint.files.workspace import sweep_workspaces
from voiceprint.store.files import write_private
from voiceprint.store.sqlite.copies import COPY, copy_database, replace_rows
from voiceprint.store.sqlite.database import Database
from voiceprint.store.sqlite.faults import DATABASE_NAME, damaged_store, translated
from voiceprint.store.sqlite.live_index import LiveIndex
from voiceprint.store.sqlite.schema import SCHEMA_VERSION
from voiceprint.store.sqlite.stamp import Stamp
from voiceprint.store.sqlite.tables import SqliteTables

RESTORING = ".restoring-"
"""What the names of folders begin with in which a store is unpacked before it is restored."""

ERASE_SECONDS = 10.0
"""How long a removal waits for other processes that still read an older state."""


class SqliteBackend:
    """The voiceprints in a folder; `voiceprint.store.backend.Backend` says what the methods are for.

    Arguments and errors are those of `Database`.
    """

    schema_version = SCHEMA_VERSION

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"the store {folder} is a file", advice="name a folder", path=str(folder))
        self.place = folder
        self._database = Database(folder, read_only=read_only)
        self._live = LiveIndex(folder)
        self._stamp = Stamp(folder)
        try:
            self._check_nothing_is_lost()
            if not self.read_only:
                # A process that was killed while it removed somebody left the voice in the index; where it
                # cannot be taken out, the next removal says so.
                with suppress(OSError), self.reading() as tables:
                    self._live.strike_out(tables)
                sweep_workspaces(folder, prefix=RESTORING)
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
    def writing(self, *, wait: float | None = None) -> Iterator[SqliteTables]:
        """Make one change."""
        with self._database.writing(wait=wait) as connection:
            tables = SqliteTables(connection, self._live)
            before = tables.header().generation
            yield tables
            after = tables.header()
        if after.generation != before:
            self._stamp.note(after)

    def copy_to(self, folder: Path) -> None:
        """Copy the database file, with what its write-ahead log holds."""
        with translated(self.place):
            copy_database(self.place / DATABASE_NAME, folder / DATABASE_NAME)

    @contextmanager
    def replacing(self, folder: Path) -> Iterator[tuple[SqliteTables, Callable[[], SqliteTables]]]:
        """Make one change that begins with all rows being replaced by those of a copied file."""
        with self._database.beside(folder / DATABASE_NAME, name=COPY), self._database.writing() as connection:

            def replace() -> SqliteTables:
                # Another store's id would not fit what was noted, nor would a lower generation.
                self._stamp.forget()
                replace_rows(connection)
                return SqliteTables(connection, self._live)

            yield SqliteTables(connection, self._live), replace
        with self.reading() as tables:
            self._stamp.note(tables.header())

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""
        self._database.check_writable()

    def read_document(self, name: str) -> str | None:
        """Read a file of the folder."""
        try:
            return read_text(self.place / name)
        except FileNotFoundError:
            return None

    def write_document(self, name: str, text: str | None) -> None:
        """Write or remove a file of the folder."""
        self.check_writable()
        if text is None:
            (self.place / name).unlink(missing_ok=True)
        else:
            write_private(self.place / name, text.encode())

    def document_stamp(self, name: str) -> tuple[int, ...]:
        """Return what the file system says of the file."""
        try:
            status = (self.place / name).stat()
        except OSError:
            return ()
        return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)

    def after_removal(self, done: str) -> None:
        """Strike it out of the index, merge the write-ahead log and empty it: then no file holds it."""
        try:
            with self.reading() as tables:
                self._live.strike_out(tables)
            merged = self._database.erase(seconds=ERASE_SECONDS)
        except StoreDamagedError:
            raise
        except (OSError, StoreError) as error:
            raise self._unfinished(
                done, error.strerror if isinstance(error, OSError) else error.fact
            ) from error
        if not merged:
            raise self._unfinished(done, f"other processes were reading it for {ERASE_SECONDS:g} s")

    def erase(self) -> None:
        """Do what each removal does already."""
        self.after_removal("erasing did not finish")

    def problems(self) -> list[str]:
        """Check the whole file, recompute what can be recomputed, and compare the index with it."""
        problems = []
        try:
            problems += self._database.integrity_problems()
            with self.reading() as tables:
                problems += tables.problems()
                index = self._live.current(tables)
                if index is not None and len(index) != tables.count() - tables.earlier_count():
                    problems.append("the index does not hold the same people as the database")
        except StoreDamagedError as error:
            problems.append(error.fact)
        return problems

    def bytes_on_disk(self) -> int:
        """Count the bytes of database, log and index."""
        return sum(file.stat().st_size for file in self.place.glob("voiceprints.*"))

    def _unfinished(self, done: str, why: object) -> StoreError:
        """Say that a change was made, but that its files still hold what it took out."""
        return StoreError(
            f"{done}, but old bytes remain in the files of the store {self.place}: {why}",
            advice="they go when it is next opened for writing while nobody reads it",
            path=str(self.place),
        )

    def _check_nothing_is_lost(self) -> None:
        noted = self._stamp.read()
        with self.reading() as tables:
            header = tables.header()
        if self._stamp.is_newer(noted, header):
            raise damaged_store(
                self.place,
                "its last changes are missing: its write-ahead log was lost, or an older copy was put in its "
                "place, in which people may be whom you removed",
                advice=f"bring the log back or, if that was done on purpose, delete {self._stamp.path}",
            )

    def close(self) -> None:
        """Write the index if that is worth it, and close the database."""
        if not self.read_only:
            self._live.save(self.writing)
        self._database.close()
