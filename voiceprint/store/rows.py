"""The SQL of a store: every statement on its tables, and rows to records and back.

Functions work in the transaction of the connection they are given. A row that is not what it should be is
told as SQLite tells a damaged page, by ``sqlite3.DatabaseError``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from voiceprint.quality import ClipQuality
from voiceprint.scoring import cosine
from voiceprint.store.records import Consent, EnrolledUtterance, Enrollment, StoreHit, file_name

__all__ = [
    "Header",
    "changes_since",
    "claim",
    "count",
    "delete_opt_out",
    "delete_speaker",
    "delete_utterances",
    "enrollment",
    "expired",
    "find",
    "held_hashes",
    "insert_utterances",
    "log_changes",
    "names",
    "nearest",
    "opt_outs",
    "opted_out",
    "read_centroids",
    "read_header",
    "read_utterances",
    "rename",
    "totals",
    "write_opt_out",
    "write_speaker",
    "write_terms",
]

MAX_LOGGED_CHANGES = 10_000
"""An index further behind than this is quicker rebuilt than brought up to date."""

_LITTLE_ENDIAN_FLOAT32 = np.dtype("<f4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The one row that describes the store; `model_id` and `dim` are None until somebody is enrolled."""

    id: bytes
    generation: int
    model_id: str | None
    dim: int | None


def read_header(connection: sqlite3.Connection) -> Header:
    """Return the store's id, generation and model."""
    row = connection.execute("SELECT id, generation, model_id, dim FROM store").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its header row is missing")
    return Header(id=row["id"], generation=row["generation"], model_id=row["model_id"], dim=row["dim"])


def claim(connection: sqlite3.Connection, model_id: str, dim: int) -> None:
    """Make the store one of this model's voiceprints."""
    connection.execute(
        "UPDATE store SET model_id = ?1, dim = ?2 WHERE (model_id, dim) IS NOT (?1, ?2)", (model_id, dim)
    )


def log_changes(connection: sqlite3.Connection, speaker_ids: Iterable[int]) -> None:
    """Begin a new generation, in which these speakers changed, and forget the oldest ones' log."""
    previous = read_header(connection).generation
    # Counted in nanoseconds of the clock, so that a restored backup never reaches again a number
    # that an index of the lost history carries.
    generation = max(previous + 1, time.time_ns())
    connection.execute("UPDATE store SET generation = ?", (generation,))
    connection.executemany("INSERT INTO changes VALUES (?, ?)", ((generation, i) for i in speaker_ids))
    connection.execute(
        "DELETE FROM changes WHERE generation < "
        "(SELECT generation FROM changes ORDER BY generation DESC LIMIT 1 OFFSET ?)",
        (MAX_LOGGED_CHANGES,),
    )


def changes_since(connection: sqlite3.Connection, generation: int) -> list[int] | None:
    """Return the ids of speakers changed after a generation; None if the log does not know it (any more)."""
    if connection.execute("SELECT 1 FROM changes WHERE generation = ?", (generation,)).fetchone() is None:
        return None
    rows = connection.execute("SELECT DISTINCT speaker_id FROM changes WHERE generation > ?", (generation,))
    return [row[0] for row in rows]


def find(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the id of a person, or None."""
    row = connection.execute("SELECT id FROM speakers WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def names(connection: sqlite3.Connection) -> list[str]:
    """Return everybody's name, in the order of their code points."""
    return [row[0] for row in connection.execute("SELECT name FROM speakers ORDER BY name")]


def count(connection: sqlite3.Connection) -> int:
    """Return how many people are enrolled."""
    return int(connection.execute("SELECT count(*) FROM speakers").fetchone()[0])


def totals(connection: sqlite3.Connection) -> tuple[int, int, float]:
    """Return the number of speakers, of utterances, and their seconds of speech."""
    row = connection.execute(
        "SELECT count(*), total(n_utterances), total(seconds_of_speech) FROM speakers"
    ).fetchone()
    return int(row[0]), int(row[1]), float(row[2])


def enrollment(
    connection: sqlite3.Connection, speaker_id: int, *, duplicates: tuple[str, ...] = ()
) -> Enrollment:
    """Read one person."""
    header = read_header(connection)
    row = connection.execute(
        "SELECT * FROM speakers LEFT JOIN terms ON terms.speaker_id = speakers.id WHERE id = ?", (speaker_id,)
    ).fetchone()
    return Enrollment(
        name=row["name"],
        n_utterances=row["n_utterances"],
        seconds_of_speech=row["seconds_of_speech"],
        model_id=header.model_id or "",
        created=datetime.fromisoformat(row["created"]),
        updated=datetime.fromisoformat(row["updated"]),
        notes=row["notes"],
        centroid=_from_blob(row["centroid"], header.dim or 0),
        duplicates=duplicates,
        consent=_consent(row),
        expires=_time(row["expires"]),
    )


def read_utterances(connection: sqlite3.Connection, speaker_id: int, dim: int) -> list[EnrolledUtterance]:
    """Read one person's clips, in the order they were added."""
    rows = connection.execute("SELECT * FROM utterances WHERE speaker_id = ? ORDER BY id", (speaker_id,))
    return [_utterance(row, dim) for row in rows]


def held_hashes(connection: sqlite3.Connection, speaker_id: int) -> set[str]:
    """Return the hashes of one person's clips."""
    rows = connection.execute("SELECT clip_sha256 FROM utterances WHERE speaker_id = ?", (speaker_id,))
    return {row[0].hex() for row in rows}


def write_speaker(
    connection: sqlite3.Connection,
    speaker_id: int | None,
    *,
    name: str,
    notes: str,
    created: datetime,
    updated: datetime,
    n_utterances: int,
    seconds_of_speech: float,
    centroid: NDArray[np.float32],
) -> int:
    """Insert a person (no id yet) or update one; empty notes leave the old ones. Returns the id."""
    values = (updated.isoformat(), n_utterances, seconds_of_speech, _to_blob(centroid))
    if speaker_id is None:
        cursor = connection.execute(
            "INSERT INTO speakers (name, notes, created, updated, n_utterances, seconds_of_speech, centroid) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, notes, created.isoformat(), *values),
        )
        return int(cursor.lastrowid or 0)
    connection.execute(
        "UPDATE speakers SET updated = ?, n_utterances = ?, seconds_of_speech = ?, centroid = ?, "
        "notes = coalesce(nullif(?, ''), notes) WHERE id = ?",
        (*values, notes, speaker_id),
    )
    return speaker_id


def write_terms(
    connection: sqlite3.Connection, speaker_id: int, consent: Consent | None, expires: datetime | None
) -> None:
    """Write down what a person agreed to, in the place of what was written before."""
    agreed = (None, None, None) if consent is None else (consent.by, consent.purpose, _utc(consent.given))
    connection.execute(
        "INSERT OR REPLACE INTO terms VALUES (?, ?, ?, ?, ?)",
        (speaker_id, *agreed, None if expires is None else _utc(expires)),
    )


def expired(connection: sqlite3.Connection, now: datetime) -> dict[int, str]:
    """Return ids and names of people whose voiceprints may not be used any more."""
    found = connection.execute(
        "SELECT id, name FROM terms JOIN speakers ON id = speaker_id WHERE expires <= ? ORDER BY name",
        (_utc(now),),
    )
    return {row["id"]: row["name"] for row in found}


def opted_out(connection: sqlite3.Connection, name: str) -> datetime | None:
    """Return since when somebody does not want to be enrolled, or None."""
    row = connection.execute("SELECT since FROM opt_outs WHERE name = ?", (name,)).fetchone()
    return None if row is None else datetime.fromisoformat(row["since"])


def opt_outs(connection: sqlite3.Connection) -> list[str]:
    """Return the names of people who opted out, in the order of their code points."""
    return [row["name"] for row in connection.execute("SELECT name FROM opt_outs ORDER BY name")]


def write_opt_out(connection: sqlite3.Connection, name: str, since: datetime) -> None:
    """Note that somebody does not want to be enrolled; who has said so keeps their time."""
    connection.execute("INSERT OR IGNORE INTO opt_outs VALUES (?, ?)", (name, _utc(since)))


def delete_opt_out(connection: sqlite3.Connection, name: str) -> bool:
    """Forget that somebody opted out; returns whether they had."""
    return connection.execute("DELETE FROM opt_outs WHERE name = ?", (name,)).rowcount > 0


def insert_utterances(
    connection: sqlite3.Connection,
    speaker_id: int,
    utterances: Sequence[EnrolledUtterance],
    *,
    added: datetime,
) -> None:
    """Insert clips of one person; `added` stands in where a clip carries no time of its own."""
    connection.executemany(
        "INSERT INTO utterances (speaker_id, clip_sha256, source, seconds, seconds_of_speech, level_dbfs, "
        "clipped, snr_db, added, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                speaker_id,
                bytes.fromhex(utterance.clip_sha256),
                file_name(utterance.source),
                utterance.quality.seconds,
                utterance.quality.seconds_of_speech,
                utterance.quality.level_dbfs,
                utterance.quality.clipped,
                utterance.quality.snr_db,
                (utterance.added or added).isoformat(),
                _to_blob(utterance.embedding),
            )
            for utterance in utterances
        ),
    )


def delete_utterances(connection: sqlite3.Connection, speaker_id: int) -> None:
    """Delete all clips of one person."""
    connection.execute("DELETE FROM utterances WHERE speaker_id = ?", (speaker_id,))


def delete_speaker(connection: sqlite3.Connection, speaker_id: int) -> None:
    """Delete a person and all their clips."""
    connection.execute("DELETE FROM speakers WHERE id = ?", (speaker_id,))


def rename(connection: sqlite3.Connection, speaker_id: int, name: str, updated: datetime) -> None:
    """Give a person another name."""
    connection.execute(
        "UPDATE speakers SET name = ?, updated = ? WHERE id = ?", (name, updated.isoformat(), speaker_id)
    )


def read_centroids(
    connection: sqlite3.Connection, dim: int, *, only: Sequence[int] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Read ids (n,) and centroids (n, dim) of everybody, or of those of the given ids that exist."""
    if only is None:
        cursor = connection.execute("SELECT id, centroid FROM speakers")
    else:
        cursor = connection.execute(
            "SELECT id, centroid FROM speakers WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(only)),),
        )
    cursor.row_factory = None
    rows = cursor.fetchall()
    if any(len(blob) != dim * _LITTLE_ENDIAN_FLOAT32.itemsize for _, blob in rows):
        raise sqlite3.DatabaseError(f"a centroid does not have {dim} dimensions")
    ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    centroids = np.frombuffer(b"".join(blob for _, blob in rows), dtype=_LITTLE_ENDIAN_FLOAT32)
    return ids, _checked(centroids).reshape(len(rows), dim)


def nearest(
    connection: sqlite3.Connection, ids: NDArray[np.int64], query: NDArray[np.float32]
) -> list[StoreHit]:
    """Score these people against a query (dim,): best first, equal scores in the order of names."""
    people = connection.execute(
        "SELECT name, n_utterances, centroid FROM speakers WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids.tolist()),),
    ).fetchall()
    scores = cosine([_from_blob(person["centroid"], len(query)) for person in people], query)
    found = [
        StoreHit(name=person["name"], score=score, n_utterances=person["n_utterances"])
        for person, score in zip(people, scores.tolist(), strict=True)
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.name))


def _consent(row: sqlite3.Row) -> Consent | None:
    if row["consent_by"] is None:
        return None
    return Consent(
        by=row["consent_by"],
        purpose=row["consent_purpose"],
        given=datetime.fromisoformat(row["consent_given"]),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _utc(time: datetime) -> str:
    # In one zone the texts stand in the order of the times.
    return time.astimezone(UTC).isoformat()


def _utterance(row: sqlite3.Row, dim: int) -> EnrolledUtterance:
    return EnrolledUtterance(
        embedding=_from_blob(row["embedding"], dim),
        clip_sha256=row["clip_sha256"].hex(),
        source=row["source"],
        quality=ClipQuality(
            seconds=row["seconds"],
            seconds_of_speech=row["seconds_of_speech"],
            level_dbfs=row["level_dbfs"],
            clipped=row["clipped"],
            snr_db=row["snr_db"],
        ),
        added=datetime.fromisoformat(row["added"]),
    )


def _to_blob(embedding: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(embedding, dtype=_LITTLE_ENDIAN_FLOAT32).tobytes()


def _from_blob(blob: bytes, dim: int) -> NDArray[np.float32]:
    if len(blob) != dim * _LITTLE_ENDIAN_FLOAT32.itemsize:
        raise sqlite3.DatabaseError(f"an embedding has {len(blob)} bytes, not those of {dim} dimensions")
    return _checked(np.frombuffer(blob, dtype=_LITTLE_ENDIAN_FLOAT32))


def _checked(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(embeddings).all():
        raise sqlite3.DatabaseError("an embedding holds values that are not finite")
    return embeddings.astype(np.float32)
