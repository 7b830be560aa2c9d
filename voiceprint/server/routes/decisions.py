"""The three answers, and what a clip is like: verify, identify, compare, liveness, quality."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from voiceprint.audio.clips import read_clip
from voiceprint.countermeasure import Liveness, LivenessCheck
from voiceprint.engine.decisions import Identification, Verification
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.server.access import Caller, Room, may
from voiceprint.server.bodies import Body, clips_named
from voiceprint.server.challenging import challenge_facts, words_asked
from voiceprint.server.changes import Change, changing
from voiceprint.server.deciding import (
    decided_once,
    fields_of,
    identification_fields,
    log_decision,
    not_enrolled,
)
from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.fields import ClaimFields, ClipFields, IdentifyFields
from voiceprint.server.parameters import (
    PROBLEMS,
    Far,
    Name,
    PointAllowed,
    RequestId,
    Threshold,
)
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import (
    ComparisonAnswer,
    IdentificationAnswer,
    LivenessAnswer,
    MeasurementAnswer,
    VerificationAnswer,
)

# First among a route's dependencies: who has no key takes no place, and learns nothing of the request.
VERIFYING = may("verify")

router = APIRouter(prefix="/v1", tags=["decisions"], dependencies=[VERIFYING, Room], responses=PROBLEMS)

Verifying = Annotated[Caller, VERIFYING]
ClaimClip = Annotated[Body[ClaimFields], Depends(clips_named("clip", fields=ClaimFields))]
OneClip = Annotated[Body[ClipFields], Depends(clips_named("clip", fields=ClipFields))]
TwoClips = Annotated[Body[ClipFields], Depends(clips_named("a", "b", fields=ClipFields))]

FEW = 5
"""People that an identification shows to callers who may only verify."""


@router.post("/speakers/{name}/verify", dependencies=[PointAllowed])
async def verify(
    engine: EngineDependency,
    change: Annotated[Change, changing("verify")],
    name: Name,
    body: ClaimClip,
    far: Far = None,
    threshold: Threshold = None,
    adapt: Annotated[
        bool, Query(description="Add a clearly accepted clip to the voiceprint, if the server allows that.")
    ] = False,
) -> VerificationAnswer:
    """Answer whether the clip is of the person it is said to be."""
    if adapt and not engine.settings.adapt:
        raise Problem(403, "adapting-is-off", "this server does not let voiceprints learn")

    facts, once = {**change.facts, "speaker": name}, change.claimed_key(body.digest)
    facts |= challenge_facts(engine, body.fields.challenge)

    def ask(allow_replay: bool) -> Verification | None:
        words = words_asked(engine, body.fields.challenge, change.caller.id, once, facts)
        return _verification(
            engine, name, body, far=far, threshold=threshold, words=words, allow_replay=allow_replay
        )

    with engine.pool.place(change.caller.id, body.audio) as turn:
        found = await turn.run(lambda: decided_once(engine, once, ask), audio=body.audio)
        answer = not_enrolled(engine, name) if found is None else fields_of(found)
        await log_decision(engine, "verify", answer, **facts)
        if adapt and answer["accepted"]:
            answer["adapted"] = await turn.run(lambda: _adapt(engine, name, body, facts), audio=body.audio)
    return VerificationAnswer.model_validate({**answer, "request_id": change.request_id})


@router.post("/identify", dependencies=[PointAllowed])
async def identify(
    engine: EngineDependency,
    change: Annotated[Change, changing("verify")],
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
        change.caller.require("enroll", f"to see more than {FEW} people")
    among, point = (
        body.fields.among,
        {"channel": body.fields.channel, "threshold": threshold} | ({} if far is None else {"far": far}),
    )

    def ask(allow_replay: bool) -> Identification:
        return engine.verifier.identify(
            body.clips[0],
            top=top,
            among=among,
            allow_replay=allow_replay,
            **point,  # type: ignore[arg-type]
        )

    once = change.claimed_key(body.digest)
    found = await engine.run(change.caller.id, lambda: decided_once(engine, once, ask), audio=body.audio)
    answer = identification_fields(found, watched=among is not None)
    await log_decision(engine, "identify", answer, **change.facts, speaker=found.name)
    return IdentificationAnswer.model_validate({**answer, "request_id": change.request_id})


@router.post("/compare", dependencies=[PointAllowed])
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
    await log_decision(engine, "compare", answer, **caller.facts(request_id), speaker=None)
    return ComparisonAnswer.model_validate({**answer, "request_id": request_id})


@router.post("/liveness")
async def liveness(
    engine: EngineDependency, caller: Verifying, request_id: RequestId, body: OneClip
) -> LivenessAnswer:
    """Answer whether somebody speaks in the clip, or a machine or a loudspeaker; nobody is recognised."""
    # At the operator's rate, as everything else that this server decides.
    check = engine.verifier.liveness or _packaged_check()
    said = await engine.run(caller.id, lambda: _judged(check, engine, body), audio=body.audio)
    answer = fields_of(said) | {
        "live": bool(said),
        "spoof_far": check.spoof_far,
        "model": check.countermeasure.card.sha256,
    }
    scored = {name: getattr(said.spoof, name, None) for name in ("score", "threshold")}
    await log_decision(engine, "liveness", answer | scored, **caller.facts(request_id))
    return LivenessAnswer.model_validate({**answer, "request_id": request_id})


@router.post("/quality")
async def quality(engine: EngineDependency, caller: Verifying, body: OneClip) -> MeasurementAnswer:
    """Measure a clip; nothing is decided and nothing is stored."""
    found = await engine.run(
        caller.id,
        lambda: engine.verifier.quality(body.clips[0], channel=body.fields.channel),
        audio=body.audio,
    )
    return MeasurementAnswer.model_validate(found)


def _verification(
    engine: Engine,
    name: str,
    body: Body[ClaimFields],
    *,
    far: float | None,
    threshold: float | None,
    words: tuple[str, ...] | None,
    allow_replay: bool,
) -> Verification | None:
    """Ask the verifier; None where nobody of the name is enrolled, which is an answer here, not an error."""
    try:
        return engine.verifier.verify(
            name,
            body.clips[0],
            channel=body.fields.channel,
            far=far,
            threshold=threshold,
            words=words,
            allow_replay=allow_replay,
        )
    except SpeakerNotFoundError:
        return None


@cache
def _packaged_check() -> LivenessCheck:
    """Open the countermeasure that a server has which does not ask for liveness by itself."""
    return LivenessCheck.open()


def _judged(check: LivenessCheck, engine: Engine, body: Body[ClipFields]) -> Liveness:
    clip = read_clip(body.clips[0], channel=body.fields.channel, max_seconds=engine.settings.max_seconds)
    return check.judge(clip)


def _adapt(engine: Engine, name: str, body: Body[ClaimFields], facts: dict[str, str]) -> bool:
    """Let the voiceprint learn the clip, logged as every change."""
    clip = body.clips[0]
    clip.seek(0)
    engine.audit.append("adapt", **facts, outcome="asked")
    # It was just accepted, and is remembered since.
    added = engine.verifier.adapt(name, clip, channel=body.fields.channel, allow_replay=True)
    engine.audit.append("adapt", **facts, outcome="done" if added else "refused")
    return added
