"""Stores as earlier versions of voiceprint left them, for tests of migrating."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from voiceprint.scoring import centroid
from voiceprint.store import VoiceprintRecord

_VERSION_1 = """
    CREATE TABLE store (only INTEGER PRIMARY KEY CHECK (only = 1), id BLOB NOT NULL,
        generation INTEGER NOT NULL, model_id TEXT, dim INTEGER) STRICT;
    CREATE TABLE speakers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        notes TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL,
        n_utterances INTEGER NOT NULL CHECK (n_utterances > 0),
        seconds_of_speech REAL NOT NULL, centroid BLOB NOT NULL) STRICT;
    CREATE TABLE utterances (id INTEGER PRIMARY KEY, speaker_id INTEGER NOT NULL
        REFERENCES speakers (id) ON DELETE CASCADE,
        clip_sha256 BLOB NOT NULL CHECK (length(clip_sha256) = 32),
        source TEXT NOT NULL, seconds REAL NOT NULL, seconds_of_speech REAL NOT NULL, level_dbfs REAL,
        clipped REAL NOT NULL, snr_db REAL, added TEXT NOT NULL, embedding BLOB NOT NULL,
        UNIQUE (speaker_id, clip_sha256)) STRICT;
    CREATE TABLE changes (generation INTEGER NOT NULL, speaker_id INTEGER NOT NULL,
        PRIMARY KEY (generation, speaker_id)) STRICT, WITHOUT ROWID;
    PRAGMA application_id = 0x56507374;
"""
_VERSION_2 = """
    CREATE TABLE terms (speaker_id INTEGER PRIMARY KEY REFERENCES speakers (id) ON DELETE CASCADE,
        consent_by TEXT, consent_purpose TEXT, consent_given TEXT, expires TEXT) STRICT;
    CREATE INDEX terms_expires ON terms (expires) WHERE expires IS NOT NULL;
    CREATE TABLE opt_outs (name TEXT PRIMARY KEY, since TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


def make_old_store(
    folder: Path,
    people: Sequence[VoiceprintRecord],
    *,
    version: int,
    model_id: str,
    dim: int,
    opt_outs: Sequence[str] = (),
) -> None:
    """Write a store of version 1 or 2; terms and opt-outs only into one of version 2."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "voiceprints.sqlite3", isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL;" + _VERSION_1 + (_VERSION_2 if version == 2 else ""))
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO store VALUES (1, ?, 5, ?, ?)", (bytes(range(16)), model_id, dim))
    for person in people:
        _insert(connection, person, version)
    for name in opt_outs:
        connection.execute("INSERT INTO opt_outs VALUES (?, '2026-01-31T12:00:00+00:00')", (name,))
    connection.execute("COMMIT")
    connection.close()


def _insert(connection: sqlite3.Connection, person: VoiceprintRecord, version: int) -> None:
    voice = centroid(np.stack([clip.embedding for clip in person.utterances]))
    seconds = sum(clip.quality.seconds_of_speech for clip in person.utterances)
    created, updated = person.created.isoformat(), person.updated.isoformat()
    number = connection.execute(
        "INSERT INTO speakers (name, notes, created, updated, n_utterances, seconds_of_speech, centroid) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (person.name, person.notes, created, updated, len(person.utterances), seconds, voice.tobytes()),
    ).lastrowid
    for clip in person.utterances:
        added = (clip.added or person.updated).isoformat()
        connection.execute(
            "INSERT INTO utterances (speaker_id, clip_sha256, source, seconds, seconds_of_speech, "
            "level_dbfs, clipped, snr_db, added, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                bytes.fromhex(clip.clip_sha256),
                clip.source,
                *astuple(clip.quality),
                added,
                clip.embedding.tobytes(),
            ),
        )
    consent = person.consent
    if version == 2 and (consent is not None or person.expires is not None):
        said = (
            (None, None, None)
            if consent is None
            else (consent.by, consent.purpose, consent.given.isoformat())
        )
        ends = None if person.expires is None else person.expires.isoformat()
        connection.execute("INSERT INTO terms VALUES (?, ?, ?, ?, ?)", (number, *said, ends))
