"""The tables of a store's database, and how an older one becomes the newest.

Version ``n`` of the schema (SQLite's ``user_version``) is what the first ``n`` migrations make. A published
migration is never edited; a change of the schema appends one.
"""

from __future__ import annotations

import sqlite3
import uuid

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "migrate", "stand_in"]

APPLICATION_ID = 0x56507374
"""``VPst``, in the database's header: tells a store from any other SQLite file."""

_VERSION_1 = (
    # One row. The id tells an index of this database from one of another.
    """
    CREATE TABLE store (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        id BLOB NOT NULL,
        generation INTEGER NOT NULL,
        model_id TEXT,
        dim INTEGER
    ) STRICT
    """,
    # AUTOINCREMENT: an id is never given twice, so an index that is behind cannot name the wrong person.
    """
    CREATE TABLE speakers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        notes TEXT NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        n_utterances INTEGER NOT NULL CHECK (n_utterances > 0),
        seconds_of_speech REAL NOT NULL,
        centroid BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE utterances (
        id INTEGER PRIMARY KEY,
        speaker_id INTEGER NOT NULL REFERENCES speakers (id) ON DELETE CASCADE,
        clip_sha256 BLOB NOT NULL CHECK (length(clip_sha256) = 32),
        source TEXT NOT NULL,
        seconds REAL NOT NULL,
        seconds_of_speech REAL NOT NULL,
        level_dbfs REAL,
        clipped REAL NOT NULL,
        snr_db REAL,
        added TEXT NOT NULL,
        embedding BLOB NOT NULL,
        UNIQUE (speaker_id, clip_sha256)
    ) STRICT
    """,
    # Which speakers changed in which generation: how an index catches up. Ids only, and only the newest.
    """
    CREATE TABLE changes (
        generation INTEGER NOT NULL,
        speaker_id INTEGER NOT NULL,
        PRIMARY KEY (generation, speaker_id)
    ) STRICT, WITHOUT ROWID
    """,
)
_VERSION_2 = (
    # What a person agreed to, apart from `speakers`: who has no row agreed to nothing in particular.
    """
    CREATE TABLE {schema}terms (
        speaker_id INTEGER PRIMARY KEY {owned},
        consent_by TEXT,
        consent_purpose TEXT,
        consent_given TEXT,
        expires TEXT
    ) STRICT
    """,
    "CREATE INDEX {schema}terms_expires ON terms (expires) WHERE expires IS NOT NULL",
    # Names of people who do not want to be enrolled; nothing else of them is kept.
    "CREATE TABLE {schema}opt_outs (name TEXT PRIMARY KEY, since TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
_VERSION_3 = (
    "ALTER TABLE {schema}store ADD COLUMN require_consent INTEGER NOT NULL DEFAULT 0",
    # What the faces keep about a person, such as answers to requests that may be repeated.
    """
    CREATE TABLE {schema}kept (
        speaker_id INTEGER NOT NULL {owned},
        key TEXT NOT NULL,
        content BLOB NOT NULL,
        until TEXT NOT NULL,
        PRIMARY KEY (speaker_id, key)
    ) STRICT
    """,
    "CREATE INDEX {schema}kept_until ON kept (until)",
)
_OWNED = "REFERENCES speakers (id) ON DELETE CASCADE"
_MIGRATIONS = (
    _VERSION_1,
    tuple(statement.format(schema="", owned=_OWNED) for statement in _VERSION_2),
    tuple(statement.format(schema="", owned=_OWNED) for statement in _VERSION_3),
)

SCHEMA_VERSION = len(_MIGRATIONS)


def stand_in(connection: sqlite3.Connection, version: int) -> None:
    """Let an older database that cannot be written be read: what it lacks is there in memory, and empty."""
    if version < 2:
        for statement in _VERSION_2:
            connection.execute(statement.format(schema="temp.", owned=""))
    if version < 3:
        connection.execute("CREATE TEMP TABLE store AS SELECT *, 0 AS require_consent FROM main.store")
        for statement in _VERSION_3[1:]:
            connection.execute(statement.format(schema="temp.", owned=""))


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a database from a schema version (0: empty) to the newest; inside the caller's transaction."""
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    if version == 0:
        connection.execute("INSERT INTO store VALUES (1, ?, 0, NULL, NULL, 0)", (uuid.uuid4().bytes,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
