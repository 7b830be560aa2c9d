"""The SQLite file of a store: how it is opened, read, changed, and how what was removed leaves the disk."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voiceprint.errors import StoreError, StoreMissingError, StoreReadOnlyError, StoreReplacedError
from voiceprint.store.files import create_private, make_private_folder
from voiceprint.store.process import OpeningProcess
from voiceprint.store.sqlite.faults import (
    BUSY_SECONDS,
    DATABASE_NAME,
    as_store_error,
    damaged_store,
    reading_schema,
    translated,
)
from voiceprint.store.sqlite.migration import migrate, read_in_memory
from voiceprint.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from voiceprint.store.sqlite.stamp import STAMP_NAME

_SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    # Temporary files would be copies of voiceprints that nobody erases.
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


class Database:
    """One connection to a store's database, safe to share between the threads of a process.

    Parameters
    ----------
    folder : Path
        The store; created unless `read_only`.
    read_only : bool
        Refuse changes. A store that cannot be written is opened so whether asked or not.

    Raises
    ------
    StoreError, StoreDamagedError
        If it is missing, newer than this program, or not a store.
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.path = folder / DATABASE_NAME
        self._folder = folder
        self._process = OpeningProcess(str(folder))
        self._lock = threading.RLock()
        self._immutable = False
        self._no_room: StoreError | None = None
        self._check_leftovers()
        if not read_only and not self.path.exists():
            self._create_file()
        self._check_is_there()
        self.read_only = read_only or not (_may_write(self.path) and _may_write(folder))
        with translated(self._folder):
            self._connect()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold one unchanging view of the database; keep it short, for it delays erasing."""
        self._process.check()
        with self._lock, translated(self._folder):
            self._check_same_file()
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._roll_back()
            if self._immutable and _identity(self.path) != self._identity:
                raise StoreError(
                    f"the store {self._folder} was changed while it was read",
                    advice="ask again",
                    path=str(self._folder),
                )

    @contextmanager
    def writing(self, *, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        """Make one change: after the block all of it is on the disk, or, after an error, none of it.

        It waits so many seconds for the changes of others, `BUSY_SECONDS` unless given, and then fails.
        """
        self.check_writable()
        with self._lock:
            with translated(self._folder, outcome="nothing was changed"):
                self._check_same_file()
                self._begin(BUSY_SECONDS if wait is None else wait)
                try:
                    yield self._connection
                except BaseException:
                    self._roll_back()
                    raise
            self._commit()

    def _begin(self, wait: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    @contextmanager
    def beside(self, path: Path, *, name: str) -> Iterator[None]:
        """Let statements of the block reach another database file under a schema's name."""
        self.check_writable()
        with self._lock, translated(self._folder):
            self._connection.execute(f"ATTACH DATABASE ? AS {name}", (str(path),))
            try:
                yield
            finally:
                self._connection.execute(f"DETACH DATABASE {name}")

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused, and `StoreError` while the disk is full."""
        self._process.check()
        if self._no_room is not None:
            self._connect_again()
        if self.read_only:
            raise StoreReadOnlyError(
                f"the store {self._folder} is open for reading only",
                advice="make it writable for this user, or name another",
                path=str(self._folder),
            )

    def erase(self, *, seconds: float) -> bool:
        """Bring what was removed off the disk, by merging the write-ahead log and emptying it.

        It waits so many seconds for processes that still read an older state; returns whether it succeeded.
        """
        self._process.check()
        deadline = time.monotonic() + seconds
        with self._lock, translated(self._folder):
            self._connection.execute(f"PRAGMA busy_timeout = {min(1000, int(seconds * 1000))}")
            try:
                # SQLite does not wait for another process's checkpoint by itself.
                while not (done := self._checkpoint()) and time.monotonic() < deadline:
                    time.sleep(0.01)
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        return done

    def integrity_problems(self) -> list[str]:
        """Return what SQLite's full integrity and foreign key checks find; reads the whole file."""
        with self.reading() as connection:
            reported = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [line for line in reported if line != "ok"] + [f"orphaned row in {row[0]}" for row in orphans]

    def close(self) -> None:
        """Close the connection; the last one to close merges and removes the write-ahead log."""
        if self._process.is_this:
            with self._lock:
                self._connection.close()

    def __del__(self) -> None:
        # Who does not close a store leaves it to the garbage collector, and Python 3.13 warns of open ones.
        if hasattr(self, "_connection"):
            self.close()

    def _commit(self) -> None:
        # Where only the last step fails, the change may come back when the log is read after a crash.
        unknown = "whether the change was made is not known: look before repeating it"
        try:
            with translated(self._folder, outcome=unknown):
                self._connection.execute("COMMIT")
        finally:
            with translated(self._folder, outcome=unknown):
                self._roll_back()

    def _connect_again(self) -> None:
        """Try to take changes again, in a store that was opened for reading because there was no room."""
        with self._lock, translated(self._folder):
            self._connection.close()
            self.read_only, self._no_room, self._immutable = False, None, False
            self._connect()
            if self._no_room is not None:
                raise self._no_room

    def _check_leftovers(self) -> None:
        """Refuse a folder in which a database was: it would be taken for a new store."""
        if self.path.exists():
            return
        there = [path.name for path in (self._wal, self._folder / STAMP_NAME) if path.exists()]
        if left := [*there, *(path.name for path in self._folder.glob("*.faiss"))]:
            raise damaged_store(self._folder, f"it is missing, but {left[0]} is there")

    def _create_file(self) -> None:
        try:
            make_private_folder(self._folder)
            create_private(self.path)
        except OSError as error:
            raise StoreError(
                f"cannot create the store {self._folder}: {error.strerror}",
                advice="name another folder",
                path=str(self._folder),
            ) from error

    def _check_is_there(self) -> None:
        if not self.path.is_file():
            raise StoreMissingError(
                f"there is no store at {self._folder}",
                advice="enroll somebody first, or name another store",
                path=str(self._folder),
            )
        # SQLite takes a file shorter than its header for a new database. An empty one is new, unless there
        # is an index, which only a database that held somebody has had.
        size = _size(self.path)
        if 0 < size < 100 or (size == 0 and any(self._folder.glob("*.faiss"))):
            raise damaged_store(self._folder, f"it has only {size} bytes")

    def _connect(self) -> None:
        try:
            self._open(self._uri())
        except sqlite3.OperationalError as error:
            uri = self._uri_without_room(error)
            if uri is None:
                raise
            self.read_only = True
            self._no_room = as_store_error(error, self._folder, outcome="nothing was changed")
            self._open(uri)

    def _open(self, uri: str) -> None:
        self._identity = _identity(self.path)
        self._connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.row_factory = sqlite3.Row
            with reading_schema():
                for setting in _SETTINGS:
                    self._connection.execute(setting)
                self._open_schema()
        except BaseException:
            self._connection.close()
            raise

    def _uri(self) -> str:
        uri = self.path.absolute().as_uri()
        if not self.read_only:
            return f"{uri}?mode=rw"
        shared_memory = self.path.with_name(f"{DATABASE_NAME}-shm")
        if _may_write(self._folder) or shared_memory.exists():
            return f"{uri}?mode=ro"
        # SQLite cannot use a write-ahead log without its shared-memory file, which cannot be made here.
        # Without a log the file alone is the whole truth; with one, reading only the file would be a lie.
        if _size(self._wal) > 0:
            raise StoreError(
                f"the store {self._folder} cannot be written, and its last changes are still in "
                f"{self._wal.name}; open it once where it can be written",
                path=str(self._folder),
            )
        self._immutable = True
        return f"{uri}?mode=ro&immutable=1"

    def _uri_without_room(self, error: sqlite3.OperationalError) -> str | None:
        """How to read a store that cannot be opened for writing for want of room; None if that is not why."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self.read_only or code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return None
        uri = self.path.absolute().as_uri()
        if _size(self._wal) > 0:  # with the shared memory that its last user left
            return f"{uri}?mode=ro" if self.path.with_name(f"{DATABASE_NAME}-shm").exists() else None
        self._immutable = True
        return f"{uri}?mode=ro&immutable=1"

    @property
    def _wal(self) -> Path:
        return self.path.with_name(f"{DATABASE_NAME}-wal")

    def _open_schema(self) -> None:
        version = self._check_version()
        if self.read_only:
            if version < SCHEMA_VERSION:
                read_in_memory(self._connection, version)
            return
        self._use_write_ahead_log()
        if version < SCHEMA_VERSION:
            self._migrate()
        # A process that was killed while it removed somebody left the voice in the log.
        with suppress(sqlite3.OperationalError):
            self._checkpoint()

    def _check_version(self) -> int:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        application = int(self._connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if application != APPLICATION_ID and tables > 0:
            raise damaged_store(self._folder, "it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self._folder} has format {version}, made by a newer voiceprint; this one knows "
                f"formats up to {SCHEMA_VERSION}: upgrade voiceprint",
                path=str(self._folder),
            )
        if version == 0 and (self._folder / STAMP_NAME).exists():
            raise damaged_store(self._folder, f"it is empty, and {STAMP_NAME} says that it was not")
        if version == 0 and self.read_only:
            raise StoreError(
                f"the store {self._folder} is empty; enroll somebody first", path=str(self._folder)
            )
        return version

    def _use_write_ahead_log(self) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait here by itself while another process makes the same switch.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _migrate(self) -> None:
        with self.writing() as connection:
            # Read again: another process may have been first.
            migrate(connection, int(connection.execute("PRAGMA user_version").fetchone()[0]))

    def _checkpoint(self) -> bool:
        return int(self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]) == 0

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _check_same_file(self) -> None:
        """Notice a database that was deleted or restored under us: changes to the old one would be lost."""
        identity = _identity(self.path)
        if identity[:2] != self._identity[:2]:
            kind = StoreReplacedError if any(identity) else StoreError
            raise kind(
                f"the store {self._folder} was deleted or replaced while it was open; open it again",
                path=str(self._folder),
            )
        # SQLite believes an immutable file never changes; if it did, read it anew.
        if self._immutable and (identity != self._identity or _size(self._wal) > 0):
            self._connection.close()
            self._immutable = False
            self._connect()


def _identity(path: Path) -> tuple[int, int, int, int]:
    """Which file it is (two numbers), and which state of it (two more); zeros if there is none."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
