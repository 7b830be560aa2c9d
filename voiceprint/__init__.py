"""Speaker verification with enrollment: enroll, verify and identify voices on your own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voiceprint import onnx_runtime as onnx_runtime  # switches its reports off before anything loads it
from voiceprint.errors import (
    ArgumentError,
    AudioError,
    CalibrationError,
    ChallengeError,
    ChannelsDifferError,
    ConfigError,
    ConsentRequiredError,
    CorpusError,
    DownloadError,
    EnrollmentError,
    FolderExistsError,
    InvalidNameError,
    ModelError,
    ModelExistsError,
    ModelMismatchError,
    NoHomeError,
    NotCalibratedError,
    PoolMissingError,
    RunExistsError,
    ScoringError,
    ServerError,
    SpeakerError,
    SpeakerExistsError,
    SpeakerExpiredError,
    SpeakerNotFoundError,
    SpeakerOptedOutError,
    StoreDamagedError,
    StoreError,
    StoreExistsError,
    StoreMissingError,
    StoreReadOnlyError,
    StoreReplacedError,
    TooFewTrialsError,
    TrainingError,
    TrialError,
    TuningDamagedError,
    VoiceprintError,
    WorkerError,
)
from voiceprint.front import front_page

if TYPE_CHECKING:
    __version__: str
    from voiceprint.audio import Waveform, read_audio
    from voiceprint.calibration import OperatingPoint
    from voiceprint.diarization.diarizer import Diarization, Diarizer
    from voiceprint.engine.decisions import Comparison, Identification, Match, Verification
    from voiceprint.engine.enrollment import EnrollmentReport
    from voiceprint.engine.events import Decided, Event, Scored, SpeakerChanged, SpeechBegan, SpeechEnded
    from voiceprint.engine.session import Session
    from voiceprint.engine.verifier import Verifier
    from voiceprint.model import ModelCard, SpeakerModel
    from voiceprint.store import Consent, Enrollment, EnrollmentStore

__all__ = [
    "ArgumentError",
    "AudioError",
    "CalibrationError",
    "ChallengeError",
    "ChannelsDifferError",
    "Comparison",
    "ConfigError",
    "Consent",
    "ConsentRequiredError",
    "CorpusError",
    "Decided",
    "Diarization",
    "Diarizer",
    "DownloadError",
    "Enrollment",
    "EnrollmentError",
    "EnrollmentReport",
    "EnrollmentStore",
    "Event",
    "FolderExistsError",
    "Identification",
    "InvalidNameError",
    "Match",
    "ModelCard",
    "ModelError",
    "ModelExistsError",
    "ModelMismatchError",
    "NoHomeError",
    "NotCalibratedError",
    "OperatingPoint",
    "PoolMissingError",
    "RunExistsError",
    "Scored",
    "ScoringError",
    "ServerError",
    "Session",
    "SpeakerChanged",
    "SpeakerError",
    "SpeakerExistsError",
    "SpeakerExpiredError",
    "SpeakerModel",
    "SpeakerNotFoundError",
    "SpeakerOptedOutError",
    "SpeechBegan",
    "SpeechEnded",
    "StoreDamagedError",
    "StoreError",
    "StoreExistsError",
    "StoreMissingError",
    "StoreReadOnlyError",
    "StoreReplacedError",
    "TooFewTrialsError",
    "TrainingError",
    "TrialError",
    "TuningDamagedError",
    "Verification",
    "Verifier",
    "VoiceprintError",
    "Waveform",
    "WorkerError",
    "__version__",
    "read_audio",
]

# Loaded when first asked for: numpy and the audio libraries take longer to import than many commands to run.
_load = front_page(
    "voiceprint",
    {
        "audio": ("Waveform", "read_audio"),
        "calibration": ("OperatingPoint",),
        "diarization.diarizer": ("Diarization", "Diarizer"),
        "engine.decisions": ("Comparison", "Identification", "Match", "Verification"),
        "engine.enrollment": ("EnrollmentReport",),
        "engine.events": ("Decided", "Event", "Scored", "SpeakerChanged", "SpeechBegan", "SpeechEnded"),
        "engine.session": ("Session",),
        "engine.verifier": ("Verifier",),
        "model": ("ModelCard", "SpeakerModel"),
        "store": ("Consent", "Enrollment", "EnrollmentStore"),
    },
)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _load(name)
    from importlib.metadata import version  # noqa: PLC0415  40 ms that only this needs

    value = globals()[name] = version("voiceprint-engine")
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
