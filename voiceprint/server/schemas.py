"""What the server's answers hold, for OpenAPI and for clients; the fields are the library's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from voiceprint.audio.quality import NoteCode
from voiceprint.engine.decisions import ThresholdSource
from voiceprint.engine.enrollment import ClipStatus

Score = Field(description="Cosine of clip and voiceprint, -1 to 1; null where nothing was scored.")
Llr = Field(description="Natural-log likelihood ratio of same over different person; null if not calibrated.")
Threshold = Field(description="Lowest score that is accepted.")
Source = Field(default=None, description="Whether the request, the store or the model set the threshold.")
ModelId = Field(description="SHA-256 of the encoder.")
RequestId = Field(description="Also in the header X-Request-Id and in the audit log.")


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class QualityAnswer(_Answer):
    """What was measured of a clip."""

    seconds: float
    seconds_of_speech: float
    level_dbfs: float | None = Field(description="RMS of the speech in dB of full scale.")
    clipped: float = Field(description="Fraction of samples at the ceiling, 0 to 1.")
    snr_db: float | None = Field(description="Estimated signal-to-noise ratio in dB.")


class NoteAnswer(_Answer):
    """One thing about a clip that makes a verdict less sure."""

    code: NoteCode
    text: str = Field(description="How much of it there is, and what would help.")


class MeasurementAnswer(QualityAnswer):
    """What was measured of a clip, and what of it makes a verdict less sure."""

    quality_notes: list[NoteAnswer]


class ClipAnswer(_Answer):
    """What became of a clip at enrollment."""

    source: str = Field(description="The file name that was sent.")
    status: ClipStatus
    reason: str = Field(description="Why it was set aside; empty if it was used.")
    quality: QualityAnswer | None
    agreement: float | None = Field(description="Cosine with the person's other clips.")


class ConsentAnswer(_Answer):
    """Who agreed that the voice is stored, when, and for what."""

    by: str
    purpose: str
    given: datetime


class SpeakerAnswer(_Answer):
    """An enrolled person."""

    name: str
    clips: int = Field(validation_alias="n_utterances", description="Clips in the voiceprint.")
    seconds_of_speech: float
    created: datetime
    updated: datetime
    notes: str
    model: str = Field(validation_alias="model_id", description=ModelId.description)
    consent: ConsentAnswer | None
    expires: datetime | None = Field(description="From when on the voiceprint is not used any more.")
    expired: bool


class ResemblanceAnswer(_Answer):
    """Somebody else who is enrolled with the same voice, as it seems."""

    name: str
    score: float = Score
    llr: float | None = Llr
    same_recordings: int = Field(description="Clips that both voiceprints are made of.")


class EnrollmentAnswer(_Answer):
    """What enrolling did."""

    speaker: SpeakerAnswer
    clips: list[ClipAnswer]
    resembles: list[ResemblanceAnswer] = Field(description="Who else seems to have this voice.")
    request_id: str = RequestId


class SpeakersAnswer(_Answer):
    """A page of enrolled people."""

    speakers: list[SpeakerAnswer]
    next: int | None = Field(description="Give it as `after` for the next page; null on the last one.")
    total: int = Field(description="People in all; with a search, those whose names contain it.")


class OptOutsAnswer(_Answer):
    """People who do not want to be enrolled."""

    names: list[str]


class EnrolledClip(_Answer):
    """A clip that a voiceprint is made of. Its audio is not stored."""

    sha256: str = Field(validation_alias="clip_sha256", description="Of the clip's samples.")
    source: str
    added: datetime | None
    quality: QualityAnswer


class EnrollmentsAnswer(_Answer):
    """The clips of a voiceprint."""

    name: str
    clips: list[EnrolledClip]


class ShortfallAnswer(_Answer):
    """A false-accept rate that is not promised for so short a clip."""

    far: float = Field(description="The rate that was asked for.")
    needed_seconds: float | None = Field(
        description="Speech from which on it is promised; null where it is for no length."
    )
    held_far: float | None = Field(description="The lowest rate that is promised for the clip as it is.")


Notes = Annotated[list[NoteAnswer], Field(description="What about the clip makes the verdict less sure.")]
Shortfall = Field(
    default=None,
    description="With `not_enough_speech`: the rate that is not promised for so short a clip, and what "
    "would do; null where there is too little speech for any.",
)


class ReplayAnswer(_Answer):
    """The earlier recording that a clip is, or holds a part of."""

    kind: Literal["enrolled", "accepted"] = Field(
        description="Whether the person was enrolled with it, or accepted by it."
    )
    at: datetime


Replay = Field(default=None, description="With `replayed`: which recording it was before.")


class SpoofAnswer(_Answer):
    """How much the speech sounds spoken live, not made or played by a machine."""

    score: float = Field(description="The higher, the more it sounds live.")
    llr: float = Field(description="Natural-log likelihood ratio of live speech over a machine's.")
    threshold: float = Field(description="Lowest score that counts as live; the operator chose it.")
    kind: Literal["synthetic", "loudspeaker"] | None = Field(
        description="What it sounds most like; null where it is live."
    )


Spoof = Field(
    default=None,
    description="Whether somebody speaks live; null on a server that does not ask, and without a verdict.",
)


class WordsAnswer(_Answer):
    """Whether the words of a challenge were said."""

    score: float = Field(description="Natural log of the probability that these words were said.")
    threshold: float = Field(description="Lowest score that counts as said.")


class ChallengeAnswer(_Answer):
    """Words to say, in this order and nothing else; the answer is a clip, sent once."""

    id: str = Field(description="Give it as `challenge` when you verify the clip.")
    words: list[str] = Field(description="English.")
    expires: datetime = Field(description="From then on the challenge is over.")
    request_id: str = RequestId


class LivenessAnswer(_Answer):
    """The answer to "does somebody speak here, and not a machine?"."""

    decision: Literal["live", "spoofed", "not_enough_speech"]
    live: bool = Field(description="True for the decision `live` alone.")
    spoof: SpoofAnswer | None = Field(
        description="How clearly somebody speaks live; null where there is too little speech."
    )
    seconds_of_speech: float
    spoof_far: float = Field(description="How often people may be rejected; the operator chose it.")
    reason: str = Field(description="The decision in a sentence.")
    model: str = Field(description="SHA-256 of the countermeasure.")
    request_id: str = RequestId


class VerificationAnswer(_Answer):
    """The answer to "is this the person they claim to be?"."""

    name: str
    decision: Literal[
        "accepted",
        "rejected",
        "replayed",
        "spoofed",
        "wrong_words",
        "not_enough_speech",
        "not_enrolled",
        "expired",
        "opted_out",
    ]
    accepted: bool = Field(description="True for the decision `accepted` alone.")
    score: float | None = Score
    llr: float | None = Llr
    threshold: float | None = Threshold
    seconds_of_speech: float | None = Field(description="Speech in the clip; null if it was not listened to.")
    model: str = ModelId
    threshold_source: ThresholdSource | None = Source
    reason: str = Field(description="The decision in a sentence.")
    quality_notes: Notes = []
    shortfall: ShortfallAnswer | None = Shortfall
    replay: ReplayAnswer | None = Replay
    spoof: SpoofAnswer | None = Spoof
    words: WordsAnswer | None = Field(
        default=None, description="Whether the challenge's words were said; null without one, or a verdict."
    )
    adapted: bool = Field(default=False, description="Whether the clip was added to the voiceprint.")
    request_id: str = RequestId


class MatchAnswer(_Answer):
    """A person beside the clip."""

    name: str
    score: float = Score
    llr: float | None = Llr


class IdentificationAnswer(_Answer):
    """The answer to "which enrolled person is this, if any?"."""

    decision: Literal["identified", "unknown", "replayed", "spoofed", "not_enough_speech"]
    name: str | None
    matches: list[MatchAnswer]
    flagged: bool = Field(description="With a watch list: whether somebody of it was identified.")
    seconds_of_speech: float
    threshold: float | None = Threshold
    threshold_source: ThresholdSource | None = Source
    reason: str = Field(default="", description="The decision in a sentence.")
    quality_notes: Notes = []
    shortfall: ShortfallAnswer | None = Shortfall
    replay: ReplayAnswer | None = Replay
    spoof: SpoofAnswer | None = Spoof
    expected: float | None = Field(
        default=None,
        description="Share of such clips of enrolled people that are named rightly in a store of this size.",
    )
    model: str = ModelId
    request_id: str = RequestId


class ComparisonAnswer(_Answer):
    """The answer to "do two clips hold the same voice?"."""

    decision: Literal["same", "different", "not_enough_speech"]
    same: bool
    score: float | None = Score
    llr: float | None = Llr
    threshold: float | None = Threshold
    seconds_of_speech: tuple[float, float]
    threshold_source: ThresholdSource | None = Source
    reason: str = Field(default="", description="The decision in a sentence.")
    quality_notes: tuple[list[NoteAnswer], list[NoteAnswer]] = Field(
        default=([], []), description="What about each clip makes the verdict less sure."
    )
    shortfall: ShortfallAnswer | None = Shortfall
    model: str = ModelId
    request_id: str = RequestId


class TurnAnswer(_Answer):
    """A stretch in which one person speaks; turns of different people may overlap."""

    start: float = Field(description="In seconds from the beginning.")
    stop: float
    speaker: str


class DiarizedSpeakerAnswer(_Answer):
    """One of the people in a recording."""

    name: str = Field(description="Of somebody enrolled, or `speaker 1`, `speaker 2`, ...")
    identified: bool = Field(description="Whether the name is of somebody enrolled.")
    seconds_of_speech: float
    turns: int
    score: float | None = Score
    llr: float | None = Llr
    threshold: float | None = Threshold


class DiarizationAnswer(_Answer):
    """Who speaks when."""

    seconds: float = Field(description="Length of the recording.")
    turns: list[TurnAnswer]
    speakers: list[DiarizedSpeakerAnswer] = Field(description="In the order in which they first speak.")
    model: str = ModelId


class ProgressAnswer(BaseModel):
    """How far a recording is listened to."""

    stage: str = Field(examples=["reading", "finding speech", "listening"])
    done: float = Field(description="Seconds of sound.")
    total: float


class RecordingAnswer(BaseModel):
    """A recording that is diarized, and what was found."""

    id: str = Field(description="Names it in `/v1/diarize/{id}`; whoever has the key may ask for it.")
    state: Literal["waiting", "running", "done", "failed"]
    progress: ProgressAnswer | None = None
    result: DiarizationAnswer | None = None
    problem: ProblemAnswer | None = Field(default=None, description="Why it failed.")
    expires: datetime | None = Field(default=None, description="When the answer is forgotten.")


class AccessAnswer(_Answer):
    """What the caller may do."""

    key_needed: bool = Field(description="False on a server that was started with --no-keys.")
    key: str | None = Field(description="Id of the key in the request; null if there is none.")
    scopes: list[str] = Field(description="What may be done with it.")
    max_seconds: float = Field(description="Longest clip.")
    max_clips: int = Field(description="Most clips in one request.")
    max_audio: float = Field(description="Most seconds of audio in one request.")
    max_body: int = Field(description="Most bytes in one request.")
    max_recording: float = Field(description="Seconds of the longest recording to diarize.")
    max_recording_body: int = Field(description="Bytes of the largest one.")
    consent_needed: bool = Field(description="Whether nobody is enrolled without consent.")
    challenge_needed: bool = Field(description="Whether nobody is verified without a challenge.")


class ModelAnswer(_Answer):
    """The model card in short."""

    name: str
    version: str
    id: str = ModelId
    dim: int
    description: str
    licence: str
    calibrated: bool
    decision: str = Field(description="Where it decides by default.")


class ProblemAnswer(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:voiceprint:speaker-not-found"])
    title: str
    status: int
    detail: str
    request_id: str | None
