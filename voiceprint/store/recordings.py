"""Which recordings of a person were enrolled or accepted: looked up, and remembered with a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from voiceprint.store.accepted import AcceptedClaims, AcceptedRecording
from voiceprint.store.names import normalize_name
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import now
from voiceprint.store.seen import SeenRecording, with_accepted

COUNT_SECONDS = 2.0
"""How long counting an accepted claim waits for the changes of others, where nothing is to be remembered."""

Found = TypeVar("Found")


class KnownRecordings(OpenStore):
    """The part of a store that knows recordings again."""

    def seen(self, name: str) -> tuple[SeenRecording, ...]:
        """Return the recordings of a person that were enrolled, and the newest that were accepted.

        Empty if nobody of that name is enrolled.
        """
        name = normalize_name(name)
        with self._backend.reading() as tables:
            speaker_id = tables.find(name)
            return () if speaker_id is None else SeenRecording.all_of(tables.read([speaker_id])[speaker_id])

    def note_accepted(
        self,
        name: str,
        *,
        llr: float | None = None,
        recordings: Sequence[AcceptedRecording] = (),
        known: Sequence[SeenRecording] = (),
        seen_before: Callable[[Sequence[SeenRecording]], Found | None] | None = None,
    ) -> Found | None:
        """Count an accepted claim, and remember its recordings, unless one of them was seen before.

        Parameters
        ----------
        llr : float, optional
            Natural-log likelihood ratio of the claim; it is counted once a minute at most, see
            `AcceptedClaims`.
        recordings : sequence of AcceptedRecording
            By which the person was accepted. The newest are remembered, see `MOST_ACCEPTED`.
        known : sequence of SeenRecording
            Those that the claim was compared with already.
        seen_before : callable, optional
            Called within the transaction with what was remembered since, by other processes. What it returns
            ends it, unless that is None, and nothing is changed. It must be quick.

        Returns
        -------
        object or None
            What `seen_before` returned.

        Raises
        ------
        StoreError
            If the store cannot be written. To remember recordings it waits for the changes of others as long
            as any change does, to count a claim only `COUNT_SECONDS`. Nothing was changed.
        """
        name, moment = normalize_name(name), now()
        if not recordings and not self._counts(name, llr):
            return None
        with self._backend.writing(wait=None if recordings else COUNT_SECONDS) as tables:
            speaker_id = tables.find(name)
            if speaker_id is None:
                return None
            record = tables.read([speaker_id])[speaker_id]
            later = [each for each in SeenRecording.all_of(record) if each not in set(known)]
            found = seen_before(later) if later and seen_before is not None else None
            if found is None:
                claims = None if llr is None else AcceptedClaims.after(record.claims, llr, moment)
                after = replace(with_accepted(record, recordings), claims=claims or record.claims)
                if claims is not None:
                    tables.write(speaker_id, after, same_clips=True)
                elif recordings:
                    tables.write_recordings(speaker_id, after)
            return found

    def _counts(self, name: str, llr: float | None) -> bool:
        """Whether a claim of this person would be counted now."""
        if llr is None:
            return False
        with self._backend.reading() as tables:
            known = tables.find(name)
            claims = None if known is None else tables.enrollment(known).claims
        return known is not None and AcceptedClaims.after(claims, llr, now()) is not None
