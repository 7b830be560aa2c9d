"""A server on a port of its own in a thread of this process, which notes which routes it was asked for."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI

from voiceprint.server.app import create_app
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

__all__ = ["LiveServer", "live_server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveServer:
    """A listening server.

    Attributes
    ----------
    url, key : str
        Where it is, and a key of all scopes.
    asked : set of (str, str)
        Methods and templates of the paths that it was asked for, such as ``/v1/speakers/{name}``.
    """

    url: str
    key: str
    app: FastAPI
    asked: set[tuple[str, str]] = field(default_factory=set)


def template_of(path: str, app: FastAPI) -> str:
    """Return the path of the description that a request's path is one of; itself if none."""
    described = app.openapi()["paths"]
    if path in described:
        return path
    fitting = (each for each in described if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path))
    return next(fitting, path)


@contextmanager
def live_server(settings: ServerSettings) -> Iterator[LiveServer]:
    """Serve until the block is left."""
    state = StateFile(settings.state_folder)
    _, key = KeyRing(state).create(SCOPES)
    state.close()
    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    found = LiveServer(url=f"http://127.0.0.1:{listening.getsockname()[1]}", key=key, app=app)

    async def noting(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            path = scope["raw_path"].decode().partition("?")[0]
            found.asked.add((scope.get("method", "WEBSOCKET"), template_of(path, app)))
        await app(scope, receive, send)

    config = uvicorn.Config(noting, log_level="error", ws_max_size=64 << 10)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield found
    finally:
        running.should_exit = True
        thread.join(30)
        listening.close()
