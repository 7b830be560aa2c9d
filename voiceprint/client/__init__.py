"""A server from Python: every route a method, every answer a value; the standard library alone."""

from voiceprint.client.agreement import Agreement
from voiceprint.client.client import Client
from voiceprint.client.decisions import (
    ChallengeReply,
    ComparisonReply,
    IdentificationReply,
    LivenessReply,
    VerificationReply,
)
from voiceprint.client.errors import ClientError, ProblemError, UnreachableError
from voiceprint.client.forms import ClipFile
from voiceprint.client.listening import LiveReply
from voiceprint.client.replies import (
    AccessReply,
    DiarizationReply,
    EnrollmentReply,
    EnrollmentsReply,
    MeasurementReply,
    ModelReply,
    OptOutsReply,
    RecordingReply,
    SpeakerReply,
    SpeakersReply,
)

__all__ = [
    "AccessReply",
    "Agreement",
    "ChallengeReply",
    "Client",
    "ClientError",
    "ClipFile",
    "ComparisonReply",
    "DiarizationReply",
    "EnrollmentReply",
    "EnrollmentsReply",
    "IdentificationReply",
    "LiveReply",
    "LivenessReply",
    "MeasurementReply",
    "ModelReply",
    "OptOutsReply",
    "ProblemError",
    "RecordingReply",
    "SpeakerReply",
    "SpeakersReply",
    "UnreachableError",
    "VerificationReply",
]
