"""A whole store saved to a folder, and put back without undoing what people took back since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from voiceprint.store.accepted import AcceptedRecording
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import Consent
from voiceprint.store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """What was noted last of a person, and outlives their being replaced by an earlier state."""

    consent: Consent | None
    expires: datetime | None
    accepted: tuple[AcceptedRecording, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What putting a store back did.

    Attributes
    ----------
    n_speakers : int
        People who are enrolled now.
    stay_removed : tuple of str
        People of the backup who were removed after it, and were not brought back.
    opted_out : tuple of str
        People of the backup who opted out after it, and were not brought back.
    gone : tuple of str
        People who were enrolled after the backup: they are not in it, and are gone.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.backup import restore_backup, write_backup
    >>> _ = write_backup(Path("removed.vpbackup"), store="enrollments")
    >>> verifier.remove("bert")
    >>> restored = restore_backup(Path("removed.vpbackup"), store="enrollments", overwrite=True).voiceprints
    >>> restored.n_speakers, restored.stay_removed
    (1, ('bert',))
    """

    n_speakers: int
    stay_removed: tuple[str, ...] = ()
    opted_out: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class Restoring(OpenStore):
    """The part of a store that is saved and put back as a whole."""

    def save_to(self, folder: Path) -> None:
        """Write a copy of the store's database into a folder, as it is at one moment, while others change it.

        Raises
        ------
        StoreError
            If it cannot be read, or is no folder: a database server has tools of its own.
        """
        self._backend.copy_to(folder)

    def restore_from(self, folder: Path, *, removed_too: bool = False) -> Restored:
        """Put everything back that `save_to` wrote, in one transaction, while others use the store.

        What people took back since stays taken back: who opted out stays out, and of who is enrolled in both,
        consent and expiry stay those noted last. Whoever was removed since stays removed.

        Parameters
        ----------
        folder : Path
            Of the same format as this store: open it once for writing.
        removed_too : bool
            Bring people back who were removed since.

        Raises
        ------
        StoreError
            Nothing was changed, unless the message says that only erasing did not finish.
        """
        with self._backend.replacing(folder) as (tables, replace_all):
            before = _Present.of(tables)
            restored = _settle(replace_all(), before, removed_too=removed_too)
        self._backend.after_removal("the store was restored")
        return restored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """What of a store outlives its being replaced."""

    id: bytes
    generation: int
    require_consent: bool
    names: dict[str, int]
    terms: dict[int, _Noted]
    opt_outs: dict[str, datetime]

    @classmethod
    def of(cls, tables: Tables) -> _Present:
        header, names = tables.header(), tables.find_all(tables.names())
        people = tables.read([*names.values()])
        return cls(
            id=header.id,
            generation=header.generation,
            require_consent=header.require_consent,
            names=names,
            terms={
                number: _Noted(consent=person.consent, expires=person.expires, accepted=person.accepted)
                for number, person in people.items()
            },
            opt_outs=tables.opt_outs(),
        )

    def id_of(self, name: str, speaker_id: int) -> int | None:
        """Under which id a person of a backup of the same store is enrolled, maybe renamed or anew."""
        return speaker_id if speaker_id in self.terms else self.names.get(name)


def _settle(tables: Tables, before: _Present, *, removed_too: bool) -> Restored:
    """Take back again, in the restored tables, what was taken back in those that they replaced."""
    header, ids = tables.header(), tables.find_all(tables.names())
    known = {name: before.id_of(name, number) for name, number in ids.items()}
    same_store = header.id == before.id
    opted_out = [name for name in ids if name in before.opt_outs]
    removed = [name for name in ids if known[name] is None and name not in opted_out]
    stay_removed = removed if same_store and not removed_too else []
    changed = [ids[name] for name in (*opted_out, *stay_removed)]
    tables.delete(changed)
    for name, since in before.opt_outs.items():
        if not tables.opted_out(name):
            tables.write_opt_out(name, since)
    if same_store:
        staying = {ids[name]: now for name, now in known.items() if now is not None and name not in opted_out}
        changed += _keep_terms(tables, {number: before.terms[now] for number, now in staying.items()})
    require = header.require_consent or before.require_consent
    generation = max(header.generation, before.generation)
    tables.write_header(replace(tables.header(), require_consent=require, generation=generation))
    tables.log_changes(changed)
    still = {number for number in known.values() if number is not None}
    return Restored(
        n_speakers=tables.count(),
        stay_removed=tuple(stay_removed),
        opted_out=tuple(opted_out),
        gone=tuple(name for name, number in before.names.items() if number not in still),
    )


def _keep_terms(tables: Tables, terms: dict[int, _Noted]) -> list[int]:
    """Write consent, expiry and accepted recordings as they were noted last; returns whose changed."""
    changed = []
    for speaker_id, person in tables.read(list(terms)).items():
        noted = terms[speaker_id]
        if (person.consent, person.expires, person.accepted) != (
            noted.consent,
            noted.expires,
            noted.accepted,
        ):
            after = replace(person, consent=noted.consent, expires=noted.expires, accepted=noted.accepted)
            tables.write(speaker_id, after, same_clips=True)
            tables.forget_keepsakes(speaker_id)
            if noted.consent is None:
                tables.forget_audio(speaker_id)
            changed.append(speaker_id)
    return changed
