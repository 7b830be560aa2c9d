"""One person's voiceprint inside a transaction: read whole, put new, added to, replaced, imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from voiceprint.errors import (
    ConsentRequiredError,
    EnrollmentError,
    SpeakerExistsError,
    SpeakerOptedOutError,
    StoreError,
)
from voiceprint.store.names import normalize_name
from voiceprint.store.records import (
    EnrolledUtterance,
    Enrollment,
    ImportMode,
    VoiceprintRecord,
)
from voiceprint.store.tables import Tables
from voiceprint.store.utterances import check_utterances

Judge = Callable[[Enrollment, Sequence[EnrolledUtterance]], Sequence[EnrolledUtterance]]
"""Says which of some clips may join a voiceprint."""


def put_voice(
    tables: Tables, existing: int | None, record: VoiceprintRecord, *, replaces: bool
) -> tuple[int, tuple[str, ...]]:
    """Insert a person, or add to (or replace) the clips of the one with the id `existing`.

    The name of `record` is normalised and its utterances are checked. Returns the id, and the sources of
    clips that were given twice or are held already: if that is all of them, nothing changed.
    """
    if existing is None:
        return _add_people(tables, [record])[0], _split(record.utterances, ())[1]
    before = tables.read([existing])[existing]
    held = () if replaces else before.utterances
    fresh, duplicates = _split(_timed(record), held)
    if fresh:
        after = replace(
            before,
            utterances=(*held, *fresh),
            updated=record.updated,
            notes=record.notes or before.notes,
            consent=record.consent or before.consent,
            expires=record.expires or before.expires,
            claims=None,  # they were of another voiceprint
        )
        tables.write(existing, after)
        if replaces or (after.notes, after.consent, after.expires) != (
            before.notes,
            before.consent,
            before.expires,
        ):
            tables.forget_keepsakes(existing)
    return existing, duplicates


def _add_people(tables: Tables, records: Sequence[VoiceprintRecord]) -> list[int]:
    """Insert people who are not enrolled, whatever their number in a few statements; returns their ids.

    Names are normalised and utterances are checked.
    """
    return tables.insert([_without_duplicates(record) for record in records])


def _without_duplicates(record: VoiceprintRecord) -> VoiceprintRecord:
    fresh, duplicates = _split(record.utterances, ())
    return replace(record, utterances=tuple(fresh)) if duplicates else record


def _timed(record: VoiceprintRecord) -> list[EnrolledUtterance]:
    """Give clips that carry no time that of the change."""
    return [
        clip if clip.added is not None else replace(clip, added=record.updated) for clip in record.utterances
    ]


def refuse_opted_out(tables: Tables, name: str) -> None:
    """Raise SpeakerOptedOutError if somebody of that name does not want to be enrolled."""
    since = tables.opted_out(name)
    if since is not None:
        raise SpeakerOptedOutError(
            f"{name!r} opted out on {since:%Y-%m-%d}, so nothing of their voice may be stored",
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


def check_keeps_speech(tables: Tables, place: object) -> None:
    """Raise StoreError if a store keeps no speech."""
    if not tables.keeps_speech:
        raise StoreError(
            f"{place} is a database, which keeps no speech: its log and its backups would outlive a removal",
            advice="keep the clips elsewhere",
            path=str(place),
        )


def refuse_audio(
    tables: Tables, person: Enrollment, utterances: Sequence[EnrolledUtterance], place: object
) -> None:
    """Raise an error where speech came with clips, and nobody agreed to that or the store keeps none."""
    if all(clip.audio is None for clip in utterances):
        return
    check_keeps_speech(tables, place)
    if person.consent is None:
        raise ConsentRequiredError(
            f"no speech is kept without consent, and none of {person.name!r} is noted",
            advice="say who agreed, and to what",
            name=person.name,
        )


def refuse_earlier(tables: Tables, speaker_id: int, name: str) -> None:
    """Raise EnrollmentError where clips of the present model cannot join a voiceprint of an earlier one."""
    if tables.enrollment(speaker_id).model_id != tables.header().model_id:
        raise EnrollmentError(
            f"{name!r} has a voiceprint of an earlier model, which other clips cannot join",
            advice="replace the voiceprint, or move it from clips that were kept",
            name=name,
        )


def import_voices(
    tables: Tables,
    records: Sequence[VoiceprintRecord],
    *,
    dim: int,
    mode: ImportMode,
    judge: Judge | None = None,
) -> list[tuple[str, int, str]]:
    """Take in some voiceprints; `judge` says which clips join that of somebody who is enrolled.

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
    times = Counter(record.name for record in given)
    names = list(times)
    known = tables.find_all(names).keys() | tables.opted_out_among(names).keys()
    plain = [record for record in given if record.name not in known and times[record.name] == 1]
    for record in plain:
        check_utterances(record.name, record.utterances, dim)
    added = zip(_add_people(tables, plain), plain, strict=True)
    special = {record.name for record in given} - {record.name for record in plain}
    return [("added", speaker_id, record.name) for speaker_id, record in added] + [
        _import_voice(tables, record, dim=dim, mode=mode, judge=judge)
        for record in given
        if record.name in special
    ]


def _import_voice(
    tables: Tables, record: VoiceprintRecord, *, dim: int, mode: ImportMode, judge: Judge | None
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
    if existing is not None and judge is not None:
        refuse_earlier(tables, existing, record.name)
        record = _that_may_join(tables, existing, record, judge)
    speaker_id, duplicates = put_voice(tables, existing, record, replaces=mode == "replace")
    if existing is None:
        return "added", speaker_id, record.name
    unchanged = len(duplicates) == len(record.utterances)
    return ("skipped" if unchanged else "changed"), speaker_id, record.name


def _that_may_join(tables: Tables, existing: int, record: VoiceprintRecord, judge: Judge) -> VoiceprintRecord:
    """Leave a person's clips out that they have already, and those that the judge leaves out."""
    fresh, _ = _split(record.utterances, tables.read([existing])[existing].utterances)
    joining = judge(tables.enrollment(existing), fresh) if fresh else ()
    return replace(record, utterances=tuple(joining))


def _normalized(record: VoiceprintRecord) -> VoiceprintRecord:
    name = normalize_name(record.name)
    return record if name == record.name else replace(record, name=name)


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
