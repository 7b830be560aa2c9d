"""Enroll many people at once: a folder whose sub-folders are speakers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from voiceprint.arguments import check_choice, check_number
from voiceprint.audio import find_audio
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.engine.enrollment import MIN_ENROLL_SPEECH, CandidateClip, ClipReport
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.resemblance import Resemblance
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import AudioError, EnrollmentError, SpeakerError
from voiceprint.model import SpeakerModel
from voiceprint.store import AddMode, normalize_name
from voiceprint.workers import count_processes, map_with_model

if TYPE_CHECKING:
    from voiceprint.countermeasure import LivenessCheck

__all__ = ["BulkResult", "enroll_folders", "speaker_folders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of one sub-folder.

    Attributes
    ----------
    status : {"enrolled", "skipped", "refused"}
        Enrolled now; enrolled already with clips of this folder; or not enrolled, for the reason given.
    clips : tuple of ClipReport
        What became of each clip, where they were looked at.
    resembles : tuple of Resemblance
        Who else is enrolled with this voice or with one of these recordings, as it seems.
    """

    name: str
    status: Literal["enrolled", "skipped", "refused"]
    reason: str
    clips: tuple[ClipReport, ...] = ()
    resembles: tuple[Resemblance, ...] = ()


def speaker_folders(folder: str | os.PathLike[str]) -> list[Path]:
    """List the sub-folders of a folder, a speaker each; AudioError if it is missing or has none."""
    root = Path(folder)
    if not root.is_dir():
        raise AudioError(
            f"{root}: no such folder; give one that holds a folder for each speaker", source=str(root)
        )
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise AudioError(
            f"{root}: holds no folders; put each speaker's clips in one of their own", source=str(root)
        )
    return folders


def enroll_folders(
    verifier: Verifier,
    folders: Sequence[Path],
    *,
    mode: AddMode = "new",
    min_speech: float = MIN_ENROLL_SPEECH,
    jobs: int | None = None,
) -> Iterator[BulkResult]:
    """Enroll one person from each folder; a run that was interrupted goes on when it is repeated.

    Parameters
    ----------
    folders : sequence of Path
        One for each person, named like the person; searched recursively.
    mode : {"new", "add", "replace"}
        "new" passes over people whose voiceprint was made from clips of their folder, and refuses others who
        are enrolled already; "add" enrolls whoever is new and adds new clips to the others.
    min_speech : float
        Seconds of speech that a voiceprint must rest on in all.
    jobs : int, optional
        Processes; by default one for each processor.

    Yields
    ------
    BulkResult
        One for each folder; each voiceprint is stored before its result is given.
    """
    check_choice("mode", mode, get_args(AddMode))
    check_number("min_speech", min_speech, least=MIN_SPEECH)
    return _enroll_all(verifier, folders, mode, min_speech, count_processes(jobs))


def _enroll_all(
    verifier: Verifier, folders: Sequence[Path], mode: AddMode, min_speech: float, jobs: int
) -> Iterator[BulkResult]:
    pending: list[Path] = []
    for folder in folders:
        settled = _settled(verifier, folder, mode)
        if settled is None:
            pending.append(folder)
        else:
            yield settled
    measure = partial(_measure_folder, liveness=verifier.liveness)
    measured = map_with_model(measure, pending, verifier.model, jobs=jobs, chunk=1)
    for folder, candidates in zip(pending, measured, strict=True):
        yield _enroll(verifier, folder, candidates, mode, min_speech)


def _settled(verifier: Verifier, folder: Path, mode: str) -> BulkResult | None:
    """Say what needs no look at the clips: a name that cannot be used, or one that is enrolled already."""
    result = partial(BulkResult, name=folder.name)
    try:
        name = normalize_name(folder.name)
    except SpeakerError as error:
        return result(status="refused", reason=str(error))
    if mode != "new" or name not in verifier.store:
        return None
    # The store keeps the names of the clips, not their folders.
    inside = {path.name for path in folder.rglob("*")}
    if all(Path(item.source).name in inside for item in verifier.store.utterances(name)):
        return result(status="skipped", reason="enrolled already")
    return result(
        status="refused",
        reason="enrolled already, from other clips; add the clips, replace the voiceprint, or rename one",
    )


def _measure_folder(
    model: SpeakerModel, folder: Path, *, liveness: LivenessCheck | None
) -> list[CandidateClip]:
    try:
        paths = find_audio([folder])
    except AudioError:  # it holds no audio; judging no clips says so
        return []
    return [measure_clip(path, model, liveness=liveness) for path in paths]


def _enroll(
    verifier: Verifier,
    folder: Path,
    candidates: Sequence[CandidateClip],
    mode: AddMode,
    min_speech: float,
) -> BulkResult:
    name = normalize_name(folder.name)
    if mode == "add" and name not in verifier.store:
        mode = "new"
    try:
        report = verifier.enroll_measured(name, candidates, mode=mode, min_speech=min_speech)
    except EnrollmentError as error:
        if error.clips and all(clip.status == "duplicate" for clip in error.clips):
            return BulkResult(name=name, status="skipped", reason="has no new clips", clips=error.clips)
        return BulkResult(name=name, status="refused", reason=str(error), clips=error.clips)
    except SpeakerError as error:  # somebody else enrolled the name meanwhile
        return BulkResult(name=name, status="refused", reason=str(error))
    return BulkResult(name=name, status="enrolled", reason="", clips=report.clips, resembles=report.resembles)
