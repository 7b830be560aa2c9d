"""The one row that says what a store holds, sealed with a checksum."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, replace
from typing import Any

from voiceprint.files.checksum import checksum
from voiceprint.store.tables import Header


def read_header(connection: sqlite3.Connection) -> Header:
    """Read the header; sqlite3.DatabaseError if it is missing or its checksum is wrong."""
    row = connection.execute(
        "SELECT id, generation, model_id, dim, n_speakers, require_consent, n_utterances, "
        "seconds_of_speech, checksum FROM store"
    ).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its header row is missing")
    *facts, noted = row
    if noted != checksum(facts):
        raise sqlite3.DatabaseError("the checksum of its header row is wrong")
    header = Header(**dict(zip(Header.__slots__, facts, strict=True)))
    return replace(header, require_consent=bool(header.require_consent))


def to_row(header: Header) -> list[Any]:
    """Return the columns of a header, its checksum last."""
    facts = [int(fact) if isinstance(fact, bool) else fact for fact in astuple(header)]
    return [*facts, checksum(facts)]
