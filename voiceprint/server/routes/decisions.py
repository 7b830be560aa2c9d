"""The three answers, and the quality of a clip: verify, identify, compare, quality."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from voiceprint.engine.decisions import Identification
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.server.access import Caller, Room, may
from voiceprint.server.bodies import Body, clips_named
from voiceprint.server.deciding import asked_by, fields_of, identification_fields, log_decision, not_enrolled
from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.fields import ClipFields, IdentifyFields
from voiceprint.server.openapi import clip_body
from voiceprint.server.parameters import PROBLEMS, Far, Name, PointAllowed, RequestId, Threshold
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import (
    ComparisonAnswer,
    IdentificationAnswer,
    MeasurementAnswer,
    VerificationAnswer,
)

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["decisions"], responses=PROBLEMS)

# First among a route's dependencies: who has no key takes no place, and learns nothing of the request.
VERIFYING = may("verify")
Verifying = Annotated[Caller, VERIFYING]
OneClip = Annotated[Body[ClipFields], Depends(clips_named("clip", fields=ClipFields))]
TwoClips = Annotated[Body[ClipFields], Depends(clips_named("a", "b", fields=ClipFields))]

FEW = 5
"""People that an identification shows to callers who may only verify."""


@router.post(
    "/speakers/{name}/verify",
    dependencies=[VERIFYING, Room, PointAllowed],
    openapi_extra=clip_body("clip", bare=True, fields=ClipFields),
)
async def verify(
    engine: EngineDependency,
    caller: Verifying,
    request_id: RequestId,
    name: Name,
    body: OneClip,
    far: Far = None,
    threshold: Threshold = None,
    adapt: Annotated[
        bool, Query(description="Add a clearly accepted clip to the voiceprint, if the server allows that.")
    ] = False,
) -> VerificationAnswer:
    """Answer whether the clip is of the person it is said to be."""
    if adapt and not engine.settings.adapt:
        raise Problem(403, "adapting-is-off", "this server does not let voiceprints learn")

    facts = {**asked_by(caller, request_id), "speaker": name}
    with engine.pool.place(caller.id, body.audio) as turn:
        answer = await turn.run(
            lambda: _verification(engine, name, body, far=far, threshold=threshold), audio=body.audio
        )
        await log_decision(engine, "verify", answer, **facts)
        if adapt and answer["accepted"]:
            answer["adapted"] = await turn.run(lambda: _adapt(engine, name, body, facts), audio=body.audio)
    return VerificationAnswer.model_validate({**answer, "request_id": request_id})


@router.post(
    "/identify",
    dependencies=[VERIFYING, Room, PointAllowed],
    openapi_extra=clip_body("clip", bare=True, fields=IdentifyFields),
)
async def identify(
    engine: EngineDependency,
    caller: Verifying,
    request_id: RequestId,
    body: Annotated[Body[IdentifyFields], Depends(clips_named("clip", fields=IdentifyFields))],
    top: Annotated[
        int,
        Query(
            le=100,
            description=f"How many of the nearest people to return; over {FEW} needs the scope enroll.",
        ),
    ] = FEW,
    far: Far = None,
    threshold: Threshold = None,
) -> IdentificationAnswer:
    """Answer which enrolled person the clip is of, if any; against a watch list where one is given."""
    if top > FEW:
        caller.require("enroll", f"to see more than {FEW} people")
    among, point = (
        body.fields.among,
        {"channel": body.fields.channel, "threshold": threshold} | ({} if far is None else {"far": far}),
    )

    def work() -> Identification:
        return engine.verifier.identify(body.clips[0], top=top, among=among, **point)  # type: ignore[arg-type]

    found = await engine.run(caller.id, work, audio=body.audio)
    answer = identification_fields(found, watched=among is not None)
    await log_decision(engine, "identify", answer, **asked_by(caller, request_id), speaker=found.name)
    return IdentificationAnswer.model_validate({**answer, "request_id": request_id})


@router.post(
    "/compare",
    dependencies=[VERIFYING, Room, PointAllowed],
    openapi_extra=clip_body("a", "b", fields=ClipFields),
)
async def compare(
    engine: EngineDependency,
    caller: Verifying,
    request_id: RequestId,
    body: TwoClips,
    far: Far = None,
    threshold: Threshold = None,
) -> ComparisonAnswer:
    """Answer whether two clips hold the same voice; nobody needs to be enrolled."""
    found = await engine.run(
        caller.id,
        lambda: engine.verifier.compare(
            *body.clips, channel=body.fields.channel, far=far, threshold=threshold
        ),
        audio=body.audio,
    )
    answer = fields_of(found)
    await log_decision(engine, "compare", answer, **asked_by(caller, request_id), speaker=None)
    return ComparisonAnswer.model_validate({**answer, "request_id": request_id})


@router.post(
    "/quality",
    dependencies=[VERIFYING, Room],
    openapi_extra=clip_body("clip", bare=True, fields=ClipFields),
)
async def quality(engine: EngineDependency, caller: Verifying, body: OneClip) -> MeasurementAnswer:
    """Measure a clip; nothing is decided and nothing is stored."""
    found = await engine.run(
        caller.id,
        lambda: engine.verifier.quality(body.clips[0], channel=body.fields.channel),
        audio=body.audio,
    )
    return MeasurementAnswer.model_validate(found)


def _verification(
    engine: Engine, name: str, body: Body[ClipFields], *, far: float | None, threshold: float | None
) -> dict[str, Any]:
    """Ask the verifier; that nobody of the name is enrolled is an answer here, not an error."""
    try:
        return fields_of(
            engine.verifier.verify(
                name, body.clips[0], channel=body.fields.channel, far=far, threshold=threshold
            )
        )
    except SpeakerNotFoundError:
        return not_enrolled(engine, name)


def _adapt(engine: Engine, name: str, body: Body[ClipFields], facts: dict[str, str]) -> bool:
    """Let the voiceprint learn the clip, logged as every change."""
    clip = body.clips[0]
    clip.seek(0)
    engine.audit.append("adapt", **facts, outcome="asked")
    added = engine.verifier.adapt(name, clip, channel=body.fields.channel)
    engine.audit.append("adapt", **facts, outcome="done" if added else "refused")
    return added
