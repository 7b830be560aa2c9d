"""How a database of an older schema, or none, becomes one of the present schema.

Version 1 had people and clips in rows of their own, version 2 terms and opt-outs as well. All of it is read
from the old tables and written into the new ones in one transaction; dropping a table zeroes its pages.
Version 3 had no totals in its header, version 4 no fingerprints of recordings,
version 5 no kept speech and one model.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import EnrollmentError
from voiceprint.files.checksum import checksum
from voiceprint.scoring import centroid
from voiceprint.store.records import Consent, EnrolledUtterance, VoiceprintRecord
from voiceprint.store.sqlite.schema import (
    MOVING,
    RECORDINGS,
    SCHEMA_VERSION,
    STORE,
    create,
    create_tables,
    initialize,
    set_version,
)
from voiceprint.store.sqlite.tables import SqliteTables
from voiceprint.store.tables import Header
from voiceprint.store.utterances import check_utterances

_OLD_TABLES = ("utterances", "terms", "opt_outs", "speakers", "store")
_BATCH = 500


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a database from an older version (0: empty) to the present one, in the caller's transaction."""
    if version == SCHEMA_VERSION:
        return
    if version == 0:
        store_id = initialize(connection)
        SqliteTables(connection).create_header(
            Header(id=store_id, generation=0, model_id=None, dim=None, n_speakers=0)
        )
    elif version in (3, 4, 5):
        _add_tables(connection, version)
    else:
        old = _set_aside(connection)
        create_tables(connection)
        _copy(connection, old, version)
        for table in old.values():
            connection.execute(f"DROP TABLE {table}")
    set_version(connection)


def read_in_memory(connection: sqlite3.Connection, version: int) -> None:
    """Let an older database that cannot be written be read: the present tables are there in memory."""
    if version in (3, 4, 5):
        _add_tables(connection, version, schema="temp.")
        return
    create_tables(connection, schema="temp.")
    _copy(connection, {table: f"main.{table}" for table in _OLD_TABLES}, version)


def _add_tables(connection: sqlite3.Connection, version: int, *, schema: str = "") -> None:
    """Make the tables that an older version lacks, and that of its header anew where it has no totals."""
    create(connection, MOVING, schema=schema)
    if version == 3:
        header = _header_with_totals(connection)
        if not schema:
            connection.execute("DROP TABLE store")
        create(connection, [STORE], schema=schema)
        SqliteTables(connection).create_header(header)
    if version < 5:
        create(connection, [RECORDINGS], schema=schema)


def _set_aside(connection: sqlite3.Connection) -> dict[str, str]:
    there = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    old = {table: f"old_{table}" for table in _OLD_TABLES if table in there}
    for table, aside in old.items():
        connection.execute(f"ALTER TABLE {table} RENAME TO {aside}")
    return old


def _copy(connection: sqlite3.Connection, old: dict[str, str], version: int) -> None:
    header = connection.execute(f"SELECT id, generation, model_id, dim FROM {old['store']}").fetchone()
    if header is None:
        raise sqlite3.DatabaseError("its header row is missing")
    tables = SqliteTables(connection)
    people = connection.execute(f"SELECT count(*) FROM {old['speakers']}").fetchone()[0]
    tables.create_header(
        Header(
            id=bytes(header["id"]),
            generation=header["generation"],
            model_id=header["model_id"],
            dim=header["dim"],
            n_speakers=people,
        )
    )
    waiting = _people(connection, old, version, header["dim"] or 0)
    while batch := list(islice(waiting, _BATCH)):
        tables.insert_as([speaker_id for speaker_id, _ in batch], [record for _, record in batch])
    # Ids of people who were removed are not given again either.
    speakers = old["speakers"].removeprefix("main.")
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (speakers,))
    tables.start_ids_at(max((int(row[0]) for row in last), default=0))
    if version >= 2:
        for row in connection.execute(f"SELECT name, since FROM {old['opt_outs']}").fetchall():
            tables.write_opt_out(row["name"], datetime.fromisoformat(row["since"]))
    tables.write_header(tables.header())  # with the clips of all people


def _header_with_totals(connection: sqlite3.Connection) -> Header:
    """Read the header of version 3, and all people, whose clips are counted."""
    columns = "id, generation, model_id, dim, n_speakers, require_consent"
    row = connection.execute(f"SELECT {columns}, checksum FROM main.store").fetchone()
    if row is None or row["checksum"] != checksum(list(row[:-1])):
        raise sqlite3.DatabaseError("its header row is missing, or its checksum is wrong")
    facts = dict(zip(Header.__slots__, row[:-1], strict=False))
    counted = SqliteTables(connection).counts()
    if len(counted) != row["n_speakers"]:
        raise sqlite3.DatabaseError(f"it holds {len(counted)} people where {row['n_speakers']} were noted")
    return Header(
        **{**facts, "require_consent": bool(row["require_consent"])},
        n_utterances=sum(clips for clips, _ in counted),
        seconds_of_speech=float(sum(seconds for _, seconds in counted)),
    )


def _people(
    connection: sqlite3.Connection, old: dict[str, str], version: int, dim: int
) -> Iterator[tuple[int, VoiceprintRecord]]:
    for person in connection.execute(f"SELECT * FROM {old['speakers']} ORDER BY id"):
        clips = connection.execute(
            f"SELECT * FROM {old['utterances']} WHERE speaker_id = ? ORDER BY id", (person["id"],)
        )
        terms = None
        if version >= 2:
            rows = connection.execute(f"SELECT * FROM {old['terms']} WHERE speaker_id = ?", (person["id"],))
            terms = rows.fetchone()
        try:
            record = _record(person, [_clip(row) for row in clips], terms)
            check_utterances(record.name, record.utterances, dim)
        except (ValueError, EnrollmentError) as error:
            raise sqlite3.DatabaseError(f"a row is not what it should be: {error}") from error
        _check_centroid(person, record)
        yield person["id"], record


def _check_centroid(person: Any, record: VoiceprintRecord) -> None:
    """Refuse to go on with a voiceprint whose centroid is not that of its clips: one of them is damaged."""
    stored = np.frombuffer(person["centroid"], dtype="<f4")
    expected = centroid(np.stack([clip.embedding for clip in record.utterances]))
    if stored.shape != expected.shape or not np.allclose(stored, expected, atol=1e-4):
        raise sqlite3.DatabaseError(f"the centroid of {record.name!r} is not that of their clips")


def _record(person: Any, clips: list[EnrolledUtterance], terms: Any) -> VoiceprintRecord:
    consent = None
    if terms is not None and terms["consent_by"] is not None:
        consent = Consent(
            by=terms["consent_by"],
            purpose=terms["consent_purpose"],
            given=datetime.fromisoformat(terms["consent_given"]),
        )
    expires = None if terms is None else terms["expires"]
    return VoiceprintRecord(
        name=person["name"],
        notes=person["notes"],
        created=datetime.fromisoformat(person["created"]),
        updated=datetime.fromisoformat(person["updated"]),
        utterances=tuple(clips),
        consent=consent,
        expires=None if expires is None else datetime.fromisoformat(expires),
    )


def _clip(row: Any) -> EnrolledUtterance:
    return EnrolledUtterance(
        embedding=np.frombuffer(row["embedding"], dtype="<f4").astype(np.float32),
        clip_sha256=bytes(row["clip_sha256"]).hex(),
        source=row["source"],
        quality=ClipQuality(**{field: row[field] for field in ClipQuality.__slots__}),
        added=datetime.fromisoformat(row["added"]),
    )
