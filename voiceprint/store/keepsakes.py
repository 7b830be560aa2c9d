"""What faces store about people, such as answers to requests that may be repeated: erased with the person."""

from __future__ import annotations

from datetime import datetime

from voiceprint.store.names import normalize_name
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import check_zone, now


class Keepsakes(OpenStore):
    """The part of a store in which faces store something about people."""

    def keep(self, name: str, key: str, content: bytes, *, until: datetime) -> bool:
        """Store something about an enrolled person for a face, such as its answer to a request.

        This is the one place for what a face stores about a person. Whatever erases something of the person
        (removing, replacing, renaming, opting out, expiry, other terms or notes) erases all of it in the same
        transaction, whichever door asks. What names nobody, such as the key itself and when it was used, may
        stay with the face.

        Parameters
        ----------
        key : str
            The face's; an earlier keepsake of this key is replaced. It must say nothing about the person.
        until : datetime
            From then on it is not given out any more; `sweep_keepsakes` and `remove_expired` erase it.

        Returns
        -------
        bool
            Whether it is stored: nothing is of somebody who is not enrolled (any more).

        Raises
        ------
        InvalidNameError, EnrollmentError, StoreError
            Nothing is stored; EnrollmentError if `until` has no time zone.

        Examples
        --------
        >>> from datetime import UTC, datetime, timedelta
        >>> store, tomorrow = verifier.store, datetime.now(UTC) + timedelta(days=1)
        >>> store.keep("ada", "key-1", b'{"status": 201}', until=tomorrow)
        True
        >>> _ = store.remove("ada")
        >>> store.keepsake("ada", "key-1") is None
        True
        """
        name = normalize_name(name)
        check_zone("until", until)
        with self._backend.writing() as tables:
            speaker_id = tables.find(name)
            if speaker_id is None:
                return False
            tables.keep(speaker_id, key, content, until)
            return True

    def keepsake(self, name: str, key: str) -> bytes | None:
        """Return what `keep` stored about a person; None if it was erased or its time is over."""
        name = normalize_name(name)
        with self._backend.reading() as tables:
            speaker_id = tables.find(name)
            return None if speaker_id is None else tables.keepsake(speaker_id, key, now())

    def sweep_keepsakes(self) -> int:
        """Erase keepsakes whose time is over; returns how many."""
        with self._backend.writing() as tables:
            swept = tables.sweep_keepsakes(now())
        if swept:
            self._backend.after_removal(f"{swept} things whose time was over were erased")
        return swept
