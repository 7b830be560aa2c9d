"""EnrollmentStore: who is enrolled, with which voiceprint. Every change is one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Self, get_args

from voiceprint.arguments import check_choice, check_count, check_text
from voiceprint.errors import SpeakerExistsError, SpeakerExpiredError, StoreError
from voiceprint.store import voices
from voiceprint.store.address import open_backend, shown
from voiceprint.store.journal import recorded
from voiceprint.store.keepsakes import Keepsakes
from voiceprint.store.kept_audio import KeptAudio
from voiceprint.store.moving import Moving
from voiceprint.store.names import normalize_name, refuse_reserved
from voiceprint.store.recordings import KnownRecordings
from voiceprint.store.records import (
    AddMode,
    Consent,
    EnrolledUtterance,
    Enrollment,
    StoreStats,
    VoiceprintRecord,
    check_terms,
    now,
)
from voiceprint.store.restoring import Restoring
from voiceprint.store.search import Searching
from voiceprint.store.tables import Tables
from voiceprint.store.terms import Terms
from voiceprint.store.transfer import Transfer
from voiceprint.store.utterances import check_utterances


class EnrollmentStore(Searching, Terms, Keepsakes, KnownRecordings, KeptAudio, Transfer, Moving, Restoring):
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

    Examples
    --------
    >>> with EnrollmentStore.open("enrollments", read_only=True) as store:
    ...     store.names()
    ['ada', 'bert']
    """

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        model_id: str | None = None,
        dim: int | None = None,
        read_only: bool = False,
        create: bool = True,
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
        create : bool
            False: rather fail than make a new store.

        Raises
        ------
        StoreError
            If it is missing, inaccessible, busy, or of a newer format.
        StoreDamagedError
            If the database is not what it should be.
        ModelMismatchError
            If its voiceprints were made with another model.
        """
        if dim is not None:
            check_count("dim", dim)
        if (model_id is None) != (dim is None):
            raise StoreError("opening a store needs both model_id and dim, or neither", path=shown(path))
        if not create:
            open_backend(path, read_only=True).close()
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

    def __exit__(self, *_: object) -> None:
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
        ArgumentError, InvalidNameError, SpeakerExistsError, SpeakerNotFoundError, EnrollmentError
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

    @recorded("enroll")
    def add_judged(
        self,
        name: str,
        judge: Callable[[Enrollment | None, Sequence[EnrolledUtterance]], Sequence[EnrolledUtterance]],
        *,
        mode: AddMode = "new",
        notes: str = "",
        consent: Consent | None = None,
        expires: datetime | None = None,
        replacing: Callable[[Enrollment], None] | None = None,
    ) -> Enrollment:
        """Do what `add` does with clips that are chosen once nobody else can change the voiceprint any more.

        Parameters
        ----------
        name, mode, notes, consent, expires
            As in `add`, which also says what is returned and raised.
        judge : callable
            Called within the transaction with the voiceprint that the clips join and its clips, or with None
            and nothing where a new one is made. It returns the utterances to enroll, and must be quick. What
            it raises ends the transaction, and nothing is changed.
        replacing : callable, optional
            Called before that with the voiceprint that is to be replaced; what it raises does the same.

        Raises
        ------
        ArgumentError
            If the mode is none of them.
        """
        check_choice("mode", mode, get_args(AddMode))
        check_terms(consent, expires)
        name = normalize_name(name)
        with self._backend.writing() as tables:
            dim = self._claim.take(tables)
            voices.refuse_opted_out(tables, name)
            existing = self._existing(tables, name, mode)
            joined, held = None, tuple[EnrolledUtterance, ...]()
            if existing is not None and mode != "replace":
                voices.refuse_earlier(tables, existing, name)
                joined = tables.enrollment(existing)
                held = tables.read([existing])[existing].utterances
            elif existing is not None and replacing is not None:
                replacing(tables.enrollment(existing))
            utterances = judge(joined, held)
            check_utterances(name, utterances, dim)
            record = _record(name, utterances, notes, consent, expires)
            speaker_id, duplicates = voices.put_voice(tables, existing, record, replaces=mode == "replace")
            changed = len(duplicates) < len(utterances)
            if changed:
                tables.log_changes([speaker_id])
            enrollment = tables.enrollment(speaker_id, duplicates=duplicates)
            _refuse_expired(enrollment)
            voices.refuse_without_consent(tables, [enrollment])
            voices.refuse_audio(tables, enrollment, utterances, self.path)
        if existing is not None and changed:
            self._backend.after_removal(f"{name!r} was enrolled anew")
        return enrollment

    def check_mode(self, name: str, mode: AddMode) -> None:
        """Raise what `add` would raise of this person and mode, whatever the clips are."""
        check_choice("mode", mode, get_args(AddMode))
        name = normalize_name(name)
        with self._backend.reading() as tables:
            self._claim.check(tables)
            voices.refuse_opted_out(tables, name)
            self._existing(tables, name, mode)

    @recorded("remove")
    def remove(self, name: str) -> Enrollment:
        """Remove a person: nothing finds them any more, and no file of a folder holds anything of them.

        Raises
        ------
        SpeakerNotFoundError
            If nobody of that name is enrolled.
        StoreError
            If other processes read an older state for 10 s: the person is then removed, but their
            bytes leave the write-ahead log only with the next `erase` or opening of the store.
        """
        name = normalize_name(name)
        with self._backend.writing() as tables:
            speaker_id = tables.find_by_all_means(name)
            if speaker_id is None:
                raise self._unknown(name)
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
            voices.refuse_opted_out(tables, new)
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

    def erase(self) -> None:
        """Bring everything that was removed off the disk.

        In a folder `remove`, `rename` and replacing do so themselves. A PostgreSQL database is rewritten, and
        nobody else can use the store meanwhile; docs/reference/store-format.md says what that cannot reach.

        Raises
        ------
        StoreError
            If others made the store wait for too long.
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

    def stats(self) -> StoreStats:
        """Count what the store holds."""
        with self._backend.reading() as tables:
            header = tables.header()
            n_utterances, seconds_of_speech = tables.totals()
            n_earlier, (n_kept, kept_bytes) = tables.earlier_count(), tables.audio_totals()
        return StoreStats(
            path=self.path,
            n_speakers=header.n_speakers,
            n_utterances=n_utterances,
            seconds_of_speech=seconds_of_speech,
            n_earlier=n_earlier,
            n_kept=n_kept,
            kept_bytes=kept_bytes,
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


def _refuse_expired(enrollment: Enrollment) -> None:
    """Refuse to make or extend a voiceprint that may not be used, which takes the change back."""
    if enrollment.expired:
        raise SpeakerExpiredError(
            f"what {enrollment.name!r} agreed to ended on {enrollment.expires:%Y-%m-%d}",
            advice="name a later end if they agree again",
            name=enrollment.name,
        )
