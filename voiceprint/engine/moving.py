"""Move a store to another model: embed everybody anew from kept speech or from folders, then switch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from voiceprint.audio import find_audio
from voiceprint.audio.opus import decode_opus
from voiceprint.engine.bulk import speaker_folders
from voiceprint.engine.enrollment import (
    MIN_ENROLL_SPEECH,
    CandidateClip,
    ClipReport,
    judge_clips,
    utterances_of,
)
from voiceprint.engine.measuring import measure_clip
from voiceprint.errors import (
    AudioError,
    EnrollmentError,
    NotCalibratedError,
    SpeakerError,
    SpeakerNotFoundError,
)
from voiceprint.model import SpeakerModel
from voiceprint.model.registry import find_model
from voiceprint.store import (
    EnrolledUtterance,
    Enrollment,
    EnrollmentStore,
    StoreAddress,
    StoreModel,
    Unmoved,
    default_store_path,
    normalize_name,
)
from voiceprint.workers import count_processes, map_with_model

__all__ = ["MoveReport", "PersonLeft", "move_store"]

_BATCH = 20  # people whose work is lost, at most, when the process is killed
_ROUNDS = 5  # in which those are moved who came meanwhile; who comes later is moved by the next run

_Embedded = tuple[str, datetime, Sequence[EnrolledUtterance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft:
    """Somebody who could not be moved, and has to come again; their model knows them until then.

    Attributes
    ----------
    why : {"no_clips", "unfit", "expired"}
        Nothing of their enrolled clips is there; what is there makes no voiceprint; or it has expired.
    """

    name: str
    why: Literal["no_clips", "unfit", "expired"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveReport:
    """What a move did.

    Attributes
    ----------
    model_id : str
        The model that the store was moved to.
    moved : int
        People with a voiceprint of that model: those who waited from an earlier run are among them.
    clips_left : tuple of (str, str)
        Clips that are no part of the new voiceprint: whose, and which.
    left : tuple of PersonLeft
        Who could not be moved.
    switched : bool
        Whether the voiceprints are in force; not where that was not asked for.
    earlier_model_here : bool
        Whether those who were left can be verified until they come again.
    """

    model_id: str
    moved: int
    clips_left: tuple[tuple[str, str], ...]
    left: tuple[PersonLeft, ...]
    switched: bool
    earlier_model_here: bool


def move_store(
    store: StoreAddress | None,
    model: SpeakerModel,
    *,
    clips: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    switch: bool = True,
    without_earlier: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MoveReport:
    """Embed everybody of a store anew by another model, and switch to it once all who can be moved are.

    Others may go on using the store. What is done is kept: a run that was interrupted, at whatever moment,
    goes on when it is repeated. Who could not be moved keeps their voiceprint, and is verified by the model
    that made it.

    Parameters
    ----------
    store : path, optional
        By default `default_store_path()`.
    clips : path, optional
        A folder with a folder for each speaker, as `enroll_folders` takes it, for clips whose speech is not
        kept. Only clips are taken that are enrolled; of somebody of whom none is there as it was enrolled,
        those that agree with the voiceprint.
    jobs : int, optional
        Processes; by default one for each processor.
    switch : bool
        Put the new voiceprints in force. Otherwise they wait for a run that does.
    without_earlier : bool
        Do so even if somebody cannot be moved whose model is not on this machine: nobody can verify them then
        until they come again. Otherwise there is no switch.
    progress : callable, optional
        Called with how many people are done, and of how many.

    Raises
    ------
    NotCalibratedError
        If the model has no thresholds.
    StoreError
        If nobody is enrolled.
    AudioError
        If the folder holds no folders.
    """
    wanted = count_processes(jobs)
    if model.card.calibration is None:
        raise NotCalibratedError(path=str(model.folder))
    folders = {} if clips is None else _folders_by_name(clips)
    address = default_store_path() if store is None else store
    with EnrollmentStore.open(address, create=False) as opened:
        earlier = _begin(opened, model)
        mover = _Mover(opened, address, model, folders, earlier, jobs=wanted, progress=progress)
        moved, switched = mover.move(switch=switch, alone=without_earlier)
        return MoveReport(
            model_id=model.id,
            moved=moved,
            clips_left=tuple(mover.clips_left),
            left=tuple(mover.left[name] for name in sorted(mover.left)),
            switched=switched,
            earlier_model_here=earlier is not None,
        )


def _folders_by_name(clips: str | os.PathLike[str]) -> dict[str, Path]:
    folders = {}
    for folder in speaker_folders(clips):
        try:
            folders[normalize_name(folder.name)] = folder
        except SpeakerError:  # nobody can be enrolled by that name
            continue
    return folders


def _begin(store: EnrollmentStore, model: SpeakerModel) -> str | None:
    """Set out for the model; returns where the model is that the people to be moved are of."""
    known = store.models()
    present = known.present
    goal = StoreModel(model_id=model.id, dim=model.dim, folder=str(model.folder.absolute()))
    of = [*known.earlier] if present is None or present.model_id == model.id else [present]
    places = [find_model(each.model_id, noted=each.folder) for each in of]
    earlier = str(places[0].absolute()) if places and places[0] is not None else None
    away = present is not None and present.model_id != model.id
    store.begin_move(goal, present_folder=earlier if away and earlier is not None else "")
    return earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """What a process needs to embed somebody anew."""

    store: str = field(repr=False)  # of a database the password may be in it
    name: str
    folder: Path | None
    earlier: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Candidates for a voiceprint, and what they are of it now; None where the person has gone."""

    person: Enrollment | None
    enrolled: tuple[EnrolledUtterance, ...] = ()
    candidates: tuple[CandidateClip, ...] = ()


class _Mover:
    """A run of a move."""

    def __init__(
        self,
        store: EnrollmentStore,
        address: StoreAddress,
        model: SpeakerModel,
        folders: dict[str, Path],
        earlier: str | None,
        *,
        jobs: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._store, self._model, self._folders, self._earlier = store, model, folders, earlier
        self._address = os.fspath(address)  # of a database with its password, which `store.path` leaves out
        self._jobs, self._progress = jobs, progress
        self._decider = model.decider()
        self._tried: dict[str, datetime] = {}
        self.left: dict[str, PersonLeft] = {}
        self.clips_left: list[tuple[str, str]] = []

    def move(self, *, switch: bool, alone: bool) -> tuple[int, bool]:
        """Move everybody who can be; returns how many wait or were switched, and whether they were.

        Who comes faster than they can be moved stays with their model until the next run.
        """
        for rest in reversed(range(_ROUNDS)):
            self._embed_everybody()
            if not switch or (self.left and self._earlier is None and not alone):
                break
            tried = self._tried if rest else {each.name: each.updated for each in self._store.unmoved()}
            if (moved := self._store.switch(tried)) is not None:
                return moved, True
        return len(self._store) - len(self._store.unmoved()), False

    def _embed_everybody(self) -> None:
        waiting = [one for one in self._store.unmoved() if self._tried.get(one.name) != one.updated]
        total, done = len(waiting), 0
        self._tell(done, total)
        items = [self._item(one) for one in waiting if not one.expired]
        for one in waiting:
            self.left.pop(one.name, None)
            if one.expired:
                self._leave(one.name, one.updated, "expired", "the voiceprint has expired")
        ready: list[_Embedded] = []
        for found in map_with_model(_embed_person, items, self._model, jobs=self._jobs, chunk=1):
            done += 1
            ready += self._judged(found)
            if len(ready) >= _BATCH or done == len(items):
                if ready:
                    self._store.stage(ready)
                ready = []
            self._tell(done, total)

    def _item(self, one: Unmoved) -> _Person:
        return _Person(
            store=self._address,
            name=one.name,
            folder=self._folders.get(one.name),
            earlier=self._earlier,
        )

    def _judged(self, found: _Found) -> Iterator[_Embedded]:
        """Judge the clips of a person as at enrollment; nothing where they make no voiceprint."""
        person = found.person
        if person is None:
            return
        name = person.name
        if not found.candidates:
            self._leave(name, person.updated, "no_clips", "none of the enrolled clips is there")
            return
        try:
            judged = judge_clips(
                name,
                found.candidates,
                decider=self._decider,
                min_speech=min(MIN_ENROLL_SPEECH, person.seconds_of_speech - 0.05),
            )
        except EnrollmentError as error:
            reason = error.fact.removeprefix(f"{name}: ")
            self._leave(name, person.updated, "unfit", reason)
            return
        enrolled = {clip.clip_sha256: clip for clip in found.enrolled}
        utterances = [
            replace(enrolled[clip.clip_sha256], embedding=clip.embedding)
            if clip.clip_sha256 in enrolled
            else clip
            for clip in utterances_of(judged)
        ]
        used = {clip.clip_sha256 for clip in utterances}
        if enrolled.keys() & used:
            gone = [clip.source for digest, clip in enrolled.items() if digest not in used]
            self.clips_left += [(name, source) for source in gone]
        yield name, person.updated, utterances

    def _leave(
        self, name: str, updated: datetime, why: Literal["no_clips", "unfit", "expired"], reason: str
    ) -> None:
        self._tried[name] = updated
        self.left[name] = PersonLeft(name=name, why=why, reason=reason)

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, total)


def _embed_person(model: SpeakerModel, item: _Person) -> _Found:
    """Embed a person's clips anew: from kept speech, and from their folder what is not kept."""
    with EnrollmentStore.open(item.store, read_only=True) as store:
        try:
            person, enrolled = store.get(item.name), tuple(store.utterances(item.name))
            audio = store.kept_audio(item.name)
        except SpeakerNotFoundError:
            return _Found(person=None)
    kept = [
        _from_speech(model, clip, audio[clip.clip_sha256]) for clip in enrolled if clip.clip_sha256 in audio
    ]
    missing = {clip.clip_sha256 for clip in enrolled} - audio.keys()
    others = _from_folder(model, item.folder) if item.folder is not None and missing else []
    candidates = [*kept, *(clip for clip in others if clip.sha256 in missing)]
    if not candidates and others:
        candidates = _that_agree(person, others, item)
    return _Found(person=person, enrolled=enrolled, candidates=tuple(candidates))


def _from_speech(model: SpeakerModel, clip: EnrolledUtterance, content: bytes) -> CandidateClip:
    """Embed kept speech; what was measured of the clip at enrollment stays."""
    status: Literal["used", "unreadable"] = "used"
    reason, embedding = "", None
    try:
        embedding = model.embed([decode_opus(content, clip.source)])[0]
    except AudioError as error:
        status, reason = "unreadable", error.fact
    report = ClipReport(
        source=clip.source, status=status, reason=reason, quality=clip.quality, agreement=None
    )
    return CandidateClip(report=report, sha256=clip.clip_sha256, embedding=embedding)


def _from_folder(model: SpeakerModel, folder: Path) -> list[CandidateClip]:
    try:
        paths = find_audio([folder])
    except AudioError:  # it holds none
        return []
    return [measure_clip(path, model) for path in paths]


def _that_agree(person: Enrollment, others: list[CandidateClip], item: _Person) -> list[CandidateClip]:
    """Choose clips, none of which is enrolled to the sample, by the model that knows the person."""
    if item.earlier is None or item.folder is None:
        return []
    earlier = _opened(item.earlier)
    try:
        judged = judge_clips(
            person.name,
            _from_folder(earlier, item.folder),
            decider=earlier.decider(),
            enrolled=person,
            min_speech=0.0,
        )
    except EnrollmentError:
        return []
    agreeing = {clip.sha256 for clip in judged if clip.embedding is not None}
    return [clip for clip in others if clip.sha256 in agreeing]


@lru_cache(maxsize=1)
def _opened(folder: str) -> SpeakerModel:
    return SpeakerModel.open(folder)
