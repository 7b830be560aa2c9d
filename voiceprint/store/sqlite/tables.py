"""The tables in SQLite: times as text, embeddings as bytes, and the log from which the index catches up."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.store.tables import Tables

if TYPE_CHECKING:
    from voiceprint.store.sqlite.live_index import LiveIndex

__all__ = ["SqliteTables"]

MAX_LOGGED_CHANGES = 100_000
"""An index further behind than this is quicker rebuilt than brought up to date."""

_CHANGES_A_SWEEP = 100  # on average, between two times that the log is shortened
_ROWS_AT_A_TIME = 20_000

_LITTLE_ENDIAN_FLOAT32 = np.dtype("<f4")


class SqliteTables(Tables):
    """The tables as one transaction of an SQLite connection sees them.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction, with `sqlite3.Row` rows.
    live : LiveIndex
        The index of their centroids.
    """

    damage = sqlite3.DatabaseError

    def __init__(self, connection: sqlite3.Connection, live: LiveIndex) -> None:
        self._connection = connection
        self._live = live

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement."""
        return self._connection.execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values."""
        self._connection.executemany(statement, rows)

    def run_returning(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> list[int]:
        """Run a statement once for each row of values; returns the ids."""
        return [int(self._connection.execute(statement, row).fetchone()["id"]) for row in rows]

    def among(self, values: Sequence[Any]) -> tuple[str, Any]:
        """Compare with the values of a JSON array: the number of parameters is limited."""
        return "IN (SELECT value FROM json_each(?))", json.dumps(list(values))

    def to_time(self, moment: datetime) -> str:
        """Say a moment in ISO 8601; in one zone the texts stand in the order of the times."""
        return moment.astimezone(UTC).isoformat()

    def from_time(self, value: Any) -> datetime:
        """Read what `to_time` wrote."""
        return datetime.fromisoformat(value)

    def to_vector(self, embedding: NDArray[np.float32]) -> bytes:
        """Say an embedding as its bytes, float32 and little-endian."""
        return np.ascontiguousarray(embedding, dtype=_LITTLE_ENDIAN_FLOAT32).tobytes()

    def from_vector(self, value: Any) -> NDArray[np.float32]:
        """Read what `to_vector` wrote."""
        if len(value) % _LITTLE_ENDIAN_FLOAT32.itemsize:
            raise self.damage(f"an embedding has {len(value)} bytes, which are no float32 values")
        return np.frombuffer(value, dtype=_LITTLE_ENDIAN_FLOAT32)

    def count(self) -> int:
        """Return how many people are enrolled; the index knows without counting, where it is level."""
        counted = self._live.count(self.header().generation)
        return super().count() if counted is None else counted

    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Ask the index who may be nearest."""
        return self._live.candidates(self, query, top=top, exact=exact)

    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Log who changed (0 for a change that concerns no voice), and forget the oldest of the log."""
        self.run_many("INSERT INTO changes VALUES (?, ?)", ((generation, i) for i in speaker_ids or [0]))
        # Once in a while: to find the oldest, the log is walked.
        if generation % _CHANGES_A_SWEEP == 0:
            self.run(
                "DELETE FROM changes WHERE generation < "
                "(SELECT generation FROM changes ORDER BY generation DESC LIMIT 1 OFFSET ?)",
                MAX_LOGGED_CHANGES,
            )

    def changes_since(self, generation: int) -> list[int] | None:
        """Return the ids of who changed after a generation; None if the log does not know it (any more)."""
        if self.run("SELECT 1 FROM changes WHERE generation = ?", generation).fetchone() is None:
            return None
        rows = self.run("SELECT DISTINCT speaker_id FROM changes WHERE generation > ?", generation)
        return [row["speaker_id"] for row in rows]

    def centroids(
        self, dim: int, *, only: Sequence[int] | None = None, after: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield ids (n,) and centroids (n, dim), of those of the given ids who exist or of all after one."""
        if only is None:
            cursor = self.run("SELECT id, centroid FROM speakers WHERE id > ? ORDER BY id", after)
        else:
            one_of, value = self.among(only)
            cursor = self.run(f"SELECT id, centroid FROM speakers WHERE id {one_of}", value)
        cursor.row_factory = None
        while rows := cursor.fetchmany(_ROWS_AT_A_TIME):
            if any(len(blob) != dim * _LITTLE_ENDIAN_FLOAT32.itemsize for _, blob in rows):
                raise self.damage(f"a centroid does not have {dim} dimensions")
            ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
            voices = np.frombuffer(b"".join(blob for _, blob in rows), dtype=_LITTLE_ENDIAN_FLOAT32)
            yield ids, self.checked(voices).reshape(len(rows), dim)
