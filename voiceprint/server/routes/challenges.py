"""Challenges: words that somebody has to say, so that no recording made before is an answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from voiceprint.server.access import Caller, Room, may
from voiceprint.server.challenges import challenge_hash
from voiceprint.server.engine import EngineDependency
from voiceprint.server.parameters import PROBLEMS, RequestId
from voiceprint.server.schemas import ChallengeAnswer

router = APIRouter(prefix="/v1/challenges", tags=["decisions"], responses=PROBLEMS)

VERIFYING = may("verify")


@router.post("", status_code=201, dependencies=[VERIFYING, Room])
async def issue(
    engine: EngineDependency, caller: Annotated[Caller, VERIFYING], request_id: RequestId
) -> ChallengeAnswer:
    """Draw words for somebody to say; a verification may answer them once, soon, and with this key."""
    made = await engine.run(caller.id, lambda: engine.challenges.issue(caller.id))
    facts = caller.facts(request_id)
    await engine.decided.append("challenge", **facts, challenge=challenge_hash(made.id))
    return ChallengeAnswer(id=made.id, words=[*made.words], expires=made.expires, request_id=request_id)
