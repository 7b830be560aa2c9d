"""Run the server: one process, or several that share a socket and a store."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from voiceprint.errors import ServerError
from voiceprint.server.app import create_app
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.verifier import Verifier

__all__ = ["application", "check", "run"]

_SETTINGS = "VOICEPRINT_SERVER_SETTINGS"
_MAX_CONNECTIONS = 1000  # each costs a few kilobytes; what they may do is bounded by the places


def check(settings: ServerSettings) -> None:
    """Say what is wrong before any process starts.

    Raises
    ------
    ModelError, StoreError, ServerError
        If the store, the model, the server's file or the address cannot be used.
    """
    with Verifier(settings.store, model=settings.model) as verifier:
        len(verifier.store)
    StateFile(settings.state_folder).close()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        raise ServerError(f"cannot listen: {error.strerror}; choose another --host or --port") from error


def run(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are then answered, new ones refused."""
    # Once it has shut down, uvicorn raises the signal again for whoever had it before: by default that kills
    # the process, and an orderly end looks like a crash.
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        if settings.processes > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="voiceprint-"))
            settings = replace(settings, metrics=folder)
        os.environ[_SETTINGS] = settings.to_json()
        uvicorn.run(
            "voiceprint.server.run:application",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.processes,
            access_log=False,  # paths hold names; the audit log knows what was asked
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=round(settings.drain_seconds),
            log_level="warning",
        )


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def application() -> FastAPI:
    """Make the application of one server process, with the settings that `run` passed on."""
    return create_app(ServerSettings.from_json(os.environ[_SETTINGS]))
