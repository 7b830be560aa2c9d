"""What people agreed to, until when, and who does not want to be enrolled."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from voiceprint.arguments import check_type
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.store.journal import recorded
from voiceprint.store.names import normalize_name
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import Consent, Enrollment, check_terms, check_zone, now
from voiceprint.store.voices import refuse_without_consent


class Terms(OpenStore):
    """The part of a store that keeps consent, expiry and opt-outs."""

    @recorded("consent")
    def set_terms(self, name: str, *, consent: Consent | None, expires: datetime | None) -> Enrollment:
        """Write down what a person agreed to and until when, in the place of what was noted before.

        Without consent, speech of theirs that was kept is erased.

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
        check_terms(consent, expires)
        with self._backend.writing() as tables:
            speaker_id = self._find(tables, name)
            person = replace(tables.read([speaker_id])[speaker_id], consent=consent, expires=expires)
            self._rewrite(tables, speaker_id, person)
            if consent is None:
                tables.forget_audio(speaker_id)
            enrollment = tables.enrollment(speaker_id)
            refuse_without_consent(tables, [enrollment])
        self._backend.after_removal(f"what {name!r} agreed to was noted")
        return enrollment

    @recorded("purge")
    def remove_expired(self) -> list[str]:
        """Remove everybody whose voiceprint has expired, as `remove` does; returns their names."""
        moment = now()
        with self._backend.writing() as tables:
            swept = tables.sweep_keepsakes(moment)
            expired = tables.expired(moment)
            self._delete(tables, expired)
        if expired or swept:
            self._backend.after_removal(f"{len(expired)} expired voiceprints were removed")
        return list(expired.values())

    @recorded("opt-out")
    def opt_out(self, name: str, *, since: datetime | None = None) -> None:
        """Remove a person, if they are enrolled, and refuse to enroll them until `opt_in`; the name stays.

        Parameters
        ----------
        since : datetime or None
            When they said so; None: now. Who has opted out already keeps their time.

        Raises
        ------
        InvalidNameError, StoreError
            As with `remove`.
        EnrollmentError
            If `since` has no time zone.
        """
        name = normalize_name(name)
        if since is not None:
            check_zone("since", since)
        with self._backend.writing() as tables:
            speaker_id = tables.find_by_all_means(name)
            self._delete(tables, [] if speaker_id is None else [speaker_id])
            if not tables.opted_out(name):
                tables.write_opt_out(name, since or now())
                if speaker_id is None:
                    tables.log_changes([])
        if speaker_id is not None:
            self._backend.after_removal(f"{name!r} opted out")

    @recorded("opt-in")
    def opt_in(self, name: str) -> None:
        """Let somebody who opted out be enrolled again; SpeakerNotFoundError if nobody of that name did."""
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
        check_type("required", required, bool, "True or False")
        with self._backend.writing() as tables:
            tables.write_require_consent(required)
            tables.log_changes([])
