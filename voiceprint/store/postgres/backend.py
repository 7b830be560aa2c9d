"""PostgresBackend: one database that several servers share, and its index of centroids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from voiceprint.errors import StoreError
from voiceprint.store.postgres.database import PostgresDatabase, Rows
from voiceprint.store.postgres.schema import INDEX, SCHEMA_VERSION
from voiceprint.store.postgres.tables import HNSW_FROM, PostgresTables

HNSW_M, HNSW_EF_CONSTRUCTION = 32, 200
"""Neighbours of a voice in the index, and how many are looked at to find them."""

_TABLES = (
    "speakers", "utterances", "terms", "opt_outs", "documents", "kept", "claims", "recordings", "models",
    "earlier", "staged",
)  # fmt: skip
_BUILDING = 0x56507375  # the advisory lock of whoever builds the index
_MEMORY_PER_PERSON = 4096  # bytes, above what a graph of 512-dimensional halves takes


class PostgresBackend:
    """The voiceprints in a database; `voiceprint.store.backend.Backend` says what the methods are for.

    The index of centroids is made when the store is opened or closed for writing while it holds `HNSW_FROM`
    people or more; until then, and below that, searches compare with everybody, which is slower.

    Raises
    ------
    StoreError, StoreDamagedError
        If the database cannot be reached, holds no store, is newer than this program, or lacks pgvector.
    """

    schema_version = SCHEMA_VERSION

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._database = PostgresDatabase(url, read_only=read_only)
        self.place = self._database.place
        self._build_index()

    @property
    def read_only(self) -> bool:
        """Whether changes are refused, because that was asked for or because the database is a replica."""
        return self._database.read_only

    @contextmanager
    def reading(self) -> Iterator[PostgresTables]:
        """Hold one unchanging view of the tables."""
        with self._database.reading() as connection:
            yield PostgresTables(connection, version=self._database.version)

    @contextmanager
    def writing(self, *, wait: float | None = None) -> Iterator[PostgresTables]:
        """Make one change."""
        with self._database.writing(wait=wait) as connection:
            yield PostgresTables(connection)

    def copy_to(self, folder: Path) -> None:
        """Refuse: a database server is backed up by its own tools."""
        raise self._not_offered()

    def replacing(self, folder: Path) -> NoReturn:
        """Refuse, for the same reason."""
        raise self._not_offered()

    def _not_offered(self) -> StoreError:
        return StoreError(
            f"{self.place} is a database",
            advice="back it up and restore it with pg_dump and pg_restore",
            path=self.place,
        )

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""
        self._database.check_writable()

    def read_document(self, name: str) -> str | None:
        """Read a row of the database, which all its servers share."""
        with self.reading() as tables:
            row = tables.run("SELECT content FROM documents WHERE name = ?", name).fetchone()
        return None if row is None else str(row["content"])

    def write_document(self, name: str, text: str | None) -> None:
        """Write or remove a row."""
        with self.writing() as tables:
            tables.run("DELETE FROM documents WHERE name = ?", name)
            if text is not None:
                tables.run("INSERT INTO documents VALUES (?, ?)", name, text)

    def document_stamp(self, name: str) -> tuple[int, ...]:
        """Return the second: to ask the database for a stamp takes as long as to read the text."""
        return (int(time.monotonic()),)

    def after_removal(self, done: str) -> None:
        """Leave it at the commit: PostgreSQL reuses the space of deleted rows, `erase` rewrites the files."""

    def erase(self) -> None:
        """Rewrite the tables, so that the database's files hold nothing of who was removed."""
        with self._database.alone() as connection:
            for table in _TABLES:
                connection.execute(f"VACUUM (FULL) {table}")

    def problems(self) -> list[str]:
        """Compare the tables with each other."""
        with self.reading() as tables:
            problems = []
            if tables.count() != tables.run("SELECT count(*) AS n FROM speakers").fetchone()["n"]:
                problems.append("the number of people in store is not that of speakers")
            wrong = tables.run(
                "SELECT name FROM speakers WHERE n_utterances != "
                "(SELECT count(*) FROM utterances WHERE speaker_id = speakers.id) ORDER BY name"
            )
            problems += [f"{row['name']!r} does not have as many clips as noted" for row in wrong]
            return problems + tables.problems()

    def bytes_on_disk(self) -> int:
        """Count the bytes of tables and indexes."""
        with self.reading() as tables:
            row = tables.run(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint AS bytes FROM pg_class "
                "WHERE relnamespace = 'voiceprint'::regnamespace AND relkind = 'r'"
            ).fetchone()
        return int(row["bytes"])

    def close(self) -> None:
        """Make the index if it is time, and close the connection."""
        # Closing is no place to fail: the next opening says what is wrong, and makes the index.
        with suppress(StoreError):
            self._build_index()
        self._database.close()

    def _build_index(self) -> None:
        if self.read_only:
            return
        with self._database.alone() as connection:
            row = connection.execute(
                "SELECT n_speakers, dim, "
                "(SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)) AS indexed FROM store",
                (INDEX,),
            ).fetchone()
            if row is None or row["indexed"] or row["n_speakers"] < HNSW_FROM:
                return
            taken = connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", (_BUILDING,)).fetchone()
            if taken is not None and taken["taken"]:
                try:
                    _create_index(connection, people=row["n_speakers"], dim=row["dim"])
                finally:
                    connection.execute("SELECT pg_advisory_unlock(%s)", (_BUILDING,))


def _create_index(connection: Rows, *, people: int, dim: int) -> None:
    """Build the index beside the work of others; one that was left unfinished is thrown away."""
    connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
    # A graph that does not fit into this memory takes ten times as long. In one process: several would share
    # memory that containers seldom have.
    megabytes = 64 + people * _MEMORY_PER_PERSON // (1 << 20)
    connection.execute(f"SET maintenance_work_mem = '{megabytes}MB'")
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute(
        f"CREATE INDEX CONCURRENTLY {INDEX} ON speakers USING hnsw "
        f"((centroid::halfvec({dim})) halfvec_ip_ops) "
        f"WITH (m = {HNSW_M}, ef_construction = {HNSW_EF_CONSTRUCTION}) "
        # Earlier models' may be of other dimensions.
        f"WHERE vector_dims(centroid) = {dim}"
    )
