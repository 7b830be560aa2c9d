"""Engine: what all requests to one server process share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self, TypeVar

from fastapi import Depends, Request

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.doctor import hum
from voiceprint.server.audit import AuditLog, AuditQueue
from voiceprint.server.idempotency import Idempotency
from voiceprint.server.keys import KeyRing
from voiceprint.server.limits import RateLimiter, VoicePool
from voiceprint.server.metrics import Metrics
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.verifier import Verifier

__all__ = ["Engine", "EngineDependency"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A verifier, the threads it works in, and what is kept about callers.

    Attributes
    ----------
    settings : ServerSettings
    verifier : Verifier
    pool : VoicePool
    keys, limiter, audit, decided, idempotency, metrics
        What callers may do, how often, what they did, the same for decisions on their way to the disk, what
        they did already, and how much in all.
    """

    settings: ServerSettings
    verifier: Verifier
    pool: VoicePool
    keys: KeyRing
    limiter: RateLimiter
    audit: AuditLog
    decided: AuditQueue
    idempotency: Idempotency
    metrics: Metrics
    files: tuple[StateFile, ...]

    @classmethod
    def start(cls, settings: ServerSettings, *, routes: Sequence[str]) -> Self:
        """Open the store and the server's file, and load the model.

        Raises
        ------
        ModelError, StoreError, ServerError
            If one of them cannot be used.
        """
        verifier = Verifier(settings.store, model=settings.model, max_seconds=settings.max_seconds)
        verifier.quality(read_audio(hum(), rate=SAMPLE_RATE))  # loads the speech detector
        verifier.model.embed([hum()])
        len(verifier.store)
        # Two connections: whoever asks for a key never waits for the audit log's disk.
        files = StateFile(settings.state_folder), StateFile(settings.state_folder)
        audit = AuditLog(files[1])
        return cls(
            settings=settings,
            verifier=verifier,
            pool=VoicePool(threads=1, waiting=settings.max_waiting),
            keys=KeyRing(files[0]),
            limiter=RateLimiter(settings.rate / settings.processes),
            audit=audit,
            decided=AuditQueue(audit),
            idempotency=Idempotency(files[1]),
            metrics=Metrics(None if settings.metrics is None else Path(settings.metrics), routes),
            files=files,
        )

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do work on voices and the store away from the event loop."""
        return await self.pool.run(work)

    def close(self) -> None:
        """Finish what was begun, and close the store."""
        self.pool.close()
        self.decided.close()
        self.verifier.close()
        for file in self.files:
            file.close()


async def _engine(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


EngineDependency = Annotated[Engine, Depends(_engine)]
