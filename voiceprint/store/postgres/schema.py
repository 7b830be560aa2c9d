"""The tables of a store in PostgreSQL, and how an older one becomes the newest.

They lie in the schema ``voiceprint`` of the database. Version ``n`` is what the first ``n`` migrations make.
A published migration is never edited; a change of the schema appends one.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from psycopg import Connection, errors, sql

from voiceprint.errors import StoreDamagedError, StoreError

INDEX = "speakers_centroid_hnsw"
"""The index of centroids; `voiceprint.store.postgres.backend` says when there is one."""

_OLDEST_PGVECTOR = (0, 7)  # the first with halfvec
_MIGRATING = 0x56507374  # the advisory lock of whoever changes the schema

Rows = Connection[dict[str, Any]]

_VERSION_1 = (
    # One row. Whoever changes anything locks it first, so that changes queue as they do in a file.
    """
    CREATE TABLE voiceprint.store (
        single integer PRIMARY KEY CHECK (single = 1),
        id bytea NOT NULL,
        schema_version integer NOT NULL,
        generation bigint NOT NULL,
        model_id text,
        dim integer,
        n_speakers bigint NOT NULL
    )
    """,
    # An identity is never given twice. "C" puts names in the order of their code points.
    """
    CREATE TABLE voiceprint.speakers (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        notes text NOT NULL,
        created timestamptz NOT NULL,
        updated timestamptz NOT NULL,
        n_utterances integer NOT NULL CHECK (n_utterances > 0),
        seconds_of_speech double precision NOT NULL,
        centroid vector NOT NULL
    )
    """,
    """
    CREATE TABLE voiceprint.utterances (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        speaker_id bigint NOT NULL REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        clip_sha256 bytea NOT NULL CHECK (length(clip_sha256) = 32),
        source text NOT NULL,
        seconds double precision NOT NULL,
        seconds_of_speech double precision NOT NULL,
        level_dbfs double precision,
        clipped double precision NOT NULL,
        snr_db double precision,
        added timestamptz NOT NULL,
        embedding vector NOT NULL,
        UNIQUE (speaker_id, clip_sha256)
    )
    """,
    """
    CREATE TABLE voiceprint.terms (
        speaker_id bigint PRIMARY KEY REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        consent_by text,
        consent_purpose text,
        consent_given timestamptz,
        expires timestamptz
    )
    """,
    "CREATE INDEX terms_expires ON voiceprint.terms (expires) WHERE expires IS NOT NULL",
    'CREATE TABLE voiceprint.opt_outs (name text COLLATE "C" PRIMARY KEY, since timestamptz NOT NULL)',
    # What a folder keeps in files beside the voiceprints, such as how the thresholds were tuned.
    "CREATE TABLE voiceprint.documents (name text PRIMARY KEY, content text NOT NULL)",
)
_VERSION_2 = (
    "ALTER TABLE voiceprint.store ADD COLUMN require_consent boolean NOT NULL DEFAULT false",
    # What the faces keep about a person, such as answers to requests that may be repeated.
    """
    CREATE TABLE voiceprint.kept (
        speaker_id bigint NOT NULL REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        key text NOT NULL,
        content bytea NOT NULL,
        until timestamptz NOT NULL,
        PRIMARY KEY (speaker_id, key)
    )
    """,
    "CREATE INDEX kept_until ON voiceprint.kept (until)",
)
_VERSION_3 = (
    # Sums over recent accepted claims: `AcceptedClaims`.
    """
    CREATE TABLE voiceprint.claims (
        speaker_id bigint PRIMARY KEY REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        weight double precision NOT NULL,
        total double precision NOT NULL,
        squares double precision NOT NULL,
        latest timestamptz NOT NULL
    )
    """,
)
_VERSION_4 = (
    # By which fingerprints a person's recordings are known again: `voiceprint.store.seen`.
    """
    CREATE TABLE voiceprint.recordings (
        speaker_id bigint PRIMARY KEY REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        content bytea NOT NULL
    )
    """,
)
_VERSION_5 = (
    # Models that were noted when the store was moved from one to another.
    """
    CREATE TABLE voiceprint.models (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        model_id text NOT NULL UNIQUE,
        dim integer NOT NULL,
        folder text NOT NULL,
        upcoming boolean NOT NULL
    )
    """,
    # Whose voiceprint another model than the present one made; that of everybody else the present one made.
    """
    CREATE TABLE voiceprint.earlier (
        speaker_id bigint PRIMARY KEY REFERENCES voiceprint.speakers (id) ON DELETE CASCADE,
        model bigint NOT NULL REFERENCES voiceprint.models (number)
    )
    """,
    # Clips embedded by the upcoming model, until all voiceprints are switched at once.
    """
    CREATE TABLE voiceprint.staged (
        LIKE voiceprint.utterances INCLUDING CONSTRAINTS INCLUDING IDENTITY,
        PRIMARY KEY (id),
        UNIQUE (speaker_id, clip_sha256),
        FOREIGN KEY (speaker_id) REFERENCES voiceprint.speakers (id) ON DELETE CASCADE
    )
    """,
    # It took embeddings of one length alone; the next opening makes it anew.
    f"DROP INDEX IF EXISTS voiceprint.{INDEX}",
)
_MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)

SCHEMA_VERSION = len(_MIGRATIONS)


def find_version(connection: Rows, *, place: str) -> int:
    """Return the version of the schema in the database; 0 if there is none.

    Raises
    ------
    StoreError
        If it is newer than this program.
    StoreDamagedError
        If there is something else under its name.
    """
    # From the table, not by to_regnamespace: that remembers, and another process may just have made it.
    if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'voiceprint'").fetchone() is None:
        return 0
    try:
        row = connection.execute("SELECT schema_version FROM voiceprint.store").fetchone()
    except (errors.UndefinedTable, errors.UndefinedColumn):
        row = None
    if row is None:
        raise StoreDamagedError(
            f"the schema voiceprint in {place} is not that of a store; restore it from a backup, or "
            "name another database",
            path=place,
        )
    version = int(row["schema_version"])
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store {place} has format {version}, made by a newer voiceprint; this one knows formats "
            f"up to {SCHEMA_VERSION}: upgrade voiceprint",
            path=place,
        )
    return version


def migrate(connection: Rows, *, place: str) -> None:
    """Bring the database to the newest schema, alone among all processes; outside of any transaction."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
        version = find_version(connection, place=place)
        if version == 0:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute("CREATE SCHEMA voiceprint")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        if version == 0:
            connection.execute(
                "INSERT INTO voiceprint.store VALUES (1, %s, %s, 0, NULL, NULL, 0, false)",
                (uuid.uuid4().bytes, SCHEMA_VERSION),
            )
        connection.execute("UPDATE voiceprint.store SET schema_version = %s", (SCHEMA_VERSION,))


def use_schema(connection: Rows, *, place: str) -> None:
    """Let names without a schema mean the store's tables, and find pgvector wherever it was installed."""
    row = connection.execute(
        "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
        "WHERE extname = 'vector'"
    ).fetchone()
    version = None if row is None else tuple(int(part) for part in re.findall(r"\d+", row["extversion"])[:2])
    installed = "not at all" if row is None else row["extversion"]
    if row is None or version is None or version < _OLDEST_PGVECTOR:
        raise StoreError(
            f"{place} has pgvector {installed}; install 0.7 or newer in the database, then "
            "have its owner run: CREATE EXTENSION vector",
            path=place,
        )
    path = f"voiceprint, {sql.Identifier(row['nspname']).as_string()}"
    connection.execute("SELECT set_config('search_path', %s, false)", (path,))
