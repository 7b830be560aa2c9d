"""Whole voiceprints out of a store and into one: for exports, and for copies between stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import get_args

from voiceprint.arguments import check_choice
from voiceprint.errors import ArgumentError, ModelMismatchError
from voiceprint.store.journal import recorded
from voiceprint.store.names import normalize_name, normalize_names
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import ImportMode, ImportReport, VoiceprintRecord, check_zone
from voiceprint.store.tables import Tables
from voiceprint.store.voices import Judge, import_voices, refuse_without_consent

_BATCH = 200


class Transfer(OpenStore):
    """The part of a store that gives out and takes in whole voiceprints."""

    def export_records(self, names: Iterable[str] | None = None) -> Iterator[VoiceprintRecord]:
        """Yield whole voiceprints, for export or for another store.

        Parameters
        ----------
        names : iterable of str or None
            Whom; None for everybody who is enrolled now. Somebody removed before their turn is left out, and
            somebody renamed where names are given.

        Yields
        ------
        VoiceprintRecord
            Each is consistent in itself; changes by others between two of them are possible.

        Raises
        ------
        SpeakerNotFoundError
            If one of the given names is not enrolled.
        ModelMismatchError
            If voiceprints among them are of an earlier model.
        """
        wanted = None
        if names is not None:
            wanted = normalize_names("names", names)
        with self._backend.reading() as tables:
            ids = tables.ids() if wanted is None else self._find_all(tables, wanted)
            if left := tables.earlier().keys() & set(ids):
                raise ModelMismatchError(
                    f"{len(left)} voiceprints in {self.path} are of an earlier model, and voiceprints of one "
                    "model only are given out",
                    advice="move them first, remove them, or back the whole store up",
                    path=str(self.path),
                )
        # In short reads: a long one would keep removed voices in the log for as long as it lasts.
        asked = None if wanted is None else frozenset(wanted)
        for start in range(0, len(ids), _BATCH):
            for record in self._records(ids[start : start + _BATCH]):
                if asked is None or record.name in asked:
                    yield record

    @recorded("import")
    def import_records(
        self,
        records: Iterable[VoiceprintRecord],
        *,
        model_id: str,
        dim: int,
        mode: ImportMode = "new",
        opt_outs: Mapping[str, datetime] | None = None,
        judge: Judge | None = None,
    ) -> ImportReport:
        """Take in voiceprints that another store exported, all or none of them.

        Parameters
        ----------
        model_id : str
            The model that made them; it must be the store's.
        mode : {"new", "skip", "add", "replace"}
            What to do with people who are enrolled already: refuse everything, leave them as they are, add
            the clips they do not have, or replace their voiceprint.
        opt_outs : mapping from str to datetime, optional
            Who does not want to be enrolled, and since when. A voiceprint they have here is removed.
        judge : callable, for the mode "add" alone
            Called within the transaction with a voiceprint and the clips that are new to it. It returns those
            that may join, and must be quick: `EnrolledPeople.import_people` gives one.

        Raises
        ------
        ArgumentError
            If the mode is none of them, or clips are to be added and nobody judges which may join.
        ModelMismatchError, SpeakerExistsError, InvalidNameError, EnrollmentError, StoreError
            Nothing was changed.
        SpeakerOptedOutError, ConsentRequiredError
            Somebody opted out, or the store requires consent and somebody has none. Nothing was changed.
        """
        check_choice("mode", mode, get_args(ImportMode))
        if (judge is not None) != (mode == "add"):
            raise ArgumentError("judge", judge, "given where clips are added, and nowhere else")
        with self._backend.writing() as tables:
            self._claim.take_for_import(tables, model_id, dim)
            opted_out, removed = self._take_opt_outs(tables, opt_outs or {})
            people = _import_people(tables, records, dim=dim, mode=mode, judge=judge)
            added, changed, skipped = (people[outcome] for outcome in ("added", "changed", "skipped"))
            if added or changed or (opted_out and not removed):
                tables.log_changes(sorted({speaker_id for speaker_id, _ in changed}))
        if removed or changed:
            self._backend.after_removal("the import is done")
        return ImportReport(
            added=tuple(name for _, name in added),
            changed=tuple(name for _, name in changed),
            skipped=tuple(name for _, name in skipped),
            opted_out=tuple(opted_out),
        )

    def _take_opt_outs(self, tables: Tables, opt_outs: Mapping[str, datetime]) -> tuple[list[str], bool]:
        """Note opt-outs, remove who is enrolled; returns the new names, and whether anybody was removed."""
        given = {normalize_name(name): since for name, since in opt_outs.items()}
        for since in given.values():
            check_zone("opt_outs", since)
        known = tables.opted_out_among(list(given))
        fresh = [name for name in given if name not in known]
        enrolled = list(tables.find_all(fresh).values())
        self._delete(tables, enrolled)
        for name in fresh:
            tables.write_opt_out(name, given[name])
        return fresh, bool(enrolled)

    def _records(self, speaker_ids: Sequence[int]) -> list[VoiceprintRecord]:
        """Read people; those who were removed meanwhile are left out."""
        with self._backend.reading() as tables:
            people = tables.read(speaker_ids)
        return [people[speaker_id] for speaker_id in speaker_ids if speaker_id in people]

    def _find_all(self, tables: Tables, names: Sequence[str]) -> list[int]:
        enrolled = tables.find_all(names)
        for name in names:
            if name not in enrolled:
                raise self._unknown(name)
        return [enrolled[name] for name in names]


def _import_people(
    tables: Tables, records: Iterable[VoiceprintRecord], *, dim: int, mode: ImportMode, judge: Judge | None
) -> dict[str, list[tuple[int, str]]]:
    """Import people in batches; returns the ids and names of those added, changed and skipped."""
    people: dict[str, list[tuple[int, str]]] = {"added": [], "changed": [], "skipped": []}
    waiting = iter(records)
    while batch := list(islice(waiting, _BATCH)):
        imported = import_voices(tables, batch, dim=dim, mode=mode, judge=judge)
        for outcome, speaker_id, name in imported:
            people[outcome].append((speaker_id, name))
        if tables.header().require_consent:
            taken = [speaker_id for outcome, speaker_id, _ in imported if outcome != "skipped"]
            refuse_without_consent(tables, list(tables.enrollments_of(taken).values()))
    return people
