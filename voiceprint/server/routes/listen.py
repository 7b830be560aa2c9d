"""The WebSocket that answers while somebody speaks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, WebSocket

from voiceprint.server.access import Caller, Credentials, Room, may
from voiceprint.server.engine import EngineDependency
from voiceprint.server.listening import Listening

PATH = "/v1/listen"

PROTOCOL = "voiceprint.listen"
"""The subprotocol; a browser offers it beside its key, for one of those that are offered has to be chosen."""

router = APIRouter()

LISTENING = may("verify")


@router.websocket(PATH, dependencies=[LISTENING, Room])
async def listen_along(
    socket: WebSocket,
    engine: EngineDependency,
    caller: Annotated[Caller, LISTENING],
    credentials: Credentials,
) -> None:
    """Verify a claim, or say who speaks, while somebody speaks."""
    with engine.listeners.holding(caller.id, caller.address):
        offered = socket.scope["subprotocols"]
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        await Listening(socket, engine, caller, credentials).run()
