"""Every exception voiceprint raises on purpose.

::

    VoiceprintError              .code .fact .advice
    ├── ArgumentError            an argument is out of range (a ValueError as well)  .argument .value .allowed
    ├── AudioError               a clip cannot be read or used            .source
    │   └── ChannelsDifferError  its channels hold different sounds
    ├── ModelError               a model folder is missing, damaged or unfit  .path
    │   ├── FolderExistsError    a model folder was to be written where one is
    │   ├── ModelExistsError     a model of that name and version is registered
    │   └── NotCalibratedError   a threshold was asked of a model that has none
    ├── StoreError               an enrollment store cannot be used       .path
    │   ├── StoreReadOnlyError   a change was asked of a store that cannot be written
    │   ├── StoreMissingError    there is no store
    │   ├── StoreExistsError     a store was to be restored where one is
    │   ├── StoreReplacedError   another one was put in the place of the one that was opened
    │   ├── StoreDamagedError    the database file is not what it should be
    │   └── ModelMismatchError   the voiceprints were made with another model
    ├── SpeakerError             about one enrolled person                .name
    │   ├── InvalidNameError     the name cannot be used
    │   ├── SpeakerNotFoundError nobody of that name is enrolled
    │   ├── SpeakerExistsError   somebody of that name is enrolled already
    │   ├── SpeakerExpiredError  what the person agreed to has ended
    │   ├── ConsentRequiredError the store takes nobody without consent
    │   └── SpeakerOptedOutError the person does not want to be enrolled
    ├── EnrollmentError          the clips given do not make a voiceprint .name .clips
    ├── ChallengeError           a challenge is unknown, was answered before, or has expired
    ├── ScoringError             embeddings or a cohort do not allow the score asked for
    ├── TrialError               a trial list or score file is wrong
    ├── CalibrationError         scores do not allow the calibration asked for
    │   ├── TooFewTrialsError    there are too few people, clips or trials for it
    │   └── TuningDamagedError   the thresholds of a store cannot be read
    ├── CorpusError              a corpus or its manifest is wrong
    │   └── PoolMissingError     a pool of training speech is not rendered yet
    ├── ConfigError              a training recipe is wrong
    ├── TrainingError            a training run cannot go on
    │   └── RunExistsError       a run was to be begun in a folder that holds one
    ├── WorkerError              a process that worked on clips died
    ├── DownloadError            a file cannot be fetched, or is another one  .address
    ├── NoHomeError              the user has no home folder, and nothing else is named
    └── ServerError              the server cannot be started, or its state cannot be used

An error states a fact and what would do, in terms of the library: it names arguments, never an option of
the command line or a route of the server. Programs tell errors apart by class or by `code`; a face that has
better advice for its users prints `fact` and its own. The command line prints one ``Error: ...`` line and
exits with 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

__all__ = [
    "ArgumentError",
    "AudioError",
    "CalibrationError",
    "ChallengeError",
    "ChannelsDifferError",
    "ConfigError",
    "ConsentRequiredError",
    "CorpusError",
    "DownloadError",
    "EnrollmentError",
    "FolderExistsError",
    "InvalidNameError",
    "ModelError",
    "ModelExistsError",
    "ModelMismatchError",
    "NoHomeError",
    "NotCalibratedError",
    "PoolMissingError",
    "RunExistsError",
    "ScoringError",
    "ServerError",
    "SpeakerError",
    "SpeakerExistsError",
    "SpeakerExpiredError",
    "SpeakerNotFoundError",
    "SpeakerOptedOutError",
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
    "VoiceprintError",
    "WorkerError",
]


class VoiceprintError(Exception):
    """Base of every error that voiceprint raises on purpose.

    Parameters
    ----------
    fact : str
        What is wrong, and which value.
    advice : str
        What would do, where the fact does not say so; ``str(error)`` is ``fact; advice``.

    Attributes
    ----------
    code : str
        Names the kind of error and does not change: the class without "Error" in snake_case.
    """

    code: ClassVar[str] = "error"

    def __init_subclass__(cls) -> None:
        """Give a class its code, unless it says one itself."""
        if "code" not in vars(cls):
            name = cls.__name__.removesuffix("Error")
            cls.code = "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")

    def __init__(self, fact: str, *, advice: str = "") -> None:
        super().__init__(f"{fact}; {advice}" if advice else fact)
        self.fact = fact
        self.advice = advice

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the way between processes with every field."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[VoiceprintError], args: tuple[Any, ...], fields: dict[str, Any]) -> VoiceprintError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ArgumentError(VoiceprintError, ValueError):
    """An argument is not one of its choices, or out of range.

    Parameters
    ----------
    value : object
        What was given.
    allowed : str
        What may be given, in words.
    beside : sequence of str
        Other arguments that `allowed` names.
    """

    def __init__(self, argument: str, value: object, allowed: str, *, beside: Sequence[str] = ()) -> None:
        super().__init__(f"{argument} is {value!r}; it must be {allowed}")
        self.beside = tuple(beside)
        self.argument = argument
        self.value = value
        self.allowed = allowed


class AudioError(VoiceprintError):
    """A clip cannot be read or used.

    Parameters
    ----------
    source : str
        The clip: its path, or ``<bytes>``, ``<array>``, ``-`` for standard input.
    """

    def __init__(self, fact: str, *, advice: str = "", source: str) -> None:
        super().__init__(fact, advice=advice)
        self.source = source


class ChannelsDifferError(AudioError):
    """The channels of a clip hold different sounds, as of two people, and nothing says which one is meant."""


class ModelError(VoiceprintError):
    """A model folder is missing, damaged or unfit for what was asked."""

    def __init__(self, fact: str, *, advice: str = "", path: str) -> None:
        super().__init__(fact, advice=advice)
        self.path = path


class DownloadError(VoiceprintError):
    """A file cannot be fetched, or is not the one that was wanted.

    Parameters
    ----------
    fact, advice : str
        As of `VoiceprintError`.
    address : str
        Its address, or the path of a file that was given.
    """

    def __init__(self, fact: str, *, advice: str = "", address: str) -> None:
        super().__init__(fact, advice=advice)
        self.address = address


class FolderExistsError(ModelError):
    """A model folder was to be written where one is."""


class ModelExistsError(ModelError):
    """A model was to be registered under the name and version of another one."""


class NotCalibratedError(ModelError):
    """A threshold was asked of a model that has none, for it was never calibrated.

    Parameters
    ----------
    path : str
        The model folder, where it is known.
    """

    def __init__(self, *, path: str = "") -> None:
        super().__init__(
            f"{path or 'the model'} has no thresholds, for it was never calibrated",
            advice="give a threshold, or calibrate it",
            path=path,
        )


class StoreError(VoiceprintError):
    """An enrollment store cannot be used."""

    def __init__(self, fact: str, *, advice: str = "", path: str) -> None:
        super().__init__(fact, advice=advice)
        self.path = path


class StoreReadOnlyError(StoreError):
    """A change was asked of a store that cannot be written."""


class StoreMissingError(StoreError):
    """There is no store where one was to be read."""


class StoreExistsError(StoreError):
    """A store was to be restored where one is."""


class StoreReplacedError(StoreError):
    """Another store was put in the place of the one that was opened; it has to be opened again."""


class StoreDamagedError(StoreError):
    """The store's database is not what it should be."""


class ModelMismatchError(StoreError):
    """The store's voiceprints were made with another model."""


class SpeakerError(VoiceprintError):
    """Something is wrong about one enrolled person."""

    def __init__(self, fact: str, *, advice: str = "", name: str) -> None:
        super().__init__(fact, advice=advice)
        self.name = name


class InvalidNameError(SpeakerError):
    """The name cannot be used."""


class SpeakerNotFoundError(SpeakerError):
    """Nobody of that name is enrolled."""


class SpeakerExistsError(SpeakerError):
    """Somebody of that name is enrolled already."""


class SpeakerExpiredError(SpeakerError):
    """The time that the person agreed to has ended."""


class ConsentRequiredError(SpeakerError):
    """The store requires consent, and none of this person is noted or given."""


class SpeakerOptedOutError(SpeakerError):
    """The person has opted out, so nothing of their voice may be kept."""


class EnrollmentError(VoiceprintError):
    """The clips given do not make a voiceprint.

    Parameters
    ----------
    clips : sequence
        What became of each clip (`voiceprint.engine.enrollment.ClipReport`).
    """

    def __init__(self, fact: str, *, advice: str = "", name: str, clips: Sequence[Any] = ()) -> None:
        super().__init__(fact, advice=advice)
        self.name = name
        self.clips = tuple(clips)


class ChallengeError(VoiceprintError):
    """A challenge is unknown, was answered before, or has expired."""


class ScoringError(VoiceprintError):
    """Embeddings or a cohort do not allow the score asked for."""


class TrialError(VoiceprintError):
    """A trial list or score file is wrong; the message begins with file and line where there is one."""


class CalibrationError(VoiceprintError):
    """Scores do not allow the calibration asked for."""


class TooFewTrialsError(CalibrationError):
    """There are too few people, clips or trials to calibrate on."""


class TuningDamagedError(CalibrationError):
    """The thresholds of a store cannot be read."""


class CorpusError(VoiceprintError):
    """A corpus or its manifest is wrong; the message begins with file and line where there is one."""


class PoolMissingError(CorpusError):
    """A pool of training speech is not rendered yet."""


class ConfigError(VoiceprintError):
    """A training recipe is wrong; the message names the key."""


class TrainingError(VoiceprintError):
    """A training run cannot go on; the message says where its last good checkpoint is."""


class RunExistsError(TrainingError):
    """A run was to be begun in a folder that holds one."""


class WorkerError(VoiceprintError):
    """A process that worked on clips died."""


class NoHomeError(VoiceprintError):
    """The user has no home folder, and nothing names another place for their files."""


class ServerError(VoiceprintError):
    """The server cannot be started, or its keys and audit log cannot be used."""
