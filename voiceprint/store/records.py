"""What goes into a store and comes out of it: names, utterances, enrollments, search hits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_text, check_type
from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import EnrollmentError
from voiceprint.store.accepted import AcceptedClaims, AcceptedRecording

AddMode = Literal["new", "add", "replace"]
"""What an enrollment does where the person is enrolled already: refuse, add clips, or replace."""

ImportMode = Literal["new", "skip", "add", "replace"]
"""The same for an import, which may also skip the person."""

MAX_SOURCE_LENGTH = 255
MAX_KEPT_BYTES = 4 << 20
"""Of one person's kept speech; of clips beyond it none is kept."""
MAX_CONSENT_LENGTH = 500
_FIRST_YEAR, _LAST_YEAR = 1900, 9000  # of consent and expiry
_QUALITY = attrgetter(*ClipQuality.__slots__)
UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of an embedding may be; float32 and quantised encoders stay far below it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnrolledUtterance:
    """One clip of an enrolled person.

    Parameters
    ----------
    embedding : ndarray of shape (dim,), float32
        Unit length.
    clip_sha256 : str
        SHA-256 of the clip's samples, 64 hexadecimal digits; the same clip is held once per person.
    source : str
        Where the clip came from. Only the file's name is stored, not its folders.
    quality : ClipQuality
        Seconds, seconds of speech, level, clipping and signal-to-noise ratio.
    added : datetime or None
        When it was enrolled, UTC; None, for a clip that is being added, means now.
    fingerprint : bytes
        By which the recording is known again, of `voiceprint.audio.fingerprint`; empty where it has none.
    audio : bytes or None
        Its speech, Opus in Ogg, where that is to be kept. A store gives out none here: see `kept_audio`.

    Examples
    --------
    >>> first = verifier.store.utterances("ada")[0]
    >>> first.embedding.shape, len(first.clip_sha256)
    ((192,), 64)
    """

    embedding: NDArray[np.float32] = field(repr=False)
    clip_sha256: str
    source: str
    quality: ClipQuality
    added: datetime | None = None
    fingerprint: bytes = field(default=b"", repr=False)
    audio: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Who agreed that a voice is stored, when, and for what.

    Parameters
    ----------
    by : str
        Who agreed: the person, or somebody who may for them.
    given : datetime
        When, with its time zone.

    Raises
    ------
    EnrollmentError
        If `by` or `purpose` is empty or too long, or `given` has no time zone.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> Consent(by="ada", given=datetime(2030, 1, 31, tzinfo=UTC), purpose="the front door").by
    'ada'
    """

    by: str
    purpose: str
    given: datetime

    def __post_init__(self) -> None:
        for side in ("by", "purpose"):
            text = check_text(side, getattr(self, side))
            if not text.strip() or len(text) > MAX_CONSENT_LENGTH or "\0" in text:
                raise EnrollmentError(
                    f"consent: {side} is {text[:20]!r}; give 1 to {MAX_CONSENT_LENGTH} characters",
                    name=self.by,
                )
        check_zone("consent: given", self.given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enrollment:
    """One enrolled person.

    Parameters
    ----------
    name : str
        Normalised (see `voiceprint.store.names`).
    created, updated : datetime
        UTC.
    centroid : ndarray of shape (dim,), float32
        Unit-length mean of the embeddings: what clips are compared with.
    duplicates : tuple of str
        Only from `EnrollmentStore.add`: names of clips that were given but are held already, so left out.
    consent : Consent or None
        What was agreed; None if nothing was noted.
    expires : datetime or None
        From when on the voiceprint is not used any more, UTC; None: never.
    claims : AcceptedClaims or None
        How well recent accepted claims fitted; None while there were none.

    Examples
    --------
    >>> ada = verifier.show("ada")
    >>> ada.n_utterances, ada.expired
    (3, False)
    """

    name: str
    n_utterances: int
    seconds_of_speech: float
    model_id: str
    created: datetime
    updated: datetime
    notes: str
    centroid: NDArray[np.float32] = field(repr=False)
    duplicates: tuple[str, ...] = ()
    consent: Consent | None = None
    expires: datetime | None = None
    claims: AcceptedClaims | None = None

    @property
    def expired(self) -> bool:
        """Whether the voiceprint may not be used any more.

        Examples
        --------
        >>> verifier.show("ada").expired
        False
        """
        return self.expires is not None and now() >= self.expires

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from voiceprint.html import card  # noqa: PLC0415  only notebooks need it

        clips = f"{self.n_utterances} clip{'s' * (self.n_utterances != 1)}"
        ends = "" if self.expires is None else f"until {self.expires:%Y-%m-%d}"
        agreed = "" if self.consent is None else f"agreed: {self.consent.by}, {self.consent.purpose}"
        mark: Literal["no", "yes"] = "no" if self.expired else "yes"
        title = f"{self.name}: {'expired' if self.expired else 'enrolled'}"
        return card(title, f"{clips}, {self.seconds_of_speech:.1f} s of speech", agreed, ends, mark=mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHit:
    """One enrolled person in a search's answer.

    Parameters
    ----------
    score : float
        Cosine of the query and the person's centroid.

    Examples
    --------
    >>> (nearest, *_) = verifier.store.search(model.embed([clip])[0], top=2)
    >>> nearest.name, nearest.n_utterances, nearest.score > 0.5
    ('ada', 3, True)
    """

    name: str
    score: float
    n_utterances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What a store holds.

    Parameters
    ----------
    path : Path or str
        The store's folder, or the database's URL without its password.
    model_id : str or None
        None while nobody was ever enrolled.
    n_earlier : int
        People whose voiceprints an earlier model made.
    n_kept, kept_bytes : int
        Clips whose speech is kept, and what that takes.
    generation : int
        Grows with every change.
    bytes_on_disk : int
        Of all the store's files, or tables.

    Examples
    --------
    >>> stats = verifier.store.stats()
    >>> stats.n_speakers, stats.model_id == model.id, stats.read_only
    (2, True, False)
    """

    path: Path | str
    n_speakers: int
    n_utterances: int
    seconds_of_speech: float
    model_id: str | None
    dim: int | None
    generation: int
    schema_version: int
    bytes_on_disk: int
    read_only: bool
    n_earlier: int = 0
    n_kept: int = 0
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceprintRecord:
    """A whole voiceprint, for export, import and copying between stores.

    Parameters
    ----------
    created, updated : datetime
        UTC.
    utterances : tuple of EnrolledUtterance
        At least one.
    accepted : tuple of AcceptedRecording
        The newest of those by which claims were accepted, the newest last.

    Examples
    --------
    >>> (first, *_) = verifier.store.export_records()
    >>> first.name, len(first.utterances), first.consent
    ('ada', 3, None)
    """

    name: str
    notes: str
    created: datetime
    updated: datetime
    utterances: tuple[EnrolledUtterance, ...]
    consent: Consent | None = None
    expires: datetime | None = None
    claims: AcceptedClaims | None = None
    accepted: tuple[AcceptedRecording, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideClip:
    """A clip of an import that did not join a voiceprint.

    Examples
    --------
    >>> from voiceprint.store import SetAsideClip
    >>> SetAsideClip(name="ada", source="phone.wav")
    SetAsideClip(name='ada', source='phone.wav')
    """

    name: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, by name.

    Parameters
    ----------
    added : tuple of str
        People who were not enrolled before.
    changed : tuple of str
        People whose voiceprint was replaced or grew.
    skipped : tuple of str
        People who were left as they were.
    opted_out : tuple of str
        People who, by the import, opted out here as well; a voiceprint they had here is removed.
    set_aside : tuple of SetAsideClip
        Clips that did not join a voiceprint because they sound like another person.

    Examples
    --------
    >>> from voiceprint.store import read_export, write_export
    >>> _ = write_export("everybody.npz", verifier.store.export_records(), model_id=model.id, dim=model.dim)
    >>> verifier.remove("bert")
    >>> report = verifier.import_people(read_export("everybody.npz"), mode="skip")
    >>> report.added, report.skipped
    (('bert',), ('ada',))
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    skipped: tuple[str, ...]
    opted_out: tuple[str, ...] = ()
    set_aside: tuple[SetAsideClip, ...] = ()


def file_name(source: str) -> str:
    """Reduce a clip's source to its file name: folder names often say more about a person than is needed."""
    name = source
    if any(mark in source for mark in "/\\:"):
        name = PurePosixPath(source).name if "/" in source else PureWindowsPath(source).name
    return (name or source).encode("utf-8", "backslashreplace").decode()[:MAX_SOURCE_LENGTH]


def quality_numbers(quality: ClipQuality) -> tuple[float | None, ...]:
    """Return the numbers of a quality in the order of its fields, faster than `dataclasses.astuple`."""
    numbers: tuple[float | None, ...] = _QUALITY(quality)
    return numbers


def check_zone(what: str, time: datetime) -> None:
    """Refuse a time without its zone, for nobody could say which moment it is, and one out of all reason."""
    check_type(what, time, datetime, "a datetime with its time zone")
    if time.tzinfo is None:
        raise EnrollmentError(f"{what} is {time.isoformat()}, a time without its zone; add +00:00", name="")
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise EnrollmentError(
            f"{what} is {time.isoformat()}; the year must be from {_FIRST_YEAR} to {_LAST_YEAR}", name=""
        )


def check_terms(consent: Consent | None, expires: datetime | None) -> None:
    """Refuse terms that are none; ArgumentError, or EnrollmentError as of `check_zone`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from voiceprint.store import check_terms
    >>> check_terms(None, datetime(2090, 1, 1, tzinfo=UTC))
    >>> check_terms(None, datetime(2090, 1, 1))
    Traceback (most recent call last):
        ...
    voiceprint.errors.EnrollmentError: expires is 2090-01-01T00:00:00, a time without its zone; add +00:00
    """
    if consent is not None:
        check_type("consent", consent, Consent, "a Consent or None")
    if expires is not None:
        check_zone("expires", expires)


def now() -> datetime:
    """Return the time of a change, UTC."""
    return datetime.now(UTC)
