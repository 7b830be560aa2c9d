"""Copy all voiceprints of one store to another; begun again, it goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from voiceprint.errors import SpeakerExistsError, StoreError
from voiceprint.store.enrollments import EnrollmentStore
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord

_BATCH = 500
"""People in one transaction of the target: what an interruption costs, and how long others wait for it."""

Digests = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What a copy did.

    Parameters
    ----------
    copied : int
        People who were not in the target, or differed and were replaced.
    present : int
        People who were there already, to the bit.
    opted_out : tuple of str
        People who are enrolled in the source but opted out in the target, and so were left out.
    checksum : str
        SHA-256 over the voiceprints that both stores hold now, in the order of names.

    Examples
    --------
    >>> from voiceprint.store import EnrollmentStore, copy_store
    >>> with EnrollmentStore.open("copy", model_id=model.id, dim=model.dim) as target:
    ...     first, again = copy_store(verifier.store, target), copy_store(verifier.store, target)
    >>> (first.copied, first.present), (again.copied, again.present), again.total
    ((2, 0), (0, 2), 2)
    """

    copied: int
    present: int
    opted_out: tuple[str, ...]
    checksum: str

    @property
    def total(self) -> int:
        """How many voiceprints of the source the target holds."""
        return self.copied + self.present


def copy_store(
    source: EnrollmentStore,
    target: EnrollmentStore,
    *,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CopyReport:
    """Copy everybody, with terms and opt-outs, and check that the target then holds what the source holds.

    Where the source requires consent, the target does from then on. Interrupted, it leaves whole voiceprints
    only; called again, it copies what is missing.

    Parameters
    ----------
    source, target : EnrollmentStore
        Opened without a model. People of the target who are not in the source stay.
    replace : bool
        Replace people of the target whose voiceprints differ, instead of refusing.
    progress : callable, optional
        Called with how many people are done and how many there are.

    Raises
    ------
    SpeakerExistsError
        If somebody is in both with different voiceprints, and `replace` is not set.
    ModelMismatchError
        If the target's voiceprints are of another model.
    StoreError
        If a store cannot be used, or the source changed meanwhile; call it again.

    Examples
    --------
    >>> from voiceprint.store import EnrollmentStore, copy_store
    >>> with EnrollmentStore.open("another", model_id=model.id, dim=model.dim) as target:
    ...     report = copy_store(verifier.store, target)
    ...     target.names()
    ['ada', 'bert']
    >>> report.copied, report.present
    (2, 0)
    """
    generation = source.generation
    _copy_opt_outs(source, target)
    copied, digests, opted_out = _copy_people(source, target, replace=replace, progress=progress)
    if source.generation != generation:
        raise StoreError(
            f"the store {source.path} was changed while it was copied; copy again, which goes on from here",
            path=str(source.path),
        )
    _verify(target, digests)
    if source.requires_consent and not target.requires_consent:
        # Last, because people who were enrolled before it was required are copied as well.
        target.require_consent()
    return CopyReport(
        copied=copied,
        present=len(digests) - copied,
        opted_out=tuple(opted_out),
        checksum=_checksum(digests),
    )


def _copy_opt_outs(source: EnrollmentStore, target: EnrollmentStore) -> None:
    already = target.opt_outs()
    for name, since in source.opt_outs().items():
        if name not in already:
            target.opt_out(name, since=since)


def _copy_people(
    source: EnrollmentStore,
    target: EnrollmentStore,
    *,
    replace: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, Digests, list[str]]:
    """Copy those who did not opt out; returns how many were copied, all digests, and who opted out."""
    model_id, dim = source.model_id, source.dim
    refused, there = set(target.opt_outs()), set(target.names())
    people, n_people = source.export_records(), len(source)
    copied, digests, opted_out = 0, Digests(), list[str]()
    while batch := list(islice(people, _BATCH)):
        records = [record for record in batch if record.name not in refused]
        opted_out += [record.name for record in batch if record.name in refused]
        digests |= _digests(records)
        missing = _missing(target, there, records, digests, replace=replace)
        if missing and model_id is not None and dim is not None:
            target.import_records(missing, model_id=model_id, dim=dim)
        copied += len(missing)
        if progress is not None:
            progress(len(digests), n_people - len(opted_out))
    return copied, digests, opted_out


def _missing(
    target: EnrollmentStore,
    there: set[str],
    records: Sequence[VoiceprintRecord],
    digests: Digests,
    *,
    replace: bool,
) -> list[VoiceprintRecord]:
    """Return the records that the target lacks; those in the way are refused, or removed."""
    held = _digests(target.export_records(record.name for record in records if record.name in there))
    different = [name for name in held if held[name] != digests[name]]
    if different and not replace:
        raise SpeakerExistsError(
            f"{different[0]!r} is enrolled in {target.path} with another voiceprint; "
            "choose to replace what is there",
            name=different[0],
        )
    # Two steps, but whoever is removed here is still in the source: begun again, the copy brings them.
    for name in different:
        target.remove(name)
    return [record for record in records if held.get(record.name) != digests[record.name]]


def _verify(target: EnrollmentStore, digests: Digests) -> None:
    """Read everything again from the target, and compare."""
    held = 0
    for record in target.export_records():
        if record.name not in digests:
            continue
        held += 1
        if _digest(record) != digests[record.name]:
            raise StoreError(
                f"{record.name!r} is not in {target.path} as they were copied; somebody may have changed "
                "them meanwhile: copy again",
                path=str(target.path),
            )
    if held != len(digests):
        raise StoreError(
            f"{target.path} holds {held} of {len(digests)} voiceprints that were copied; somebody may have "
            "removed them meanwhile: copy again",
            path=str(target.path),
        )


def _digests(records: Iterable[VoiceprintRecord]) -> Digests:
    return {record.name: _digest(record) for record in records}


def _digest(record: VoiceprintRecord) -> bytes:
    """Hash everything of a voiceprint: two are equal in everything or their digests differ."""
    consent = record.consent
    words = [
        record.name,
        record.notes,
        _utc(record.created),
        _utc(record.updated),
        None if consent is None else [consent.by, consent.purpose, _utc(consent.given)],
        _utc(record.expires),
        [_words(utterance) for utterance in record.utterances],
    ]
    digest = hashlib.sha256(json.dumps(words).encode())
    for utterance in record.utterances:
        digest.update(np.asarray(utterance.embedding, dtype="<f4").tobytes())
    return digest.digest()


def _words(utterance: EnrolledUtterance) -> list[object]:
    quality, fingerprint = asdict(utterance.quality), utterance.fingerprint.hex()
    return [utterance.clip_sha256, utterance.source, _utc(utterance.added), quality, fingerprint]


def _utc(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _checksum(digests: Digests) -> str:
    return hashlib.sha256(b"".join(digests[name] for name in sorted(digests))).hexdigest()
