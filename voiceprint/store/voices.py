"""One person's voiceprint inside a transaction: read whole, put new, added to, replaced, imported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voiceprint.errors import ConsentRequiredError, SpeakerExistsError, SpeakerOptedOutError
from voiceprint.scoring import centroid
from voiceprint.store.records import (
    EnrolledUtterance,
    Enrollment,
    ImportMode,
    VoiceprintRecord,
    check_utterances,
    normalize_name,
)
from voiceprint.store.tables import SpeakerRow, Tables

__all__ = [
    "add_people",
    "import_voices",
    "put_voice",
    "read_voices",
    "refuse_opted_out",
    "refuse_without_consent",
]


def read_voices(tables: Tables, names: Sequence[str], dim: int) -> list[VoiceprintRecord]:
    """Read people with all their clips; those who are not enrolled (any more) are left out."""
    ids = tables.find_all(names)
    people = tables.enrollments_of(list(ids.values()))
    clips = tables.utterances_of(list(ids.values()), dim)
    return [_record(people[ids[name]], clips[ids[name]]) for name in names if name in ids]


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
    if existing is None:
        return add_people(tables, [record])[0], _split(record.utterances, ())[1]
    if replace:
        tables.delete_utterances(existing)
    held = tables.utterances(existing, dim)
    fresh, duplicates = _split(record.utterances, held)
    if fresh:
        tables.update_speaker(existing, _row(record, [*held, *fresh]))
        tables.insert_utterances((existing, clip, record.updated) for clip in fresh)
        if record.consent is not None or record.expires is not None:
            before = tables.enrollment(existing)
            agreed = record.consent or before.consent, record.expires or before.expires
            tables.write_terms([(existing, *agreed)])
    return existing, duplicates


def add_people(tables: Tables, records: Sequence[VoiceprintRecord]) -> list[int]:
    """Insert people who are not enrolled, whatever their number in a few statements; returns their ids.

    Names are normalised and utterances are checked.
    """
    voices = [_split(record.utterances, ())[0] for record in records]
    ids = tables.insert_speakers([_row(record, voice) for record, voice in zip(records, voices, strict=True)])
    tables.insert_utterances(
        (speaker_id, clip, record.updated)
        for speaker_id, record, voice in zip(ids, records, voices, strict=True)
        for clip in voice
    )
    tables.write_terms(
        (speaker_id, record.consent, record.expires)
        for speaker_id, record in zip(ids, records, strict=True)
        if record.consent is not None or record.expires is not None
    )
    return ids


def _row(record: VoiceprintRecord, voice: Sequence[EnrolledUtterance]) -> SpeakerRow:
    return SpeakerRow(
        name=record.name,
        notes=record.notes,
        created=record.created,
        updated=record.updated,
        n_utterances=len(voice),
        seconds_of_speech=sum(utterance.quality.seconds_of_speech for utterance in voice),
        centroid=centroid(np.stack([utterance.embedding for utterance in voice])),
    )


def _record(person: Enrollment, utterances: Sequence[EnrolledUtterance]) -> VoiceprintRecord:
    return VoiceprintRecord(
        name=person.name,
        notes=person.notes,
        created=person.created,
        updated=person.updated,
        utterances=tuple(utterances),
        consent=person.consent,
        expires=person.expires,
    )


def refuse_opted_out(tables: Tables, name: str) -> None:
    """Raise SpeakerOptedOutError if somebody of that name does not want to be enrolled."""
    since = tables.opted_out(name)
    if since is not None:
        raise SpeakerOptedOutError(
            f"{name!r} opted out on {since:%Y-%m-%d}, so nothing of their voice may be kept",
            advice="opt them in again if they agree",
            name=name,
        )


def refuse_without_consent(tables: Tables, people: Sequence[Enrollment]) -> None:
    """Raise ConsentRequiredError for people without consent, where the store requires it of everybody."""
    if tables.header().require_consent:
        for person in people:
            if person.consent is None:
                raise ConsentRequiredError(
                    f"the store takes nobody without consent, and none of {person.name!r} is noted",
                    advice="say who agreed, and to what",
                    name=person.name,
                )


def import_voices(
    tables: Tables, records: Sequence[VoiceprintRecord], *, dim: int, mode: ImportMode
) -> list[tuple[str, int, str]]:
    """Take in some voiceprints.

    Returns
    -------
    list of (str, int, str)
        Of each: what became of it (``added``, ``changed`` or ``skipped``, a field of `ImportReport`), the
        person's id, and their name.

    Raises
    ------
    SpeakerExistsError
        If the mode is ``new`` and a person is enrolled.
    """
    given = [_normalized(record) for record in records]
    names = [record.name for record in given]
    known = tables.find_all(names).keys() | tables.opted_out_among(names)
    plain = [record for record in given if record.name not in known and names.count(record.name) == 1]
    for record in plain:
        check_utterances(record.name, record.utterances, dim)
    added = zip(add_people(tables, plain), plain, strict=True)
    special = {record.name for record in given} - {record.name for record in plain}
    return [("added", speaker_id, record.name) for speaker_id, record in added] + [
        _import_voice(tables, record, dim=dim, mode=mode) for record in given if record.name in special
    ]


def _import_voice(
    tables: Tables, record: VoiceprintRecord, *, dim: int, mode: ImportMode
) -> tuple[str, int, str]:
    """Take in a voiceprint of somebody who is enrolled or opted out, or comes more than once."""
    if mode == "skip" and tables.opted_out(record.name):
        return "skipped", 0, record.name
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
        return "skipped", existing, record.name
    speaker_id, duplicates = put_voice(tables, existing, record, dim=dim, replace=mode == "replace")
    if existing is None:
        return "added", speaker_id, record.name
    kept = len(duplicates) == len(record.utterances)
    return ("skipped" if kept else "changed"), speaker_id, record.name


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
