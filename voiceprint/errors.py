"""Every exception voiceprint raises on purpose.

::

    VoiceprintError
    ├── AudioError               a clip cannot be read or used            .source
    ├── ModelError               a model folder is missing, damaged or unfit  .path
    ├── StoreError               an enrollment store cannot be used       .path
    │   ├── StoreReadOnlyError   a change was asked of a store that cannot be written
    │   ├── StoreDamagedError    the database file is not what it should be
    │   └── ModelMismatchError   the voiceprints were made with another model
    ├── SpeakerError             about one enrolled person                .name
    │   ├── InvalidNameError     the name cannot be used
    │   ├── SpeakerNotFoundError nobody of that name is enrolled
    │   ├── SpeakerExistsError   somebody of that name is enrolled already
    │   ├── SpeakerExpiredError  what the person agreed to has ended
    │   └── SpeakerOptedOutError the person does not want to be enrolled
    ├── EnrollmentError          the clips given do not make a voiceprint .name .clips
    ├── ScoringError             embeddings or a cohort do not allow the score asked for
    ├── TrialError               a trial list or score file is wrong
    ├── CalibrationError         scores do not allow the calibration asked for
    ├── CorpusError              a corpus or its manifest is wrong
    ├── ConfigError              a training recipe is wrong
    ├── TrainingError            a training run cannot go on
    └── ServerError              the server cannot be started, or its state cannot be used

Messages say what is wrong, which value, and what would do. The command line prints them as one
``Error: ...`` line and exits with 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "AudioError",
    "CalibrationError",
    "ConfigError",
    "CorpusError",
    "EnrollmentError",
    "InvalidNameError",
    "ModelError",
    "ModelMismatchError",
    "ScoringError",
    "ServerError",
    "SpeakerError",
    "SpeakerExistsError",
    "SpeakerExpiredError",
    "SpeakerNotFoundError",
    "SpeakerOptedOutError",
    "StoreDamagedError",
    "StoreError",
    "StoreReadOnlyError",
    "TrainingError",
    "TrialError",
    "VoiceprintError",
]


class VoiceprintError(Exception):
    """Base of every error that voiceprint raises on purpose."""


class AudioError(VoiceprintError):
    """A clip cannot be read or used.

    Parameters
    ----------
    message : str
        What is wrong, which value and what to do.
    source : str
        The clip: its path, or ``<bytes>``, ``<array>``, ``-`` for standard input.
    """

    def __init__(self, message: str, *, source: str) -> None:
        super().__init__(message)
        self.source = source


class ModelError(VoiceprintError):
    """A model folder is missing, damaged or unfit for what was asked.

    Parameters
    ----------
    message : str
        What is wrong, which value and what to do.
    path : str
        The model folder.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class StoreError(VoiceprintError):
    """An enrollment store cannot be used.

    Parameters
    ----------
    message : str
        What is wrong, which value and what to do.
    path : str
        The store.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class StoreReadOnlyError(StoreError):
    """A change was asked of a store that cannot be written."""


class StoreDamagedError(StoreError):
    """The store's database is not what it should be."""


class ModelMismatchError(StoreError):
    """The store's voiceprints were made with another model."""


class SpeakerError(VoiceprintError):
    """Something is wrong about one enrolled person.

    Parameters
    ----------
    message : str
        What is wrong, which value and what to do.
    name : str
        The person's name.
    """

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class InvalidNameError(SpeakerError):
    """The name cannot be used."""


class SpeakerNotFoundError(SpeakerError):
    """Nobody of that name is enrolled."""


class SpeakerExistsError(SpeakerError):
    """Somebody of that name is enrolled already."""


class SpeakerExpiredError(SpeakerError):
    """The time that the person agreed to has ended."""


class SpeakerOptedOutError(SpeakerError):
    """The person has opted out, so nothing of their voice may be kept."""


class EnrollmentError(VoiceprintError):
    """The clips given do not make a voiceprint.

    Parameters
    ----------
    message : str
        What is wrong, which value and what to do.
    name : str
        The person who was to be enrolled.
    clips : sequence
        What became of each clip (`voiceprint.enrollment.ClipReport`).
    """

    def __init__(self, message: str, *, name: str, clips: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.clips = tuple(clips)


class ScoringError(VoiceprintError):
    """Embeddings or a cohort do not allow the score asked for."""


class TrialError(VoiceprintError):
    """A trial list or score file is wrong; the message begins with file and line where there is one."""


class CalibrationError(VoiceprintError):
    """Scores do not allow the calibration asked for."""


class CorpusError(VoiceprintError):
    """A corpus or its manifest is wrong; the message begins with file and line where there is one."""


class ConfigError(VoiceprintError):
    """A training recipe is wrong; the message names the key."""


class TrainingError(VoiceprintError):
    """A training run cannot go on; the message says where its last good checkpoint is."""


class ServerError(VoiceprintError):
    """The server cannot be started, or its keys and audit log cannot be used."""
