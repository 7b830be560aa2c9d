"""The tables in PostgreSQL: times as timestamptz, embeddings as pgvector's vector, which is float32 too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import Vector
from psycopg import errors

from voiceprint.store.candidates import candidates_of
from voiceprint.store.postgres.database import Rows
from voiceprint.store.postgres.schema import INDEX
from voiceprint.store.tables import SpeakerRow, Tables

__all__ = ["HNSW_FROM", "PostgresTables"]

HNSW_FROM = 100_000
"""People from whom on the index is searched; up to there, comparing with everybody takes no longer
(``scripts/benchmark_store``, docs/growing.md)."""

CANDIDATES = 1000
"""People whom the index names, all scored again in full precision; also `hnsw.ef_search`, at its most."""

MOST_FROM_INDEX = 40
"""Where more are wanted, everybody is compared: so far down, the index has left people out."""

_ERROR = 1e-5  # of two sums of products in float32, in another order than ours


class PostgresTables(Tables):
    """The tables as one transaction of a PostgreSQL connection sees them.

    Parameters
    ----------
    connection : psycopg.Connection
        In a transaction, with rows as dicts.
    """

    damage = errors.DataCorrupted

    def __init__(self, connection: Rows) -> None:
        self._connection = connection
        # Told to `store` once for each change: of a row that is updated often in one transaction, PostgreSQL
        # keeps every version until the end, and looks through all of them each time.
        self._come, self._gone = 0, 0

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement."""
        return self._connection.execute(statement.replace("?", "%s"), values, binary=True)

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each row of values, without waiting for one before the next."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows)

    def run_returning(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> list[int]:
        """Run a statement once for each row of values, without waiting in between; returns the ids."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows, returning=True)
            return [int(row["id"]) for result in cursor.results() for row in result]

    def among(self, values: Sequence[Any]) -> tuple[str, Any]:
        """Compare with the values of an array."""
        return "= ANY(?)", list(values)

    def to_time(self, moment: datetime) -> datetime:
        """Say a moment; PostgreSQL keeps microseconds, as Python does."""
        return moment

    def from_time(self, value: Any) -> datetime:
        """Read a moment."""
        moment: datetime = value
        return moment

    def to_vector(self, embedding: NDArray[np.float32]) -> Vector:
        """Say an embedding as a vector."""
        return Vector(np.ascontiguousarray(embedding, dtype=np.float32))

    def from_vector(self, value: Any) -> NDArray[np.float32]:
        """Read a vector."""
        embedding: NDArray[np.float32] = value.to_numpy()
        return embedding

    def count(self) -> int:
        """Return how many people are enrolled, as `store` notes: PostgreSQL counts by reading every row."""
        noted = int(self.run("SELECT n_speakers FROM store").fetchone()["n_speakers"])
        return noted + self._come - self._gone

    def claim(self, model_id: str, dim: int) -> None:
        """Make the store one of this model's voiceprints; an index of other dimensions would refuse them."""
        if self.header().dim not in (None, dim):
            self.run(f"DROP INDEX IF EXISTS {INDEX}")
        super().claim(model_id, dim)

    def insert_speakers(self, people: Sequence[SpeakerRow]) -> list[int]:
        """Insert people, as in every database, and count them."""
        self._come += len(people)
        return super().insert_speakers(people)

    def delete_speaker(self, speaker_id: int) -> None:
        """Delete a person, as in every database, and count them no more."""
        self._gone += 1
        super().delete_speaker(speaker_id)

    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Compare with everybody, or, where there are many, with those whom the index names."""
        facts = self.run(
            "SELECT n_speakers, "
            "(SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)) AS indexed FROM store",
            INDEX,
        ).fetchone()
        size = int(facts["n_speakers"])
        use_index = not exact and bool(facts["indexed"]) and size >= HNSW_FROM and top <= MOST_FROM_INDEX

        def search(wanted: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            rows = (self._indexed if use_index else self._exact)(self.to_vector(query), wanted).fetchall()
            scores = np.array([-row["distance"] for row in rows], dtype=np.float32)
            return scores, np.array([row["id"] for row in rows], dtype=np.int64)

        if use_index:
            # Until the transaction ends. The planner does not know what comparing everybody costs.
            self.run(
                "SELECT set_config('hnsw.ef_search', ?, true), set_config('enable_seqscan', 'off', true)",
                str(CANDIDATES),
            )
        error = _ERROR * float(np.linalg.norm(query))
        return candidates_of(search, size=size, top=top, error=error)

    def note_changes(self, generation: int, speaker_ids: Collection[int]) -> None:
        """Note how many people there are now; the index is level with the tables by itself."""
        self.run("UPDATE store SET n_speakers = n_speakers + ?", self._come - self._gone)
        self._come = self._gone = 0

    def _exact(self, query: Vector, wanted: int) -> Any:
        return self.run(
            "SELECT id, centroid <#> ? AS distance FROM speakers ORDER BY distance LIMIT ?", query, wanted
        )

    def _indexed(self, query: Vector, wanted: int) -> Any:
        half = f"halfvec({query.dimensions()})"
        return self.run(
            "SELECT id, centroid <#> ? AS distance FROM (SELECT id, centroid FROM speakers "
            f"ORDER BY centroid::{half} <#> ?::{half} LIMIT {CANDIDATES}) AS near ORDER BY distance LIMIT ?",
            query,
            query,
            wanted,
        )
