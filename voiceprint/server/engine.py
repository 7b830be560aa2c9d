"""Engine: what all requests to one server process share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, TypeVar

from fastapi import Depends
from fastapi.requests import HTTPConnection

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.doctor import hum
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ServerError, VoiceprintError
from voiceprint.server.audit import AuditLog, AuditQueue
from voiceprint.server.challenges import ChallengeBook
from voiceprint.server.idempotency import Idempotency
from voiceprint.server.keys import KeyRing
from voiceprint.server.limits import RateLimiter, Shares
from voiceprint.server.metrics import Metrics
from voiceprint.server.pool import VoicePool
from voiceprint.server.refusals import Refusals
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.server.workers import Load

Result = TypeVar("Result")

HOUSE = "the server itself"
"""The caller whose requests are the server's own."""

HOUSE_SECONDS = 600.0
_HELD_BODIES = 8  # of the largest size that a process holds in memory for one key; for all, twice as many


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A verifier, the threads it works in, and what is noted about callers.

    Attributes
    ----------
    keys, limiter, audit, decided, idempotency, challenges, metrics
        What callers may do, how often, what they did, the same for entries on their way to the disk, what
        they did already, what they were asked to say, and how much in all.
    bodies, held, listeners, refusals
        Bodies that are on their way from them, the bytes of those that are held until they are answered, the
        WebSockets that they speak into, and how many were refused.
    load : Load
        How busy this process is, for the others.
    """

    settings: ServerSettings
    verifier: Verifier
    pool: VoicePool
    keys: KeyRing
    limiter: RateLimiter
    audit: AuditLog
    decided: AuditQueue
    idempotency: Idempotency
    challenges: ChallengeBook
    metrics: Metrics
    bodies: Shares
    held: Shares
    listeners: Shares
    refusals: Refusals
    load: Load
    files: tuple[StateFile, ...]

    @classmethod
    def start(cls, settings: ServerSettings, *, routes: Sequence[str]) -> Self:
        """Open the store and the server's file, and load the model; ModelError, StoreError or ServerError."""
        verifier = Verifier(
            settings.store,
            model=settings.model,
            max_seconds=settings.max_seconds,
            spoof_far=settings.spoof_far,
            countermeasure=settings.countermeasure,
        )
        verifier.quality(read_audio(hum(), sample_rate=SAMPLE_RATE))  # loads the speech detector
        verifier.model.embed([hum()])
        len(verifier.store)
        # Two connections: a request that needs a key never waits for the audit log's disk.
        files = StateFile(settings.state_folder), StateFile(settings.state_folder)
        audit = AuditLog(files[1])
        decided = AuditQueue(audit)
        metrics = None if settings.metrics is None else Path(settings.metrics)
        load = Load(metrics)
        return cls(
            settings=settings,
            verifier=verifier,
            pool=VoicePool(
                threads=1, waiting=settings.max_waiting, max_audio=2 * settings.max_audio, report=load.report
            ),
            keys=KeyRing(files[0]),
            limiter=RateLimiter(settings.rate / settings.processes),
            audit=audit,
            decided=decided,
            idempotency=Idempotency(files[1], lambda: verifier.store),
            challenges=ChallengeBook(files[0]),
            metrics=Metrics(metrics, routes),
            bodies=Shares(settings.max_uploads, "bodies are on their way"),
            held=Shares(_HELD_BODIES * settings.max_body, "bytes are being held", address=1, together=2),
            listeners=Shares(settings.max_listeners, "connections are listened to"),
            refusals=Refusals(decided.append),
            load=load,
            files=files,
        )

    async def run(self, caller: str, work: Callable[[], Result], *, audio: float = 0.0) -> Result:
        """Do the work of a request that takes one step, away from the event loop.

        Errors are those of `VoicePool.place`; `audio` is the seconds of audio in its clips.
        """
        with self.pool.place(caller, audio) as turn:
            return await turn.run(work, audio=audio)

    async def open_anew(self) -> None:
        """Let go of a store that another one was put in the place of; the next request opens that."""
        await self.pool.run(self.verifier.close, caller=HOUSE)

    async def watch(self) -> None:
        """Keep house for as long as the server runs: sweep what is over, write down who was refused."""
        while True:
            with suppress(VoiceprintError):  # it is tried again
                await self.run(HOUSE, self.idempotency.sweep)
                await self.refusals.flush(older_than=time.monotonic() - HOUSE_SECONDS)
            await asyncio.sleep(HOUSE_SECONDS)

    async def close(self) -> None:
        """Finish what was begun, and close the store."""
        with suppress(ServerError):
            await self.refusals.flush()
        self.pool.close()
        self.load.close()
        self.decided.close()
        self.verifier.close()
        for file in self.files:
            file.close()


async def _engine(request: HTTPConnection) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


EngineDependency = Annotated[Engine, Depends(_engine)]
