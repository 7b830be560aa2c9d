"""Who speaks when in a recording: answered in the same request, or later where the recording is long."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from voiceprint.server.access import Caller, may
from voiceprint.server.diarizing import RecordingsDependency
from voiceprint.server.engine import EngineDependency
from voiceprint.server.fields import DiarizeFields
from voiceprint.server.openapi import clip_body
from voiceprint.server.parameters import PROBLEMS, Far, check_point
from voiceprint.server.schemas import RecordingAnswer

router = APIRouter(prefix="/v1/diarize", tags=["recordings"], responses=PROBLEMS)

LISTENING = may("verify")
May = Annotated[Caller, LISTENING]

_LATER = {202: {"model": RecordingAnswer, "description": "It is listened to: ask for it by its id."}}


@router.post(
    "",
    dependencies=[LISTENING],
    responses=_LATER,  # type: ignore[arg-type]
    openapi_extra=clip_body("clip", fields=DiarizeFields),
)
async def diarize_recording(
    request: Request,
    response: Response,
    engine: EngineDependency,
    recordings: RecordingsDependency,
    caller: May,
    far: Far = None,
) -> RecordingAnswer:
    """Find out who speaks when; one no longer than a clip is answered in this request, and forgotten."""
    check_point(engine.settings, far=far)
    answer, over = await recordings.begin(request, caller, far=far)
    if not over:
        response.status_code = 202
        response.headers["Location"] = f"/v1/diarize/{answer.id}"
    return answer


@router.get("/{recording}", dependencies=[LISTENING])
async def show_recording(recordings: RecordingsDependency, caller: May, recording: str) -> RecordingAnswer:
    """Show how far a recording is listened to, and what was found."""
    return await recordings.show(recording, caller.id)


@router.delete("/{recording}", status_code=204, dependencies=[LISTENING])
async def delete_recording(recordings: RecordingsDependency, caller: May, recording: str) -> None:
    """Stop listening to a recording, and forget what was found in it."""
    await recordings.delete(recording, caller.id)
