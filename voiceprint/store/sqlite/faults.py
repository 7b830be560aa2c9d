"""SQLite's errors in words: what is wrong with the store, and what became of the change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceprint.errors import StoreDamagedError, StoreError, StoreReadOnlyError

DATABASE_NAME = "voiceprints.sqlite3"

BUSY_SECONDS = 30.0
"""How long a change waits for the changes of other processes before it gives up."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NEVER_MADE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR_WRITE,  # the end of a change is written last
)


@contextmanager
def translated(folder: Path, *, outcome: str = "") -> Iterator[None]:
    """Turn SQLite's errors into `StoreError`; `outcome` is what one means for a change that is made."""
    try:
        yield
    except sqlite3.Error as error:
        raise as_store_error(error, folder, outcome=outcome) from error


@contextmanager
def reading_schema() -> Iterator[None]:
    """Raise sqlite3.DatabaseError where SQLite quotes a damaged schema in a message that is no text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError("its schema is damaged") from error


def as_store_error(error: sqlite3.Error, folder: Path, *, outcome: str) -> StoreError:
    """Say what an error of SQLite means."""
    if isinstance(error, sqlite3.ProgrammingError):
        return StoreError(f"the store {folder} is closed", advice="open it again", path=str(folder))
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF in _DAMAGE:
        return damaged_store(folder, str(error))
    if outcome and {code, code & 0xFF} & set(_NEVER_MADE):  # even while a change was being committed
        outcome = "nothing was changed"
    code &= 0xFF
    said = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_BUSY: f"another process made it wait for {BUSY_SECONDS:g} s",
    }.get(code, str(error))
    advice = {
        sqlite3.SQLITE_FULL: "make room and try again",
        sqlite3.SQLITE_IOERR: "check that the disk has room and works",
        sqlite3.SQLITE_BUSY: "try again",
        sqlite3.SQLITE_CANTOPEN: "check that the disk has room and this user may read and write the folder",
        sqlite3.SQLITE_READONLY: "check that this user may write the folder",
    }.get(code, "")
    kind = StoreReadOnlyError if code == sqlite3.SQLITE_READONLY else StoreError
    return kind(
        f"the store {folder} cannot be used: {said}" + (f"; {outcome}" if outcome else ""),
        advice=advice,
        path=str(folder),
    )


_RESTORE = "restore it from a backup, or move it away and enroll again or import an earlier export"


def damaged_store(folder: Path, what: str, *, advice: str = _RESTORE) -> StoreDamagedError:
    """Say that the database is not what it should be."""
    return StoreDamagedError(
        f"the store's database {folder / DATABASE_NAME} is damaged ({what})",
        advice=advice,
        path=str(folder),
    )
