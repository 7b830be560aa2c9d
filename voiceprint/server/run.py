"""Run the server: one process, or several that share a socket and a store."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace

import uvicorn
from fastapi import FastAPI

from voiceprint.server.app import create_app
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.verifier import Verifier

__all__ = ["application", "run"]

_SETTINGS = "VOICEPRINT_SERVER_SETTINGS"
_MAX_CONNECTIONS = 1000  # each costs a few kilobytes; what they may do is bounded by the places


def run(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are then answered, new ones refused.

    Raises
    ------
    ModelError, StoreError, ServerError
        If the store, the model or the server's file cannot be used.
    """
    with Verifier(settings.store, model=settings.model) as verifier:
        len(verifier.store)  # says what is wrong before any process starts
    StateFile(settings.state_folder).close()
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


def application() -> FastAPI:
    """Make the application of one server process, with the settings that `run` passed on."""
    return create_app(ServerSettings.from_json(os.environ[_SETTINGS]))
