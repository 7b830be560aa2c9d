"""Whole copies of an SQLite file that others are writing, and all rows of one in the place of another's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from voiceprint.store.files import create_private

COPY = "copy"
"""The schema's name under which `replace_rows` finds the other file."""

_BUSY_SECONDS = 30.0


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file, with its log, as it is at one moment; others may go on writing it.

    The copy is its owner's alone and needs no log. sqlite3.Error if a file cannot be read or written.
    """
    create_private(target)
    uri = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as read,
        closing(sqlite3.connect(target)) as written,
    ):
        read.backup(written)  # in one step: in several, each change by others would begin it anew
        written.execute("PRAGMA journal_mode = DELETE")  # the file alone is all of it


def replace_rows(connection: sqlite3.Connection) -> None:
    """Put the rows of all tables of the schema `COPY` into the place of those of the same tables.

    In the caller's transaction. Ids that were given stay given.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    tables = _tables(connection)
    for table in tables:
        connection.execute(f"DELETE FROM main.{table}")
    for table in tables:
        columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {COPY}.{table}")


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    return [row[0] for row in rows]
