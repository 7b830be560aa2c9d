"""One person's voiceprint inside a transaction: read whole, put new, added to, replaced, imported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voiceprint.errors import SpeakerExistsError, SpeakerOptedOutError
from voiceprint.scoring import centroid
from voiceprint.store.records import (
    EnrolledUtterance,
    ImportMode,
    VoiceprintRecord,
    check_utterances,
    normalize_name,
)
from voiceprint.store.tables import Tables

__all__ = ["import_voice", "put_voice", "read_voice", "refuse_opted_out"]


def read_voice(tables: Tables, speaker_id: int, dim: int) -> VoiceprintRecord:
    """Read a person with all their clips."""
    person = tables.enrollment(speaker_id)
    return VoiceprintRecord(
        name=person.name,
        notes=person.notes,
        created=person.created,
        updated=person.updated,
        utterances=tuple(tables.utterances(speaker_id, dim)),
        consent=person.consent,
        expires=person.expires,
    )


def put_voice(
    tables: Tables,
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
        tables.delete_utterances(existing)
    held = [] if existing is None else tables.utterances(existing, dim)
    fresh, duplicates = _split(record.utterances, held)
    if not fresh and existing is not None:
        return existing, duplicates
    voice = [*held, *fresh]
    speaker_id = tables.write_speaker(
        existing,
        name=record.name,
        notes=record.notes,
        created=record.created,
        updated=record.updated,
        n_utterances=len(voice),
        seconds_of_speech=sum(utterance.quality.seconds_of_speech for utterance in voice),
        centroid=centroid(np.stack([utterance.embedding for utterance in voice])),
    )
    tables.insert_utterances(speaker_id, fresh, added=record.updated)
    if record.consent is not None or record.expires is not None:
        before = tables.enrollment(speaker_id)
        tables.write_terms(speaker_id, record.consent or before.consent, record.expires or before.expires)
    return speaker_id, duplicates


def refuse_opted_out(tables: Tables, name: str) -> None:
    """Raise SpeakerOptedOutError if somebody of that name does not want to be enrolled."""
    since = tables.opted_out(name)
    if since is not None:
        raise SpeakerOptedOutError(
            f"{name!r} opted out on {since:%Y-%m-%d}, so nothing of their voice may be kept; "
            "`voiceprint consent opt-in` takes that back",
            name=name,
        )


def import_voice(tables: Tables, record: VoiceprintRecord, *, dim: int, mode: ImportMode) -> tuple[str, int]:
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
    if mode == "skip" and tables.opted_out(record.name):
        return "skipped", 0
    refuse_opted_out(tables, record.name)
    check_utterances(record.name, record.utterances, dim)
    existing = tables.find(record.name)
    if existing is not None and mode == "new":
        raise SpeakerExistsError(
            f"{record.name!r} is enrolled already, so nothing was imported; "
            "choose to skip, add to or replace those who are",
            name=record.name,
        )
    if existing is not None and mode == "skip":
        return "skipped", existing
    speaker_id, duplicates = put_voice(tables, existing, record, dim=dim, replace=mode == "replace")
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
        consent=record.consent,
        expires=record.expires,
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
