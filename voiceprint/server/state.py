"""The server's own SQLite file: keys, requests made, challenges, the audit log. No voiceprint is ever in it.

What a row says is believed only if its checksum is that of its columns; entries of the log have their hashes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceprint.errors import ServerError
from voiceprint.files.checksum import checksum
from voiceprint.store.files import create_private, make_private_folder
from voiceprint.store.sqlite.faults import reading_schema

STATE_NAME = "server.sqlite3"

CHECKSUMS = {
    "api_keys": "row_checksum(id, secret_sha256, scopes, label, created, revoked)",
    "challenges": "row_checksum(id, caller, words, expires, used_by)",
    "requests": "row_checksum(caller, key, fingerprint, started, status, has_body)",
}
"""SQL: what the checksum of a table's rows has to be."""

_BUSY_SECONDS = 10.0

_VERSION_1 = """
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
    scopes TEXT NOT NULL,
    label TEXT NOT NULL,
    created TEXT NOT NULL,
    revoked TEXT
) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
PRAGMA user_version = 1;
"""
_VERSION_2 = """
DROP TABLE IF EXISTS idempotency;
CREATE TABLE requests (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    started REAL NOT NULL,
    status INTEGER,
    has_body INTEGER,
    PRIMARY KEY (caller, key)
) STRICT;
PRAGMA user_version = 2;
"""
# An older process that still writes knows no checksums: what it changes is refused from then on.
_VERSION_3 = f"""
ALTER TABLE api_keys ADD COLUMN checksum BLOB NOT NULL DEFAULT x'';
UPDATE api_keys SET checksum = {CHECKSUMS["api_keys"]};
ALTER TABLE requests ADD COLUMN checksum BLOB NOT NULL DEFAULT x'';
UPDATE requests SET checksum = {CHECKSUMS["requests"]};
PRAGMA user_version = 3;
"""
_VERSION_4 = """
CREATE TABLE challenges (
    id TEXT PRIMARY KEY,
    caller TEXT NOT NULL,
    words TEXT NOT NULL,
    expires REAL NOT NULL,
    used_by BLOB,
    checksum BLOB NOT NULL DEFAULT x''
) STRICT;
PRAGMA user_version = 4;
"""
_VERSIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)


class StateFile:
    """One connection to the server's file; any number of processes and threads may have one.

    The file may be restored from a backup under a running server: it is then opened anew. While it is not
    there, everything is refused, because revoked keys are not known.

    Parameters
    ----------
    folder : Path
        Created for its owner alone if it is not there, with the folders above it; ServerError if the file
        cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE_NAME
        self._lock = threading.Lock()
        try:
            make_private_folder(folder)
            create_private(self.path)
        except OSError as error:
            raise ServerError(
                f"cannot create {self.path}: {error.strerror}; name another folder for the server's state"
            ) from error
        with self._explained():
            self._connect()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read, in the calling thread."""
        with self._lock, self._explained():
            self._follow()
            self._check_is_there()
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Make one change: after the block all of it is on the disk, or, after an error, none of it."""
        with self._lock, self._explained():
            self._follow()
            with self._transaction():
                self._check_is_there()  # a file that was moved away before now would take the change along
                yield self._connection

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> None:
        self._identity = _identity(self.path)
        self._connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            with reading_schema():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _follow(self) -> None:
        """Open the file anew if another one lies in its place."""
        if _identity(self.path) in (self._identity, None):
            return
        self._connection.close()
        self._connect()

    def _check_is_there(self) -> None:
        if _identity(self.path) != self._identity:
            raise ServerError(
                f"{self.path} was moved away or replaced; put it back, or start the server anew"
            )

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.create_function(
            "row_checksum", -1, lambda *facts: checksum(facts), deterministic=True
        )
        for setting in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {setting}")
        with self._transaction():
            version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(_VERSIONS):
                raise ServerError(f"{self.path} was made by a newer voiceprint; upgrade this one")
            for script in _VERSIONS[version:]:
                for statement in _statements(script):
                    self._connection.execute(statement)
        if 0 < version < len(_VERSIONS):  # what an older version stored about people leaves the disk
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ServerError(f"{self.path} cannot be used: {error}") from error


def seal_row(connection: sqlite3.Connection, table: str, **row: str) -> None:
    """Give a row, which columns name, the checksum of what was written into it."""
    named = " AND ".join(f"{column} = ?" for column in row)
    connection.execute(f"UPDATE {table} SET checksum = {CHECKSUMS[table]} WHERE {named}", [*row.values()])


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there; None if none does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _statements(script: str) -> Iterator[str]:
    """Split a script where SQLite says that a statement is complete; triggers hold semicolons themselves."""
    statement = ""
    for line in script.strip().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
