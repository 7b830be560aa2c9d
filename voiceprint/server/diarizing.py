"""Who speaks when, over HTTP: recordings out of requests, and what was found in them."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect

from voiceprint.audio import probe_audio
from voiceprint.diarization.diarizer import Diarization, Diarizer, speaker_range
from voiceprint.errors import SpeakerNotFoundError, VoiceprintError
from voiceprint.server.access import Caller
from voiceprint.server.bodies import CLOSE, bounded, content_type, form_fields, parsed_form
from voiceprint.server.deciding import log_decision
from voiceprint.server.engine import Engine
from voiceprint.server.fields import DiarizeFields
from voiceprint.server.jobs import Job, JobQueue
from voiceprint.server.limits import Shares
from voiceprint.server.neighbours import TAG_LENGTH, Neighbours
from voiceprint.server.problems import Problem, as_problem
from voiceprint.server.schemas import (
    DiarizationAnswer,
    ProblemAnswer,
    ProgressAnswer,
    RecordingAnswer,
)
from voiceprint.server.settings import ServerSettings

_SLOWEST = 128 << 10  # bytes a second, after the time that every body has
_IN_MEMORY = 1 << 20  # bytes of a recording; a longer one goes to a file without a name


class Recordings:
    """The recordings that a process listens to, and those of its neighbours."""

    def __init__(self, engine: Engine) -> None:
        settings, tag = engine.settings, secrets.token_hex(TAG_LENGTH // 2)
        self._engine = engine
        self._jobs = JobQueue(seconds=settings.job_seconds, finished=self._log, tag=tag)
        self._places = Shares(settings.max_jobs, "recordings, or answers about them, are held")
        folder = None if settings.metrics is None else Path(settings.metrics)
        self._neighbours = Neighbours(folder, tag, self._asked)

    async def open(self) -> None:
        """Begin to listen to the neighbours."""
        await self._neighbours.open()

    async def close(self) -> None:
        """Forget everything."""
        self._neighbours.close()
        await self._jobs.close()

    async def begin(
        self, request: Request, caller: Caller, *, far: float | None
    ) -> tuple[RecordingAnswer, bool]:
        """Take a recording out of a request; returns what is known of it, and whether it is over.

        A recording that is no longer than a clip waits for those before it, is answered here, and forgotten.

        Raises
        ------
        Problem, VoiceprintError
            If it cannot be used, or there is no room for it.
        """
        engine, facts = self._engine, caller.facts(request.state.request_id)
        with ExitStack() as held, ExitStack() as files:
            held.enter_context(self._places.holding(caller.id, caller.address))
            recording = await receive_recording(request, engine, files.callback)
            fields = recording.fields
            speaker_range(fields.speakers, fields.min_speakers, fields.max_speakers)
            await engine.decided.append("diarize", **facts, outcome="asked")
            job = self._jobs.add(
                work=partial(_diarize, engine=engine, recording=recording, far=far),
                caller=caller.id,
                facts=facts,
                recording=files.pop_all(),
                held=held.pop_all(),
            )
        if recording.seconds is None or recording.seconds > engine.settings.max_seconds:
            return self._answer(job), False
        try:
            await job.over.wait()
            if job.problem is not None:
                raise job.problem
            answer = await engine.run(caller.id, partial(self._answer, job))
            return answer.model_copy(update={"expires": None}), True
        finally:
            self._jobs.forget(job)

    async def show(self, job_id: str, caller: str) -> RecordingAnswer:
        """Return what is known of a recording; Problem 404 unless the caller has it."""
        answer = await self._neighbour(job_id, verb="show", caller=caller)
        if answer is not None:
            return RecordingAnswer.model_validate(answer)
        job = self._jobs.find(job_id, caller)
        return await self._engine.run(caller, partial(self._answer, job))

    async def delete(self, job_id: str, caller: str) -> None:
        """Forget a recording and what was found in it; Problem 404 unless the caller has it."""
        if await self._neighbour(job_id, verb="delete", caller=caller) is not None:
            return
        job = self._jobs.find(job_id, caller)
        self._jobs.forget(job)
        await self._engine.decided.append("diarize", **job.facts, outcome="deleted")

    async def _neighbour(self, job_id: str, **question: str) -> dict[str, Any] | None:
        """Ask the process that has a job; None where it is this one, or gone."""
        answer = await self._neighbours.ask(job_id[:TAG_LENGTH], {"id": job_id, **question})
        if answer is not None and "refused" in answer:
            raise Problem(*answer["refused"])
        return answer

    async def _asked(self, question: dict[str, str]) -> dict[str, Any]:
        """Answer a neighbour."""
        job_id, caller = question["id"], question["caller"]
        try:
            if question["verb"] == "show":
                return (await self.show(job_id, caller)).model_dump(mode="json")
            await self.delete(job_id, caller)
        except (Problem, VoiceprintError) as error:
            problem = as_problem(error)
            return {"refused": [problem.status, problem.code, problem.detail]}
        return {}

    def _answer(self, job: Job) -> RecordingAnswer:
        return answer_of(job, self._engine)

    async def _log(self, job: Job) -> None:
        await log_job(self._engine, job)


async def _recordings(request: Request) -> Recordings:
    found: Recordings = request.app.state.recordings
    return found


RecordingsDependency = Annotated[Recordings, Depends(_recordings)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRecording:
    """What a request held.

    Attributes
    ----------
    file : binary file
        It has no name in the file system.
    fields : DiarizeFields
    seconds : float or None
        By its header.
    """

    file: BinaryIO
    fields: DiarizeFields
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSpeakers:
    """What was found, and since when those have been enrolled who are named."""

    answer: DiarizationAnswer
    since: dict[str, datetime]


class _RecordingParser(MultiPartParser):
    spool_max_size = _IN_MEMORY


async def receive_recording(
    request: Request, engine: Engine, held: Callable[[Any], Any]
) -> ReceivedRecording:
    """Read a recording as a form's file ``clip``, or as the bare body.

    Parameters
    ----------
    request : Request
    engine : Engine
    held : callable
        Given what is to be closed when the recording is not needed any more.

    Raises
    ------
    Problem
        If it is too large, too long, too slow, or no recording.
    """
    settings, caller = engine.settings, request.state.caller
    with engine.bodies.holding(caller.id, caller.address):
        try:
            async with asyncio.timeout(settings.body_seconds) as patience:
                # What goes to the disk takes its time, but not for ever.
                def more(size: int) -> None:
                    patience.reschedule((patience.when() or 0.0) + size / _SLOWEST)

                chunks = bounded(request, settings.max_recording_body, more)
                file, texts = await _body(request, chunks, held)
        except TimeoutError:
            detail = f"the recording came slower than {_SLOWEST >> 10} KiB a second"
            raise Problem(408, "body-slow", detail, headers=CLOSE) from None
        except ClientDisconnect:
            raise Problem(400, "body-incomplete", "the connection ended before the body did") from None
    fields = form_fields(texts, DiarizeFields)
    seconds = await asyncio.to_thread(_seconds, file, settings)
    return ReceivedRecording(file=file, fields=fields, seconds=seconds)


async def _body(request: Request, chunks: Any, held: Callable[[Any], Any]) -> tuple[BinaryIO, list[Any]]:
    if content_type(request) != "multipart/form-data":
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by `held`
        held(file.close)
        async for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        return cast(BinaryIO, file), []
    form = await parsed_form(request, chunks, parser=_RecordingParser, most=1)
    items = form.multi_items()
    files = [value for name, value in items if isinstance(value, UploadFile)]
    for each in files:
        held(each.file.close)
    if [name for name, value in items if isinstance(value, UploadFile)] != ["clip"]:
        raise Problem(422, "form-invalid", "the form needs one file, 'clip'")
    return files[0].file, [(name, value) for name, value in items if not isinstance(value, UploadFile)]


def _seconds(file: BinaryIO, settings: ServerSettings) -> float | None:
    """Return a recording's length by its header, and refuse what no recording is, or too long a one."""
    seconds = probe_audio(file).seconds
    file.seek(0)
    if seconds is not None and seconds > settings.max_recording:
        detail = f"the recording lasts {seconds:.0f} s; it may last {settings.max_recording:g}: divide it"
        raise Problem(413, "too-much-audio", detail)
    return seconds


def _diarize(job: Job, *, engine: Engine, recording: ReceivedRecording, far: float | None) -> FoundSpeakers:
    """Find out who speaks when; in the thread of the recordings."""
    fields = recording.fields
    found = Diarizer(engine.verifier, max_seconds=engine.settings.max_recording).diarize(
        recording.file,
        channel=fields.channel,
        speakers=fields.speakers,
        min_speakers=fields.min_speakers,
        max_speakers=fields.max_speakers,
        far=far,
        names=fields.names,
        progress=job.report,
    )
    job.report("naming", found.seconds, found.seconds)
    return FoundSpeakers(answer=DiarizationAnswer.model_validate(found), since=_enrolled_since(found, engine))


def _enrolled_since(found: Diarization, engine: Engine) -> dict[str, datetime]:
    since = {}
    for speaker in found.speakers:
        if speaker.identified:
            person = _present(engine, speaker.name)
            if person is not None:
                since[speaker.name] = person
    return since


def _present(engine: Engine, name: str) -> datetime | None:
    """Return since when somebody has been enrolled who may be named; None for who may not."""
    try:
        person = engine.verifier.show(name)
    except SpeakerNotFoundError:
        return None
    return None if person.expired else person.created


def answer_of(job: Job, engine: Engine) -> RecordingAnswer:
    """Return what may be said of a job now; who was removed meanwhile is not named, nor remembered."""
    found: FoundSpeakers | None = job.answer if job.state == "done" else None
    if found is not None:
        gone = [
            speaker.name
            for speaker in found.answer.speakers
            if speaker.identified and _present(engine, speaker.name) != found.since.get(speaker.name, False)
        ]
        if gone:
            found = job.answer = FoundSpeakers(answer=_unnamed(found.answer, gone), since=found.since)
    return RecordingAnswer(
        id=job.id,
        state=job.state,
        progress=None if job.progress is None else _progress(*job.progress),
        result=None if found is None else found.answer,
        problem=_problem(job),
        expires=job.expires,
    )


def _progress(stage: str, done: float, total: float) -> ProgressAnswer:
    return ProgressAnswer(stage=stage, done=done, total=total)


def _problem(job: Job) -> ProblemAnswer | None:
    if job.problem is None:
        return None
    return ProblemAnswer.model_validate(job.problem.document(job.facts["request"]))


def _unnamed(answer: DiarizationAnswer, gone: list[str]) -> DiarizationAnswer:
    """Give people numbers in the place of their names."""
    taken = {speaker.name for speaker in answer.speakers}
    free = (
        name for name in (f"speaker {number}" for number in range(1, 2 * len(taken) + 2)) if name not in taken
    )
    called = {name: next(free) for name in gone}
    nothing = {"identified": False, "score": None, "llr": None, "threshold": None}
    speakers = [
        each.model_copy(update={"name": called[each.name], **nothing} if each.name in called else {})
        for each in answer.speakers
    ]
    turns = [
        each.model_copy(update={"speaker": called.get(each.speaker, each.speaker)}) for each in answer.turns
    ]
    return answer.model_copy(update={"speakers": speakers, "turns": turns})


async def log_job(engine: Engine, job: Job) -> None:
    """Log what was found, who was named, and that it ended."""
    if job.cancelled.is_set():
        return  # that it was deleted is logged already
    if job.problem is not None:
        await engine.decided.append("diarize", **job.facts, outcome="refused", why=job.problem.code)
        return
    answer: DiarizationAnswer = job.answer.answer
    for speaker in answer.speakers:
        if speaker.identified:
            decided = {**speaker.model_dump(), "decision": "identified", "model": answer.model}
            await log_decision(engine, "diarize", decided, **job.facts, speaker=speaker.name)
    await engine.decided.append("diarize", **job.facts, outcome="done", speakers=len(answer.speakers))
