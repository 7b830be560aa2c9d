"""What a server answers, as values; the fields are those of its JSON, which /openapi.json describes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ThresholdSource = Literal["given", "store", "model"]


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
class ShortfallReply:
    """A false-accept rate that is not promised for so short a clip."""

    far: float
    needed_seconds: float | None
    held_far: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReply:
    """The earlier recording that a clip is, or holds a part of."""

    kind: Literal["enrolled", "accepted"]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoofReply:
    """How much speech sounds spoken live; `kind` is what it sounds most like, None where it is live."""

    score: float
    llr: float
    threshold: float
    kind: Literal["synthetic", "loudspeaker"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessReply:
    """The answer to "does somebody speak here, and not a machine?"; true if somebody does.

    Examples
    --------
    >>> client.liveness("door.wav").seconds_of_speech > 1.0
    True
    """

    decision: Literal["live", "spoofed", "not_enough_speech"]
    live: bool
    spoof: SpoofReply | None
    seconds_of_speech: float
    spoof_far: float
    reason: str
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether somebody speaks live."""
        return self.live


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReply:
    """The answer to "is this the person they claim to be?"; true if the claim is accepted.

    Examples
    --------
    >>> reply = client.verify("ada", "door.wav")
    >>> reply.decision, reply.score >= reply.threshold
    ('accepted', True)
    """

    name: str
    decision: Literal[
        "accepted",
        "rejected",
        "replayed",
        "spoofed",
        "not_enough_speech",
        "not_enrolled",
        "expired",
        "opted_out",
    ]
    accepted: bool
    score: float | None
    llr: float | None
    threshold: float | None
    seconds_of_speech: float | None
    model: str
    threshold_source: ThresholdSource | None = None
    reason: str
    quality_notes: tuple[NoteReply, ...] = ()
    shortfall: ShortfallReply | None = None
    replay: ReplayReply | None = None
    spoof: SpoofReply | None = None
    adapted: bool = False
    request_id: str

    def __bool__(self) -> bool:
        """Whether the claim is accepted."""
        return self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReply:
    """A person beside the clip."""

    name: str
    score: float
    llr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationReply:
    """The answer to "which enrolled person is this, if any?"; true if somebody is identified.

    Examples
    --------
    >>> client.identify("door.wav").name
    'ada'
    >>> client.identify("guest.wav").decision
    'unknown'
    """

    decision: Literal["identified", "unknown", "replayed", "spoofed", "not_enough_speech"]
    name: str | None
    matches: tuple[MatchReply, ...]
    flagged: bool
    seconds_of_speech: float
    threshold: float | None
    threshold_source: ThresholdSource | None = None
    reason: str = ""
    quality_notes: tuple[NoteReply, ...] = ()
    shortfall: ShortfallReply | None = None
    replay: ReplayReply | None = None
    spoof: SpoofReply | None = None
    expected: float | None = None
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether somebody is identified."""
        return self.decision == "identified"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReply:
    """The answer to "do two clips hold the same voice?"; true if they do.

    Examples
    --------
    >>> client.compare("ada-1.wav", "door.wav").decision
    'same'
    """

    decision: Literal["same", "different", "not_enough_speech"]
    same: bool
    score: float | None
    llr: float | None
    threshold: float | None
    seconds_of_speech: tuple[float, ...]
    threshold_source: ThresholdSource | None = None
    reason: str = ""
    quality_notes: tuple[tuple[NoteReply, ...], ...] = ((), ())
    shortfall: ShortfallReply | None = None
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether the voices are the same."""
        return self.same


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
