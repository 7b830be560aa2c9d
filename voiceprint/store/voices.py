"""One person's voiceprint inside a transaction: read whole, put new, added to, replaced, imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from voiceprint.errors import SpeakerExistsError
from voiceprint.scoring import centroid
from voiceprint.store import rows
from voiceprint.store.records import (
    EnrolledUtterance,
    ImportMode,
    VoiceprintRecord,
    check_utterances,
    normalize_name,
)

__all__ = ["import_voice", "put_voice", "read_voice"]


def read_voice(connection: sqlite3.Connection, speaker_id: int, dim: int) -> VoiceprintRecord:
    """Read a person with all their clips."""
    person = rows.enrollment(connection, speaker_id)
    return VoiceprintRecord(
        name=person.name,
        notes=person.notes,
        created=person.created,
        updated=person.updated,
        utterances=tuple(rows.read_utterances(connection, speaker_id, dim)),
    )


def put_voice(
    connection: sqlite3.Connection,
    existing: int | None,
    record: VoiceprintRecord,
    *,
    dim: int,
    replace: bool,
) -> tuple[int, tuple[str, ...]]:
    """Insert a person, or add to (or replace) the clips of the one with the id `existing`.

    Parameters
    ----------
    record : VoiceprintRecord
        Its name is normalised and its utterances are checked.

    Returns
    -------
    speaker_id : int
    duplicates : tuple of str
        Sources of clips that were given twice or are held already. If that is all of them, nothing changed.
    """
    if existing is not None and replace:
        rows.delete_utterances(connection, existing)
    held = [] if existing is None else rows.read_utterances(connection, existing, dim)
    fresh, duplicates = _split(record.utterances, held)
    if not fresh and existing is not None:
        return existing, duplicates
    voice = [*held, *fresh]
    speaker_id = rows.write_speaker(
        connection,
        existing,
        name=record.name,
        notes=record.notes,
        created=record.created,
        updated=record.updated,
        n_utterances=len(voice),
        seconds_of_speech=sum(utterance.quality.seconds_of_speech for utterance in voice),
        centroid=centroid(np.stack([utterance.embedding for utterance in voice])),
    )
    rows.insert_utterances(connection, speaker_id, fresh, added=record.updated)
    return speaker_id, duplicates


def import_voice(
    connection: sqlite3.Connection, record: VoiceprintRecord, *, dim: int, mode: ImportMode
) -> tuple[str, int]:
    """Take in one voiceprint.

    Returns
    -------
    outcome : {"added", "changed", "skipped"}
        A field of `ImportReport`.
    speaker_id : int

    Raises
    ------
    SpeakerExistsError
        If the mode is ``new`` and the person is enrolled.
    """
    record = _normalized(record)
    check_utterances(record.name, record.utterances, dim)
    existing = rows.find(connection, record.name)
    if existing is not None and mode == "new":
        raise SpeakerExistsError(
            f"{record.name!r} is enrolled already, so nothing was imported; "
            "choose to skip, add to or replace those who are",
            name=record.name,
        )
    if existing is not None and mode == "skip":
        return "skipped", existing
    speaker_id, duplicates = put_voice(connection, existing, record, dim=dim, replace=mode == "replace")
    if existing is None:
        return "added", speaker_id
    return ("skipped" if len(duplicates) == len(record.utterances) else "changed"), speaker_id


def _normalized(record: VoiceprintRecord) -> VoiceprintRecord:
    return VoiceprintRecord(
        name=normalize_name(record.name),
        notes=record.notes,
        created=record.created,
        updated=record.updated,
        utterances=record.utterances,
    )


def _split(
    utterances: Sequence[EnrolledUtterance], held: Sequence[EnrolledUtterance]
) -> tuple[list[EnrolledUtterance], tuple[str, ...]]:
    """Tell clips that are new from those that are held already or given twice."""
    seen = {utterance.clip_sha256 for utterance in held}
    fresh: list[EnrolledUtterance] = []
    duplicates: list[str] = []
    for utterance in utterances:
        if utterance.clip_sha256 in seen:
            duplicates.append(utterance.source)
        else:
            fresh.append(utterance)
            seen.add(utterance.clip_sha256)
    return fresh, tuple(duplicates)
