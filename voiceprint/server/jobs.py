"""Jobs: recordings that are diarized one after the other, beside the requests, and what was found in them.

A recording lies in a file without a name until it is decoded, an answer in memory until its time is over.
Neither is left behind by a process that ends, however it ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from voiceprint.errors import VoiceprintError
from voiceprint.server.problems import Problem, as_problem

_log = logging.getLogger(__name__)

_NICENESS = 10  # of the thread of the recordings: requests come first


class JobCancelledError(VoiceprintError):
    """Nobody waits for the answer any more."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A recording, and what became of it.

    Attributes
    ----------
    caller : str
        Whose it is.
    facts : dict
        Who asked, for the audit log.
    work : callable
        ``work(job)`` finds the answer, in a thread of its own; it calls `report` now and then.
    recording, held : ExitStack
        What is closed when the recording is not needed any more, and when the job is forgotten.
    id : str
        Cannot be guessed.
    state : {"waiting", "running", "done", "failed"}
    progress : tuple of (str, float, float), or None
    answer : object
        What `work` returned.
    problem : Problem or None
        Why it failed.
    expires : datetime or None
        When the answer is forgotten.
    """

    caller: str
    facts: dict[str, str]
    work: Callable[[Job], Any]
    recording: ExitStack
    held: ExitStack
    id: str
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    progress: tuple[str, float, float] | None = None
    answer: Any = None
    problem: Problem | None = None
    expires: datetime | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def report(self, stage: str, done: float, total: float) -> None:
        """Note how far it is; JobCancelledError where nobody waits any more."""
        if self.cancelled.is_set():
            raise JobCancelledError("the recording was deleted")
        self.progress = (stage, done, total)


class JobQueue:
    """The jobs of a process: one runs at a time, next that of the caller who has had least.

    Parameters
    ----------
    seconds : float
        How long an answer is kept.
    finished : coroutine function
        Called with each job that has ended, before its answer can be seen: the audit log's.
    tag : str
        Begins the id of each job, and says which process has it.
    """

    def __init__(self, *, seconds: float, finished: Callable[[Job], Awaitable[None]], tag: str) -> None:
        self._seconds, self._finished, self.tag = seconds, finished, tag
        self._jobs: dict[str, Job] = {}
        self._had: Counter[str] = Counter()  # jobs that were begun, by caller
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="diarize", initializer=_let_others_first)
        self._runner: asyncio.Task[None] | None = None

    def add(self, **what: Any) -> Job:
        """Take a job on; its fields as of `Job`, all but the id."""
        job = Job(**what, id=self.tag + secrets.token_hex(16))
        self._jobs[job.id] = job
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return job

    def find(self, job_id: str, caller: str) -> Job:
        """Return a job; Problem 404 unless the caller has it here."""
        job = self._jobs.get(job_id)
        if job is None or job.caller != caller:
            detail = "there is no such recording: it was deleted, its time is over, or its process has ended"
            raise Problem(404, "recording-not-found", detail)
        return job

    def forget(self, job: Job) -> None:
        """End a job, and forget what was found."""
        self._jobs.pop(job.id, None)
        job.cancelled.set()
        if job.state != "running":  # else its thread still reads
            job.recording.close()
            job.held.close()
        job.answer = None

    async def close(self) -> None:
        """Forget everything."""
        for job in list(self._jobs.values()):
            self.forget(job)
        if self._runner is not None:
            await self._runner
        self._thread.shutdown(wait=True)

    async def _run(self) -> None:
        while waiting := [job for job in self._jobs.values() if job.state == "waiting"]:
            job = min(waiting, key=lambda each: self._had[each.caller])  # the first of those alike
            self._had[job.caller] += 1
            job.state = "running"
            done = asyncio.get_running_loop().run_in_executor(self._thread, job.work, job)
            await asyncio.wait([done])
            await self._end(job, done)
        self._had.clear()
        self._runner = None

    async def _end(self, job: Job, done: asyncio.Future[Any]) -> None:
        job.recording.close()
        error = done.exception()
        if job.cancelled.is_set():
            job.problem = Problem(410, "recording-deleted", "the recording was deleted")
        elif isinstance(error, Exception):
            job.problem = as_problem(error)
            if job.problem.status >= 500:
                _log.error("recording of request %s: %s", job.facts["request"], error, exc_info=error)
        else:
            job.answer = done.result()
        try:
            await self._finished(job)
        except (VoiceprintError, OSError) as unwritten:  # it is not answered then
            job.answer, job.problem = None, as_problem(unwritten)
            _log.exception("recording of request %s", job.facts["request"])
        job.state = "done" if job.problem is None else "failed"
        job.over.set()
        if job.cancelled.is_set():
            self.forget(job)
            return
        job.expires = datetime.now(UTC) + timedelta(seconds=self._seconds)
        asyncio.get_running_loop().call_later(self._seconds, self.forget, job)


def _let_others_first() -> None:
    """Leave the core to the thread of the requests when that has something to do; on Linux."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
