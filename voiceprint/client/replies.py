"""What a server answers, as values; the fields are those of its JSON, which /openapi.json describes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReply:
    """What was measured of a clip; levels in dB, the clipped samples as a fraction."""

    seconds: float
    seconds_of_speech: float
    level_dbfs: float | None
    clipped: float
    snr_db: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteReply:
    """One thing about a clip that makes a verdict less sure."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementReply(QualityReply):
    """What was measured of a clip, and what of it makes a verdict less sure.

    Examples
    --------
    >>> client.quality("door.wav").seconds
    3.0
    """

    quality_notes: tuple[NoteReply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReply:
    """What became of a clip at enrollment."""

    source: str
    status: str
    reason: str
    quality: QualityReply | None
    agreement: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentReply:
    """Who agreed that the voice is stored, when, and for what."""

    by: str
    purpose: str
    given: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerReply:
    """An enrolled person; `model` is the SHA-256 of the encoder.

    Examples
    --------
    >>> client.speaker("ada").clips
    3
    """

    name: str
    clips: int
    seconds_of_speech: float
    created: datetime
    updated: datetime
    notes: str
    model: str
    consent: ConsentReply | None
    expires: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResemblanceReply:
    """Somebody else who is enrolled with the same voice, as it seems."""

    name: str
    score: float
    llr: float | None
    same_recordings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentReply:
    """What enrolling did.

    Examples
    --------
    >>> reply = client.enroll("cleo", ["people/cleo/1.wav", "people/cleo/2.wav"])
    >>> reply.speaker.name, reply.speaker.clips
    ('cleo', 2)
    """

    speaker: SpeakerReply
    clips: tuple[ClipReply, ...]
    resembles: tuple[ResemblanceReply, ...]
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakersReply:
    """A page of enrolled people; `next` is the `after` of the next page, None on the last one.

    Examples
    --------
    >>> [speaker.name for speaker in client.speakers().speakers]
    ['ada', 'bert']
    """

    speakers: tuple[SpeakerReply, ...]
    next: int | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutsReply:
    """People who do not want to be enrolled."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledClipReply:
    """A clip that a voiceprint is made of."""

    sha256: str
    source: str
    added: datetime | None
    quality: QualityReply


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentsReply:
    """The clips of a voiceprint.

    Examples
    --------
    >>> [clip.source for clip in client.enrollments("ada").clips]
    ['ada-1.wav', 'ada-2.wav', 'ada-3.wav']
    """

    name: str
    clips: tuple[EnrolledClipReply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReply:
    """A stretch in which one person speaks, in seconds; turns of different people may overlap."""

    start: float
    stop: float
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizedSpeakerReply:
    """One of the people in a recording."""

    name: str
    identified: bool
    seconds_of_speech: float
    turns: int
    score: float | None
    llr: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizationReply:
    """Who speaks when."""

    seconds: float
    turns: tuple[TurnReply, ...]
    speakers: tuple[DiarizedSpeakerReply, ...]
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressReply:
    """How far a recording is listened to, in seconds of sound."""

    stage: str
    done: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemReply:
    """Why a recording could not be diarized."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingReply:
    """A recording that is diarized, and what was found once `state` is ``done``.

    Examples
    --------
    >>> recording = client.wait(client.diarize("meeting.wav"))
    >>> recording.state, recording.over
    ('done', True)
    """

    id: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: ProgressReply | None = None
    result: DiarizationReply | None = None
    problem: ProblemReply | None = None
    expires: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether it is done, or has failed."""
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessReply:
    """What the caller may do, and how much may be sent.

    Examples
    --------
    >>> sorted(client.access().scopes)[:3]
    ['admin', 'enroll', 'metrics']
    """

    key_needed: bool
    key: str | None
    scopes: tuple[str, ...]
    max_seconds: float
    max_clips: int
    max_audio: float
    max_body: int
    max_recording: float
    max_recording_body: int
    consent_needed: bool
    challenge_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """The model card in short.

    Examples
    --------
    >>> client.model().id == model.id
    True
    """

    name: str
    version: str
    id: str
    dim: int
    description: str
    licence: str
    calibrated: bool
    decision: str
