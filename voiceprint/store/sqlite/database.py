"""The SQLite file of a store: how it is opened, read, changed, and how what was removed leaves the disk."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voiceprint.errors import (
    StoreDamagedError,
    StoreError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreReplacedError,
)
from voiceprint.store.files import create_private, make_private_folder
from voiceprint.store.sqlite.migration import migrate, read_in_memory
from voiceprint.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION

__all__ = ["DATABASE_NAME", "Database"]

DATABASE_NAME = "voiceprints.sqlite3"

BUSY_SECONDS = 30.0
"""How long a change waits for the changes of other processes before it gives up."""

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

    Attributes
    ----------
    path : Path
        The database file.
    read_only : bool
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.path = folder / DATABASE_NAME
        self._folder = folder
        self._lock = threading.RLock()
        self._immutable = False
        if not read_only and not self.path.exists():
            self._create_file()
        self._check_is_there()
        self.read_only = read_only or not (_may_write(self.path) and _may_write(folder))
        with self._translated():
            self._connect()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold one unchanging view of the database; keep it short, for it delays erasing."""
        with self._lock, self._translated():
            self._check_same_file()
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._roll_back()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Make one change: after the block all of it is on the disk, or, after an error, none of it."""
        self.check_writable()
        with self._lock, self._translated():
            self._check_same_file()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                self._roll_back()

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""
        if self.read_only:
            raise StoreReadOnlyError(
                f"the store {self._folder} is open for reading only",
                advice="make it writable for this user, or name another",
                path=str(self._folder),
            )

    def erase(self, *, seconds: float) -> bool:
        """Bring what was removed off the disk, by merging the write-ahead log and emptying it.

        Parameters
        ----------
        seconds : float
            How long to wait for other processes that still read an older state.

        Returns
        -------
        bool
            Whether it was possible in that time.
        """
        deadline = time.monotonic() + seconds
        with self._lock, self._translated():
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
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [line for line in found if line != "ok"] + [f"orphaned row in {row[0]}" for row in orphans]

    def close(self) -> None:
        """Close the connection; the last one to close merges and removes the write-ahead log."""
        with self._lock:
            self._connection.close()

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
            raise self._damaged(f"it has only {size} bytes")

    def _connect(self) -> None:
        self._identity = _identity(self.path)
        self._connection = sqlite3.connect(
            self._uri(), uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._connection.row_factory = sqlite3.Row
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
            self.erase(seconds=0.0)

    def _check_version(self) -> int:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        application = int(self._connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
        if application != APPLICATION_ID and tables > 0:
            raise self._damaged("it is the database of another program")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the store {self._folder} has format {version}, made by a newer voiceprint; this one knows "
                f"formats up to {SCHEMA_VERSION}: upgrade voiceprint",
                path=str(self._folder),
            )
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

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._as_store_error(error) from error

    def _as_store_error(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._unusable(error, code & 0xFF)
        return self._damaged(str(error))

    def _unusable(self, error: sqlite3.Error, code: int) -> StoreError:
        path = str(self._folder)
        if code == sqlite3.SQLITE_READONLY:
            return StoreReadOnlyError(
                f"the store {path} cannot be written ({error}); nothing was changed", path=path
            )
        advice = {
            sqlite3.SQLITE_FULL: "the disk is full; nothing was changed: make room and try again",
            sqlite3.SQLITE_IOERR: f"{error}; nothing was changed: check that the disk has room and works",
            sqlite3.SQLITE_BUSY: f"another process kept it busy for {BUSY_SECONDS:g} s; try again",
            sqlite3.SQLITE_CANTOPEN: f"{error}; check that this user may read and write the folder",
        }
        return StoreError(f"the store {path} cannot be used: {advice.get(code, str(error))}", path=path)

    def _damaged(self, what: str) -> StoreDamagedError:
        return StoreDamagedError(
            f"the store's database {self.path} is damaged ({what}); restore it from a backup, or move it "
            "away and enroll again or import an earlier export",
            path=str(self._folder),
        )


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
