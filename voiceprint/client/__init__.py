"""A server from Python: every route a method, every answer a value; the standard library alone."""

from voiceprint.client.agreement import Agreement
from voiceprint.client.client import Client
from voiceprint.client.errors import ClientError, ProblemError, UnreachableError
from voiceprint.client.forms import ClipFile
from voiceprint.client.listening import LiveReply
from voiceprint.client.replies import (
    AccessReply,
    ComparisonReply,
    DiarizationReply,
    EnrollmentReply,
    EnrollmentsReply,
    IdentificationReply,
    LivenessReply,
    MeasurementReply,
    ModelReply,
    OptOutsReply,
    RecordingReply,
    SpeakerReply,
    SpeakersReply,
    VerificationReply,
)

__all__ = [
    "AccessReply",
    "Agreement",
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
