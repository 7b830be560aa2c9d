"""What watches over the server: health, readiness, metrics; and the model card."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from voiceprint.server.access import may, presented_key
from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.keys import SCOPES, ApiKey
from voiceprint.server.parameters import PROBLEMS
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import AccessAnswer, ModelAnswer
from voiceprint.store import is_url

router = APIRouter(tags=["operations"], responses=PROBLEMS)


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Answer that the process runs."""
    return "ok"


@router.get("/readyz", response_class=PlainTextResponse)
async def readyz(engine: EngineDependency) -> str:
    """Answer that the store and the server's own file can be read and written; 503 with the reason otherwise.

    Overload is no such reason: who is taken out for it leaves more to the others.
    """
    await asyncio.to_thread(check_disk, engine)
    return "ready"


@router.get("/metrics", dependencies=[may("metrics")], response_class=PlainTextResponse)
async def metrics(engine: EngineDependency) -> PlainTextResponse:
    """Return the counters of all processes in Prometheus's text format, and how many keys are damaged."""
    damaged = await asyncio.to_thread(engine.keys.damaged)
    text = engine.metrics.text(damaged_keys=len(damaged))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/v1/access", openapi_extra={"security": [{}]})  # with a key, or without
async def access(
    engine: EngineDependency, key: Annotated[ApiKey | None, Depends(presented_key)]
) -> AccessAnswer:
    """Tell a client whether it needs a key, what its key may do, and how much it may send."""
    settings = engine.settings
    return AccessAnswer(
        key_needed=not settings.keyless,
        key=None if key is None else key.id,
        scopes=list(SCOPES) if settings.keyless else [] if key is None else sorted(key.scopes),
        max_seconds=settings.max_seconds,
        max_clips=settings.max_clips,
        max_audio=settings.max_audio,
        max_body=settings.max_body,
        max_recording=settings.max_recording,
        max_recording_body=settings.max_recording_body,
        consent_needed=await asyncio.to_thread(lambda: engine.verifier.store.requires_consent),
        challenge_needed=settings.challenge,
    )


@router.get("/v1/model", dependencies=[may("verify")])
async def model(engine: EngineDependency) -> ModelAnswer:
    """Show the model that scores."""
    card = engine.verifier.model.card
    return ModelAnswer(
        name=card.name,
        version=card.version,
        id=card.id,
        dim=card.dim,
        description=card.description,
        licence=card.licence,
        calibrated=card.calibration is not None,
        decision=str(card.decision),
    )


NEEDED = 16 << 20
"""Bytes without which a disk counts as full: decisions are logged before they are answered."""


def check_disk(engine: Engine) -> None:
    """Read the store and the server's file, and look for room on their disks; Problem 503 if one is full."""
    len(engine.verifier.store)
    engine.keys.check()
    for what, folder in _folders(engine):
        if shutil.disk_usage(folder).free < NEEDED:
            detail = f"the disk of {what} is full; make room"
            raise Problem(503, "disk-full", detail, headers={"Retry-After": "30"})


def _folders(engine: Engine) -> Iterator[tuple[str, Path]]:
    yield "the server's keys and audit log", engine.settings.state_folder
    store = engine.verifier.store_path
    if not is_url(store):
        yield "the voiceprints", Path(store)
