"""EnrollmentStore: who is enrolled, with which voiceprint. Every change is one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice, check_count, check_text
from voiceprint.errors import (
    SpeakerExistsError,
    SpeakerExpiredError,
    SpeakerNotFoundError,
    StoreError,
)
from voiceprint.journal import recorded
from voiceprint.store.address import open_backend, shown
from voiceprint.store.backend import Backend
from voiceprint.store.claim import ModelClaim
from voiceprint.store.records import (
    AddMode,
    Consent,
    EnrolledUtterance,
    Enrollment,
    ImportMode,
    ImportReport,
    StoreHit,
    StoreStats,
    VoiceprintRecord,
    check_utterances,
    check_zone,
    normalize_name,
    now,
    refuse_reserved,
)
from voiceprint.store.tables import Tables
from voiceprint.store.voices import (
    import_voices,
    put_voice,
    refuse_opted_out,
    refuse_without_consent,
)

__all__ = ["EnrollmentStore"]

_BATCH = 200

_SPARE = 4
"""For so many people wanted, one more is looked at, in the place of somebody whose voiceprint has expired."""


class EnrollmentStore:
    """The voiceprints of enrolled people; use `open`, and close it or use it in a ``with``.

    They lie in a folder (SQLite and an index, for one machine) or in a PostgreSQL database (for several);
    both keep the same promises. Any number of processes may use one store at once, and the threads of a
    process may share one object. After a fork, open it anew.

    Attributes
    ----------
    path : Path or str
        The folder, or the database's URL without its password.
    read_only : bool
        Whether changes are refused, because that was asked for or because the store cannot be written.
    """

    def __init__(self, backend: Backend, *, model_id: str | None, dim: int | None) -> None:
        self.path: Path | str = backend.place
        self._backend = backend
        self._claim = ModelClaim(store=str(self.path), model_id=model_id, dim=dim)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        model_id: str | None = None,
        dim: int | None = None,
        read_only: bool = False,
    ) -> EnrollmentStore:
        """Open a store, and create it if it does not exist, unless `read_only`.

        Parameters
        ----------
        path : str or path
            The folder, or a URL as libpq reads it: ``postgresql://user@host/database``.
        model_id : str or None
            The model in use; it must be the one that made the voiceprints. An empty store takes the model of
            the first enrollment. None, for listing, removing and exporting, skips the check.
        dim : int or None
            Dimensions of the model's embeddings; needed with `model_id`.
        read_only : bool
            Never write. A store that cannot be written is opened so in any case.

        Returns
        -------
        EnrollmentStore

        Raises
        ------
        StoreError
            If it is missing, inaccessible, busy, or of a newer format.
        StoreDamagedError
            If the database is not what it should be.
        ModelMismatchError
            If its voiceprints were made with another model.
        """
        if (model_id is None) != (dim is None):
            raise StoreError("opening a store needs both model_id and dim, or neither", path=shown(path))
        backend = open_backend(path, read_only=read_only)
        store = cls(backend, model_id=model_id, dim=dim)
        try:
            with backend.reading() as tables:
                store._claim.check(tables)
        except BaseException:
            backend.close()
            raise
        return store

    def __len__(self) -> int:
        """How many people are enrolled."""
        with self._backend.reading() as tables:
            return tables.count()

    def __contains__(self, name: str) -> bool:
        """Whether a person of that name is enrolled."""
        name = normalize_name(name)
        with self._backend.reading() as tables:
            return tables.find(name) is not None

    @property
    def model_id(self) -> str | None:
        """The model that made the voiceprints; None until somebody is enrolled."""
        with self._backend.reading() as tables:
            return tables.header().model_id

    @property
    def dim(self) -> int | None:
        """Dimensions of an embedding; None until somebody is enrolled."""
        with self._backend.reading() as tables:
            return tables.header().dim

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Bring the index up to date if that is worth it, and close the database."""
        self._backend.close()

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""
        return self._backend.read_only

    @property
    def generation(self) -> int:
        """A number that grows with every change, by whichever process."""
        with self._backend.reading() as tables:
            return tables.header().generation

    @recorded("enroll")
    def add(
        self,
        name: str,
        utterances: Sequence[EnrolledUtterance],
        *,
        mode: AddMode = "new",
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
    ) -> Enrollment:
        """Enroll a person, or add clips to a voiceprint, or replace it.

        Parameters
        ----------
        name : str
        utterances : sequence of EnrolledUtterance
            At least one. A clip the person has already (the same hash) is left out and reported.
        mode : {"new", "add", "replace"}
            ``new`` refuses a person who is enrolled, ``add`` one who is not; ``replace`` takes either, and
            what it replaces leaves the disk as with `remove`.
        notes : str
            Empty keeps what was noted before.
        consent : Consent or None
            What was agreed; None keeps what was noted before.
        expires : datetime or None
            From when on the voiceprint is not used any more; None keeps what was noted before.

        Returns
        -------
        Enrollment
            As it is now; its `duplicates` name the clips that were left out.

        Raises
        ------
        InvalidNameError, SpeakerExistsError, SpeakerNotFoundError, EnrollmentError
            Nothing was changed.
        SpeakerOptedOutError, SpeakerExpiredError, ConsentRequiredError
            The person opted out, what they agreed to has ended, or the store requires consent and none is
            noted. Nothing was changed.
        StoreReadOnlyError, ModelMismatchError, StoreError
            Nothing was changed, unless the message says that only erasing the old voice failed.
        """
        return self.add_judged(
            name, lambda *_: utterances, mode=mode, notes=notes, consent=consent, expires=expires
        )

    def add_judged(
        self,
        name: str,
        judge: Callable[[Enrollment | None, frozenset[str]], Sequence[EnrolledUtterance]],
        *,
        mode: AddMode = "new",
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
    ) -> Enrollment:
        """Do what `add` does with clips that are chosen once nobody else can change the voiceprint any more.

        Parameters
        ----------
        name, mode, notes, consent, expires
            As in `add`, which also says what is returned and raised.
        judge : callable
            Called within the transaction with the voiceprint that the clips join and the hashes of its clips,
            or with None and nothing where a new one is made. It returns the utterances to enroll, and must
            be quick. What it raises ends the transaction, and nothing is changed.

        Raises
        ------
        ArgumentError
            If the mode is none of them.
        """
        check_choice("mode", mode, get_args(AddMode))
        _check_expires(expires)
        name = normalize_name(name)
        with self._backend.writing() as tables:
            dim = self._claim.take(tables)
            refuse_opted_out(tables, name)
            existing = self._existing(tables, name, mode)
            joined, clips = None, frozenset[str]()
            if existing is not None and mode != "replace":
                joined = tables.enrollment(existing)
                held = tables.read([existing])[existing].utterances
                clips = frozenset(clip.clip_sha256 for clip in held)
            utterances = judge(joined, clips)
            check_utterances(name, utterances, dim)
            record = _record(name, utterances, notes, consent, expires)
            speaker_id, duplicates = put_voice(tables, existing, record, replaces=mode == "replace")
            changed = len(duplicates) < len(utterances)
            if changed:
                tables.log_changes([speaker_id])
            enrollment = tables.enrollment(speaker_id, duplicates=duplicates)
            _refuse_expired(enrollment)
            refuse_without_consent(tables, [enrollment])
        if existing is not None and changed:
            self._backend.after_removal(f"{name!r} was enrolled anew")
        return enrollment

    @recorded("remove")
    def remove(self, name: str) -> Enrollment:
        """Remove a person: nothing finds them any more, and no file of a folder holds anything of them.

        Parameters
        ----------
        name : str

        Returns
        -------
        Enrollment
            What was removed.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        StoreError
            If other processes kept reading an older state for 10 s: the person is then removed, but their
            bytes leave the write-ahead log only with the next `erase` or opening of the store.
        """
        name = normalize_name(name)
        with self._backend.writing() as tables:
            speaker_id = self._find(tables, name)
            removed = tables.enrollment(speaker_id)
            self._delete(tables, [speaker_id])
        self._backend.after_removal(f"{name!r} was removed")
        return removed

    @recorded("rename")
    def rename(self, old: str, new: str) -> Enrollment:
        """Give a person another name; the old one leaves the disk as with `remove`.

        Raises
        ------
        SpeakerNotFoundError, SpeakerExistsError, InvalidNameError
            Nothing was changed.
        StoreError
            As with `remove`.
        """
        old, new = normalize_name(old), normalize_name(new)
        refuse_reserved(new)
        with self._backend.writing() as tables:
            refuse_opted_out(tables, new)
            speaker_id = self._find(tables, old)
            if tables.find(new) not in (None, speaker_id):
                raise SpeakerExistsError(
                    f"{new!r} is enrolled already; remove or rename them first", name=new
                )
            person = replace(tables.read([speaker_id])[speaker_id], name=new, updated=now())
            self._rewrite(tables, speaker_id, person)
            enrollment = tables.enrollment(speaker_id)
        self._backend.after_removal(f"{old!r} was renamed")
        return enrollment

    @recorded("consent")
    def set_terms(self, name: str, *, consent: Consent | None, expires: datetime | None) -> Enrollment:
        """Write down what a person agreed to and until when, in the place of what was noted before.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        EnrollmentError
            If `expires` has no time zone.
        ConsentRequiredError
            If the store requires consent and none is given.
        """
        name = normalize_name(name)
        _check_expires(expires)
        with self._backend.writing() as tables:
            speaker_id = self._find(tables, name)
            person = replace(tables.read([speaker_id])[speaker_id], consent=consent, expires=expires)
            self._rewrite(tables, speaker_id, person)
            enrollment = tables.enrollment(speaker_id)
            refuse_without_consent(tables, [enrollment])
        self._backend.after_removal(f"what {name!r} agreed to was noted")
        return enrollment

    @recorded("purge")
    def remove_expired(self) -> list[str]:
        """Remove everybody whose voiceprint has expired, as `remove` does; returns their names."""
        with self._backend.writing() as tables:
            tables.sweep_kept(now())
            expired = tables.expired(now())
            self._delete(tables, expired)
        if expired:
            self._backend.after_removal(f"{len(expired)} expired voiceprints were removed")
        return list(expired.values())

    @recorded("opt-out")
    def opt_out(self, name: str, *, since: datetime | None = None) -> None:
        """Remove a person, if they are enrolled, and refuse to enroll them until `opt_in`; the name stays.

        Parameters
        ----------
        name : str
        since : datetime or None
            When they said so; None: now. Who has opted out already keeps their time.

        Raises
        ------
        InvalidNameError, StoreError
            As with `remove`.
        """
        name = normalize_name(name)
        with self._backend.writing() as tables:
            speaker_id = tables.find(name)
            self._delete(tables, [] if speaker_id is None else [speaker_id])
            if not tables.opted_out(name):
                tables.write_opt_out(name, since or now())
                if speaker_id is None:
                    tables.log_changes([])
        if speaker_id is not None:
            self._backend.after_removal(f"{name!r} opted out")

    @recorded("opt-in")
    def opt_in(self, name: str) -> None:
        """Let somebody be enrolled again who had opted out.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name has opted out.
        """
        name = normalize_name(name)
        with self._backend.writing() as tables:
            if not tables.delete_opt_out(name):
                raise SpeakerNotFoundError(f"nobody named {name!r} has opted out", name=name)
            tables.log_changes([])
        self._backend.after_removal(f"{name!r} opted in")

    def opted_out(self, name: str) -> datetime | None:
        """Return since when somebody does not want to be enrolled; None if they did not say so."""
        name = normalize_name(name)
        with self._backend.reading() as tables:
            return tables.opted_out(name)

    def opt_outs(self) -> dict[str, datetime]:
        """Return who opted out, in the order of the code points of their names, and since when."""
        with self._backend.reading() as tables:
            return tables.opt_outs()

    def erase(self) -> None:
        """Bring everything that was removed off the disk.

        In a folder `remove`, `rename` and replacing do so themselves. A PostgreSQL database is rewritten, and
        nobody else can use the store meanwhile; docs/store-format.md says what that cannot reach.

        Raises
        ------
        StoreError
            If others kept the store busy for too long.
        """
        self._backend.check_writable()
        self._backend.erase()

    def get(self, name: str) -> Enrollment:
        """Return one person's enrollment.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        name = normalize_name(name)
        with self._backend.reading() as tables:
            self._claim.check(tables)
            return tables.enrollment(self._find(tables, name))

    def everybody(self) -> list[Enrollment]:
        """Return everybody's enrollment, in the order of the code points of their names."""
        with self._backend.reading() as tables:
            self._claim.check(tables)
            return tables.enrollments()

    def names(self) -> list[str]:
        """Return everybody's name, in the order of their code points."""
        with self._backend.reading() as tables:
            return tables.names()

    def utterances(self, name: str) -> list[EnrolledUtterance]:
        """Return the clips of one person's voiceprint, in the order they were added.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        """
        name = normalize_name(name)
        with self._backend.reading() as tables:
            speaker_id = self._find(tables, name)
            return list(tables.read([speaker_id])[speaker_id].utterances)

    def search(self, embedding: NDArray[np.float32], *, top: int, exact: bool = False) -> list[StoreHit]:
        """Find the enrolled people nearest to an embedding; those whose voiceprint has expired are left out.

        Parameters
        ----------
        embedding : ndarray of shape (dim,), float32
            Unit length.
        top : int
            How many, at least 1; fewer come back where fewer are enrolled.
        exact : bool
            Compare everybody, however many there are. Otherwise a large store asks an approximate index first
            and scores again whom it names; docs/growing.md says from which size on, and what it may miss. The
            environment variable ``VOICEPRINT_EXACT=1`` asks for it in every search of a process.

        Returns
        -------
        list of StoreHit
            Best first; equal scores in the order of names.

        Raises
        ------
        StoreError
            If the embedding does not fit the store.
        """
        check_count("top", top)
        with self._backend.reading() as tables:
            self._claim.check(tables)
            query = self._query(tables, embedding)
            if query is None:
                return []
            exact = exact or os.environ.get("VOICEPRINT_EXACT", "0") not in ("", "0")
            moment, wanted = now(), top + top // _SPARE
            while True:
                found = tables.candidates(query, top=wanted, exact=exact)
                hits = tables.nearest(found, query, moment=moment)
                if len(hits) >= top or len(found) < wanted:
                    return hits[:top]
                wanted *= 4

    @property
    def requires_consent(self) -> bool:
        """Whether nobody may be enrolled, extended or imported of whom no consent is noted."""
        with self._backend.reading() as tables:
            return tables.header().require_consent

    @recorded("require-consent")
    def require_consent(self, required: bool = True) -> None:
        """Take nobody without consent from now on, by whichever door; False takes that back.

        The store keeps it, so it holds for every process and every face. Voiceprints without consent that are
        there already stay, and can be verified against; they cannot be extended until consent is noted.

        Raises
        ------
        StoreReadOnlyError, StoreError
            Nothing was changed.
        """
        with self._backend.writing() as tables:
            tables.write_require_consent(required)
            tables.log_changes([])

    def keep(self, name: str, key: str, content: bytes, *, until: datetime) -> bool:
        """Keep something about an enrolled person for a face, such as its answer to a request.

        This is the one place for what a face keeps about a person. Whatever erases something of the person
        (removing, replacing, renaming, opting out, expiry, other terms or notes) erases all of it in the same
        transaction, whichever door asks. What names nobody, such as the key itself and when it was used, may
        stay with the face.

        Parameters
        ----------
        name : str
        key : str
            The face's; what was kept under it before is replaced. It must not say anything about the person.
        content : bytes
        until : datetime
            From then on it is not given out any more, and erased with the next change of the store.

        Returns
        -------
        bool
            Whether it is kept: nothing is of somebody who is not enrolled (any more).

        Raises
        ------
        InvalidNameError, EnrollmentError, StoreError
            Nothing is kept; EnrollmentError if `until` has no time zone.

        Examples
        --------
        >>> store.keep("ada", "key-1", b'{"status": 201}', until=tomorrow)  # doctest: +SKIP
        True
        >>> store.remove("ada"); store.kept("ada", "key-1")  # doctest: +SKIP
        None
        """
        name = normalize_name(name)
        check_zone("until", until)
        with self._backend.writing() as tables:
            tables.sweep_kept(now())
            speaker_id = tables.find(name)
            if speaker_id is None:
                return False
            tables.keep(speaker_id, key, content, until)
            return True

    def kept(self, name: str, key: str) -> bytes | None:
        """Return what `keep` kept about a person under a key; None if it was erased or its time is over."""
        name = normalize_name(name)
        with self._backend.reading() as tables:
            speaker_id = tables.find(name)
            return None if speaker_id is None else tables.kept(speaker_id, key, now())

    def sweep_kept(self) -> int:
        """Erase what was kept until a time that has passed; returns how much that was."""
        with self._backend.writing() as tables:
            swept = tables.sweep_kept(now())
        if swept:
            self._backend.after_removal(f"{swept} things whose time was over were erased")
        return swept

    def stats(self) -> StoreStats:
        """Count what the store holds."""
        with self._backend.reading() as tables:
            header = tables.header()
            n_utterances, seconds_of_speech = tables.totals()
        return StoreStats(
            path=self.path,
            n_speakers=header.n_speakers,
            n_utterances=n_utterances,
            seconds_of_speech=seconds_of_speech,
            model_id=header.model_id,
            dim=header.dim,
            generation=header.generation,
            schema_version=self._backend.schema_version,
            bytes_on_disk=self._backend.bytes_on_disk(),
            read_only=self.read_only,
        )

    def problems(self) -> list[str]:
        """Check the whole database and compare the index with it; reads everything.

        Returns
        -------
        list of str
            One line per problem; empty for a sound store.
        """
        return self._backend.problems()

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
        """
        wanted = None
        if names is not None:
            wanted = [normalize_name(name) for name in ([names] if isinstance(names, str) else names)]
        with self._backend.reading() as tables:
            ids = tables.ids() if wanted is None else self._find_all(tables, wanted)
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
    ) -> ImportReport:
        """Take in voiceprints that another store exported, all or none of them.

        Parameters
        ----------
        records : iterable of VoiceprintRecord
        model_id : str
            The model that made them; it must be the store's.
        dim : int
            Dimensions of their embeddings.
        mode : {"new", "skip", "add", "replace"}
            What to do with people who are enrolled already: refuse everything, leave them as they are, add
            the clips they do not have, or replace their voiceprint.
        opt_outs : mapping from str to datetime, optional
            Who does not want to be enrolled, and since when. A voiceprint they have here is removed.

        Returns
        -------
        ImportReport

        Raises
        ------
        ModelMismatchError, SpeakerExistsError, InvalidNameError, EnrollmentError, StoreError
            Nothing was changed.
        SpeakerOptedOutError, ConsentRequiredError
            Somebody opted out, or the store requires consent and somebody has none. Nothing was changed.
        """
        check_choice("mode", mode, get_args(ImportMode))
        outcome: dict[str, list[str]] = {"added": [], "changed": [], "skipped": []}
        changed_ids: set[int] = set()
        with self._backend.writing() as tables:
            self._claim.take_for_import(tables, model_id, dim)
            opted_out, removed = self._take_opt_outs(tables, opt_outs or {})
            for batch in _batches(records):
                imported = import_voices(tables, batch, dim=dim, mode=mode)
                for kind, speaker_id, name in imported:
                    outcome[kind].append(name)
                    if kind == "changed":
                        changed_ids.add(speaker_id)
                if tables.header().require_consent:
                    taken = [speaker_id for kind, speaker_id, _ in imported if kind != "skipped"]
                    refuse_without_consent(tables, list(tables.enrollments_of(taken).values()))
            if outcome["added"] or outcome["changed"] or (opted_out and not removed):
                tables.log_changes(sorted(changed_ids))
            overwritten = removed or bool(outcome["changed"])
        if overwritten:
            self._backend.after_removal("the import is done")
        return ImportReport(
            **{kind: tuple(names) for kind, names in outcome.items()}, opted_out=tuple(opted_out)
        )

    def _take_opt_outs(self, tables: Tables, opt_outs: Mapping[str, datetime]) -> tuple[list[str], bool]:
        """Note opt-outs, remove who is enrolled; returns the new names, and whether anybody was removed."""
        given = {normalize_name(name): since for name, since in opt_outs.items()}
        known = tables.opted_out_among(list(given))
        fresh = [name for name in given if name not in known]
        enrolled = list(tables.find_all(fresh).values())
        self._delete(tables, enrolled)
        for name in fresh:
            tables.write_opt_out(name, given[name])
        return fresh, bool(enrolled)

    def _delete(self, tables: Tables, speaker_ids: Collection[int]) -> None:
        """Take people out of the database; the caller erases when this is committed."""
        tables.delete(speaker_ids)
        if speaker_ids:
            tables.log_changes(speaker_ids)

    def _rewrite(self, tables: Tables, speaker_id: int, person: VoiceprintRecord) -> None:
        """Write other facts about a person in the place of the old ones; the caller erases those."""
        tables.write(speaker_id, person, same_clips=True)
        tables.forget_kept(speaker_id)
        tables.log_changes([speaker_id])

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

    def _existing(self, tables: Tables, name: str, mode: AddMode) -> int | None:
        if mode == "add":
            return self._find(tables, name)
        existing = tables.find(name)
        if existing is not None and mode == "new":
            raise SpeakerExistsError(
                f"{name!r} is enrolled already",
                advice="choose mode add or replace",
                name=name,
            )
        if existing is None:
            refuse_reserved(name)
        return existing

    def _find(self, tables: Tables, name: str) -> int:
        speaker_id = tables.find(name)
        if speaker_id is None:
            raise self._unknown(name)
        return speaker_id

    def _unknown(self, name: str) -> SpeakerNotFoundError:
        return SpeakerNotFoundError(
            f"nobody named {name!r} is enrolled in {self.path}", advice="check the name", name=name
        )

    def _query(self, tables: Tables, embedding: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Check what is sought; None where nobody is enrolled who could be found."""
        query = np.ascontiguousarray(embedding, dtype=np.float32)
        dim = tables.header().dim
        if dim is None or (query.shape != (dim,) and tables.count() == 0):
            return None
        if query.shape != (dim,) or not np.isfinite(query).all():
            raise StoreError(
                f"a search needs a finite embedding of shape ({dim},), got one of shape {query.shape}",
                path=str(self.path),
            )
        return query


def _batches(records: Iterable[VoiceprintRecord]) -> Iterator[list[VoiceprintRecord]]:
    waiting = iter(records)
    while batch := list(islice(waiting, _BATCH)):
        yield batch


def _record(
    name: str,
    utterances: Sequence[EnrolledUtterance],
    notes: str,
    consent: Consent | None,
    expires: datetime | None,
) -> VoiceprintRecord:
    time = now()
    return VoiceprintRecord(
        name=name,
        notes=check_text("notes", notes),
        created=time,
        updated=time,
        utterances=tuple(utterances),
        consent=consent,
        expires=expires,
    )


def _check_expires(expires: datetime | None) -> None:
    if expires is not None:
        check_zone("expires", expires)


def _refuse_expired(enrollment: Enrollment) -> None:
    """Refuse to make or extend a voiceprint that may not be used, which takes the change back."""
    if enrollment.expired:
        raise SpeakerExpiredError(
            f"what {enrollment.name!r} agreed to ended on {enrollment.expires:%Y-%m-%d}",
            advice="name a later end if they agree again",
            name=enrollment.name,
        )
