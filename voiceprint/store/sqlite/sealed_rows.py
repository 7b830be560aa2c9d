"""Rows of an SQLite database whose last column is sealed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from voiceprint.store.sqlite.sealed import DamagedContentError, Sealed, unseal

AMONG = "IN (SELECT value FROM json_each(?))"
"""SQL: among the values of a JSON list, for the number of parameters is limited."""


class SealedRows:
    """What reads and writes rows in one transaction of a connection."""

    damage: ClassVar[type[Exception]] = sqlite3.DatabaseError

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement."""
        return self._connection.execute(statement, values)

    @cached_property
    def _page_size(self) -> int:
        return int(self.run("PRAGMA page_size").fetchone()[0])

    def _next_id(self, table: str) -> int:
        row = self.run("SELECT seq FROM sqlite_sequence WHERE name = ?", table).fetchone()
        return 1 if row is None else int(row["seq"]) + 1

    def _unsealed(self, statement: str, *values: Any) -> Iterator[tuple[sqlite3.Row, Sealed]]:
        """Run a statement whose last column is sealed content; yield each row with what was sealed.

        The column ``model``, of people of an earlier model alone, is among the sealed facts where it is one.
        """
        rows = self.run(statement, *values)
        try:
            has_model = any(column[0] == "model" for column in rows.description)
            for row in rows:
                facts = row[:-2] if has_model and row["model"] is None else row[:-1]
                try:
                    sealed = unseal(facts, row[-1])
                except DamagedContentError as error:
                    raise self.damage(str(error)) from error
                yield row, sealed
        finally:
            # Closed: an error's traceback would keep the rows, and with them what the database was when read.
            with suppress(sqlite3.ProgrammingError):  # the store may be closed by now
                rows.close()


def to_time(moment: datetime) -> str:
    """Say a moment in ISO 8601; in one zone the texts stand in the order of the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
