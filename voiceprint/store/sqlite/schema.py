"""The tables of a store's database. Version 6 is the present one; `migration` brings older ones to it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable

from voiceprint.store.sqlite.sealed import padding

APPLICATION_ID = 0x56507374
"""``VPst``, in the database's header: distinguishes a store from any other SQLite file."""

SCHEMA_VERSION = 6

# One row. The id distinguishes an index of this database from one of another.
STORE = """
    CREATE TABLE {schema}store (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        id BLOB NOT NULL,
        generation INTEGER NOT NULL,
        model_id TEXT,
        dim INTEGER,
        n_speakers INTEGER NOT NULL,
        require_consent INTEGER NOT NULL,
        n_utterances INTEGER NOT NULL,
        seconds_of_speech REAL NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT
    """

_TABLES = (
    # AUTOINCREMENT: an id is never given twice, so an index that is behind cannot name the wrong person.
    # `content` has to stay the last column, and `padding` before it: see `sealed`.
    """
    CREATE TABLE {schema}voiceprints (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket INTEGER NOT NULL,
        n_utterances INTEGER NOT NULL,
        seconds_of_speech REAL NOT NULL,
        expires TEXT,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX {schema}voiceprints_bucket ON voiceprints (bucket)",
    "CREATE INDEX {schema}voiceprints_expires ON voiceprints (expires) WHERE expires IS NOT NULL",
    # Names of people who do not want to be enrolled; nothing else of them is stored.
    """
    CREATE TABLE {schema}refusals (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        bucket INTEGER NOT NULL,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX {schema}refusals_bucket ON refusals (bucket)",
    # What the faces keep about a person, such as answers to requests that may be repeated.
    """
    CREATE TABLE {schema}kept (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        speaker_id INTEGER NOT NULL REFERENCES voiceprints (id) ON DELETE CASCADE,
        until TEXT NOT NULL,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX {schema}kept_speaker ON kept (speaker_id)",
    "CREATE INDEX {schema}kept_until ON kept (until)",
)
# By which fingerprints a person's recordings are known again; no row where there are none.
RECORDINGS = """
    CREATE TABLE {schema}recordings (
        speaker_id INTEGER PRIMARY KEY REFERENCES voiceprints (id) ON DELETE CASCADE,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """
# Kept speech, and moving from one model to another.
MOVING = (
    # The speech of clips, Opus in Ogg, of people who agreed that it is kept.
    """
    CREATE TABLE {schema}audio (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        speaker_id INTEGER NOT NULL REFERENCES voiceprints (id) ON DELETE CASCADE,
        size INTEGER NOT NULL,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX {schema}audio_speaker ON audio (speaker_id)",
    # Models that were noted when the store was moved from one to another.
    """
    CREATE TABLE {schema}models (
        number INTEGER PRIMARY KEY,
        model_id TEXT NOT NULL UNIQUE,
        dim INTEGER NOT NULL,
        folder TEXT NOT NULL,
        upcoming INTEGER NOT NULL,
        checksum BLOB NOT NULL
    ) STRICT
    """,
    # Whose voiceprint another model than the present one made; that of everybody else the present one made.
    """
    CREATE TABLE {schema}earlier (
        speaker_id INTEGER PRIMARY KEY REFERENCES voiceprints (id) ON DELETE CASCADE,
        model INTEGER NOT NULL REFERENCES models (number)
    ) STRICT
    """,
    # Clips embedded by the upcoming model, until all voiceprints are switched at once.
    """
    CREATE TABLE {schema}staged (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        speaker_id INTEGER NOT NULL UNIQUE REFERENCES voiceprints (id) ON DELETE CASCADE,
        padding BLOB NOT NULL DEFAULT (zeroblob({padding})),
        content BLOB NOT NULL
    ) STRICT
    """,
)
# Which speakers changed in which generation: how an index catches up. Ids only, and only the newest.
_CHANGES = """
    CREATE TABLE changes (
        generation INTEGER NOT NULL,
        speaker_id INTEGER NOT NULL,
        PRIMARY KEY (generation, speaker_id)
    ) STRICT, WITHOUT ROWID
    """


def create_tables(connection: sqlite3.Connection, *, schema: str = "") -> None:
    """Make the tables that hold people; ``schema="temp."`` makes them in memory."""
    create(connection, (STORE, *_TABLES, RECORDINGS, *MOVING), schema=schema)


def create(connection: sqlite3.Connection, statements: Iterable[str], *, schema: str = "") -> None:
    """Make some of these tables."""
    page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    for statement in statements:
        connection.execute(statement.format(schema=schema, padding=padding(page_size)))


def initialize(connection: sqlite3.Connection) -> bytes:
    """Make all tables in an empty database, in the caller's transaction; returns the id of a new store."""
    create_tables(connection)
    connection.execute(_CHANGES)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    return uuid.uuid4().bytes


def set_version(connection: sqlite3.Connection) -> None:
    """Write down that the database has the present tables."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
