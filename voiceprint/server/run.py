"""Run the server: one process, or several that share a socket and a store."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ServerError
from voiceprint.server.app import create_app
from voiceprint.server.connections import (
    BACKLOG,
    IDLE_SECONDS,
    GuardedProtocol,
    GuardedSocket,
    allow_connections,
)
from voiceprint.server.listening import MAX_MESSAGE
from voiceprint.server.logs import log_config
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.server.workers import Supervisor, end_with_parent
from voiceprint.store.journal import listen

_SETTINGS = "VOICEPRINT_SERVER_SETTINGS"
_HUNG_SECONDS = 30  # after which a worker that says nothing is taken for hung


def check(settings: ServerSettings) -> None:
    """Say what is wrong before any process starts.

    Raises
    ------
    ModelError, StoreError, ServerError
        If the store, the model, the countermeasure, the server's file or the address cannot be used.
    ArgumentError
        If the countermeasure does not know the rate.
    """
    with Verifier(
        settings.store,
        model=settings.model,
        spoof_far=settings.spoof_far,
        countermeasure=settings.countermeasure,
    ) as verifier:
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
    listen(None)  # the server writes down its changes itself
    allow_connections()
    with ExitStack() as stack:
        if settings.processes > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="voiceprint-"))
            settings = replace(settings, metrics=folder)
        os.environ[_SETTINGS] = settings.to_json()
        config = _uvicorn(settings)
        if settings.metrics is not None:
            Supervisor(config, [config.bind_socket()], folder=Path(settings.metrics)).run()
            return
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run()
        if not server.started:
            raise SystemExit(STARTUP_FAILURE)


def _uvicorn(settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        "voiceprint.server.run:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.processes,
        http=GuardedProtocol,
        ws=GuardedSocket,
        ws_max_size=MAX_MESSAGE,
        ws_ping_interval=None,  # silence ends a socket already, and answers to pings wait behind the sound
        ws_per_message_deflate=False,  # a small message could unpack to a large one
        access_log=False,  # paths hold names; the audit log knows what was asked
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        backlog=BACKLOG,
        timeout_keep_alive=round(IDLE_SECONDS),
        timeout_graceful_shutdown=round(settings.drain_seconds),
        timeout_worker_healthcheck=_HUNG_SECONDS,
        log_config=log_config(as_json=settings.log_json),
    )


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def application() -> FastAPI:
    """Make the application of one server process, with the settings that `run` passed on."""
    end_with_parent()
    return create_app(ServerSettings.from_json(os.environ[_SETTINGS]))
