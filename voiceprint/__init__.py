"""Speaker verification with enrollment: enroll, verify and identify voices on your own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voiceprint import onnx_runtime as onnx_runtime  # switches its reports off before anything loads it

if TYPE_CHECKING:
    from voiceprint.audio import Waveform, read_audio
    from voiceprint.decisions import Comparison, Identification, Match, Verification
    from voiceprint.errors import VoiceprintError
    from voiceprint.model import ModelCard, SpeakerModel
    from voiceprint.store import Enrollment, EnrollmentStore
    from voiceprint.verifier import EnrollmentReport, Verifier

__all__ = [
    "Comparison",
    "Enrollment",
    "EnrollmentReport",
    "EnrollmentStore",
    "Identification",
    "Match",
    "ModelCard",
    "SpeakerModel",
    "Verification",
    "Verifier",
    "VoiceprintError",
    "Waveform",
    "read_audio",
]

# Loaded when first asked for: numpy and the audio libraries take longer to import than many commands to run.
_HOMES = {
    "Comparison": "voiceprint.decisions",
    "Enrollment": "voiceprint.store",
    "EnrollmentReport": "voiceprint.verifier",
    "EnrollmentStore": "voiceprint.store",
    "Identification": "voiceprint.decisions",
    "Match": "voiceprint.decisions",
    "ModelCard": "voiceprint.model",
    "SpeakerModel": "voiceprint.model",
    "Verification": "voiceprint.decisions",
    "Verifier": "voiceprint.verifier",
    "VoiceprintError": "voiceprint.errors",
    "Waveform": "voiceprint.audio",
    "read_audio": "voiceprint.audio",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'voiceprint' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
