"""The three answers, and the quality of a clip: verify, identify, compare, quality."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from voiceprint.decisions import Identification
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.server.access import Caller, may
from voiceprint.server.bodies import Clips, NamedClip, clips_named
from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.openapi import clip_body
from voiceprint.server.parameters import PROBLEMS, Far, Name, OneOf, Place, RequestId, Threshold
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import (
    ComparisonAnswer,
    IdentificationAnswer,
    QualityAnswer,
    VerificationAnswer,
)

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["decisions"], responses=PROBLEMS)

# First among a route's dependencies: who has no key takes no place, and learns nothing of the request.
VERIFYING = may("verify")
Verifying = Annotated[Caller, VERIFYING]
OneClip = Annotated[Clips, Depends(clips_named("clip"))]
TwoClips = Annotated[Clips, Depends(clips_named("a", "b"))]


@router.post(
    "/speakers/{name}/verify",
    dependencies=[VERIFYING, Place, OneOf],
    openapi_extra=clip_body("clip", bare=True),
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
        raise Problem(403, "adapting-is-off", "this server does not let voiceprints learn (--adapt)")

    clip, facts = body.clips[0], {"key": caller.id, "request": request_id, "speaker": name}
    answer = await engine.run(lambda: _verification(engine, name, clip, far=far, threshold=threshold))
    await record(engine, "verify", answer, **facts)
    if adapt and answer["accepted"]:
        answer["adapted"] = await engine.run(lambda: _adapt(engine, name, clip, facts))
    return VerificationAnswer.model_validate({**answer, "request_id": request_id})


@router.post("/identify", dependencies=[VERIFYING, Place], openapi_extra=clip_body("clip", bare=True))
async def identify(
    engine: EngineDependency,
    caller: Verifying,
    request_id: RequestId,
    body: OneClip,
    among: Annotated[
        list[str] | None,
        Query(max_length=1000, description="A watch list: compare with these people only; repeat it."),
    ] = None,
    top: Annotated[int, Query(ge=1, le=100, description="How many of the nearest people to return.")] = 5,
    far: Annotated[
        float, Query(ge=1e-9, le=0.5, description="How often a stranger may be given any name.")
    ] = 0.01,
    threshold: Threshold = None,
) -> IdentificationAnswer:
    """Answer which enrolled person the clip is of, if any; against a watch list where one is given."""

    def work() -> Identification:
        return engine.verifier.identify(body.clips[0], top=top, among=among, far=far, threshold=threshold)

    found = await engine.run(work)
    answer = {field: getattr(found, field) for field in found.__slots__}
    answer["flagged"] = among is not None and found.decision == "identified"
    best = found.matches[0] if found.matches else None
    scored = answer | {"score": None if best is None else best.score}
    await record(engine, "identify", scored, key=caller.id, request=request_id, speaker=found.name)
    return IdentificationAnswer.model_validate({**answer, "request_id": request_id})


@router.post("/compare", dependencies=[VERIFYING, Place, OneOf], openapi_extra=clip_body("a", "b"))
async def compare(
    engine: EngineDependency,
    caller: Verifying,
    request_id: RequestId,
    body: TwoClips,
    far: Far = None,
    threshold: Threshold = None,
) -> ComparisonAnswer:
    """Answer whether two clips hold the same voice; nobody needs to be enrolled."""
    found = await engine.run(lambda: engine.verifier.compare(*body.clips, far=far, threshold=threshold))
    answer = {field: getattr(found, field) for field in found.__slots__}
    await record(engine, "compare", answer, key=caller.id, request=request_id, speaker=None)
    return ComparisonAnswer.model_validate({**answer, "request_id": request_id})


@router.post(
    "/quality",
    dependencies=[VERIFYING, Place],
    openapi_extra=clip_body("clip", bare=True),
)
async def quality(engine: EngineDependency, body: OneClip) -> QualityAnswer:
    """Measure a clip; nothing is decided and nothing is kept."""
    return QualityAnswer.model_validate(await engine.run(lambda: engine.verifier.quality(body.clips[0])))


def _verification(engine: Engine, name: str, clip: NamedClip, **point: float | None) -> dict[str, Any]:
    """Ask the verifier; that nobody of the name is enrolled is an answer here, not an error."""
    try:
        found = engine.verifier.verify(name, clip, **point)  # type: ignore[arg-type]
    except SpeakerNotFoundError:
        nothing = dict.fromkeys(("score", "llr", "threshold", "seconds_of_speech"))
        return nothing | {
            "name": name,
            "decision": "not_enrolled",
            "accepted": False,
            "model": engine.verifier.model.id,
            "reason": f"nobody named {name!r} is enrolled",
        }
    return {field: getattr(found, field) for field in found.__slots__}


def _adapt(engine: Engine, name: str, clip: NamedClip, facts: dict[str, str]) -> bool:
    """Let the voiceprint learn the clip, logged as every change."""
    clip.seek(0)
    engine.audit.append("adapt", **facts, outcome="asked")
    added = engine.verifier.adapt(name, clip)
    engine.audit.append("adapt", **facts, outcome="done" if added else "refused")
    return added


async def record(engine: Engine, action: str, answer: dict[str, Any], **facts: str | None) -> None:
    """Log a decision before it is told, and count it."""
    decided = {key: answer[key] for key in ("decision", "score", "threshold", "model")}
    await engine.decided.append(action, **facts, **decided)
    heard = answer["seconds_of_speech"]
    engine.metrics.decision(answer["decision"], min(heard) if isinstance(heard, tuple) else heard or 0.0)
