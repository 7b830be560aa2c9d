"""People who do not want to be enrolled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from voiceprint.server.access import Caller, Room, may
from voiceprint.server.changes import Change, answered, changing
from voiceprint.server.engine import EngineDependency
from voiceprint.server.parameters import PROBLEMS, Name
from voiceprint.server.schemas import OptOutsAnswer

ADMIN = may("admin")

router = APIRouter(prefix="/v1/opt-outs", tags=["consent"], dependencies=[ADMIN, Room], responses=PROBLEMS)


@router.get("")
async def list_opt_outs(engine: EngineDependency, caller: Annotated[Caller, ADMIN]) -> OptOutsAnswer:
    """List who has opted out."""
    return OptOutsAnswer(names=list(await engine.run(caller.id, engine.verifier.store.opt_outs)))


@router.put("/{name}", status_code=204)
async def opt_out(
    engine: EngineDependency, change: Annotated[Change, changing("admin")], name: Name
) -> Response:
    """Erase somebody's voiceprint, if there is one, and refuse to enroll them from now on."""
    return await answered(engine, change, "opt-out", name, lambda: engine.verifier.store.opt_out(name))


@router.delete("/{name}", status_code=204)
async def opt_in(
    engine: EngineDependency, change: Annotated[Change, changing("admin")], name: Name
) -> Response:
    """Let somebody be enrolled again who had opted out."""
    return await answered(engine, change, "opt-in", name, lambda: engine.verifier.store.opt_in(name))
