"""Connections: no client holds one for long without a request on it, however many it opens."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from voiceprint.server.problems import MEDIA_TYPE, Problem

try:
    import resource
except ModuleNotFoundError:  # Windows, which knows no such limit
    _KNOWS_LIMITS = False
else:
    _KNOWS_LIMITS = True

MAX_CONNECTIONS = 1000
"""Connections of a process; each costs a few kilobytes and a file."""

BACKLOG = 512
"""Connections taken at a time: more would need their files before any can be closed."""

HEADER_SECONDS = 10.0
"""How long a client may take to send the head of a request."""

IDLE_SECONDS = 30.0
"""How long a connection may stay open without a request."""

STALLED_SECONDS = 30.0
"""How long a client may leave an answer unread."""

_OTHER_FILES = 256  # that a process needs beside its connections


class _Impatient(asyncio.Protocol):
    """Gives up on a client that does not read what it is sent."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def pause_writing(self) -> None:
        """Wait for the client to read, and not for long."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._stalled.cancel()
        super().resume_writing()


class GuardedSocket(_Impatient, WSProtocol):
    """uvicorn's WebSocket; how much comes in, and how long it may be silent, `Listening` sees to."""


class GuardedProtocol(_Impatient, H11Protocol):
    """uvicorn's HTTP/1.1 with limits on time and number.

    A connection waits for a request, or a request is on it. One that waits is closed when its time is over,
    or earlier where there are too many: then the one that has waited longest goes, of the address that has
    most. So thousands of half-sent heads hold up nobody who sends a whole one.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, in the place of somebody else where there are too many."""
        self._timer: asyncio.TimerHandle | None = None
        self._began = False
        self._refused = False
        self.waiting_since: float | None = None
        super().connection_made(transport)
        self._wait(IDLE_SECONDS)
        if len(self.connections) > connections_allowed():
            _make_room(self, self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its timer."""
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; a head that has begun must be complete soon."""
        if self._refused:
            detail = "there are too many connections; try again"
            self._answer(Problem(503, "overloaded", detail, headers={"Retry-After": "1"}))
            return
        if self.waiting_since is not None and not self._began:
            self._began = True
            self._wait(HEADER_SECONDS)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel()
            self.waiting_since = None

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over: what was waited for has come."""
        self._cancel()
        self.waiting_since = None
        super().handle_websocket_upgrade(event)

    def refuse(self) -> None:
        """Answer the first request on it that there is no room."""
        self._refused = True

    def hang_up(self) -> None:
        """Close a connection that waits."""
        if self.transport.is_closing():
            return
        nothing_answered: bool = self.cycle is None
        if self._began and nothing_answered:
            detail = f"the request's head did not arrive within {HEADER_SECONDS:g} s"
            self._answer(Problem(408, "head-slow", detail))
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._began = self._refused = False
        self._wait(IDLE_SECONDS)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Say that this is not HTTP."""
        self._answer(Problem(400, "request-invalid", msg))

    def _wait(self, seconds: float) -> None:
        self._cancel()
        self.waiting_since = self.loop.time()
        self._timer = self.loop.call_later(seconds, self.hang_up)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self, problem: Problem) -> None:
        self.transport.write(_raw(problem))
        self.transport.close()


def connections_allowed() -> int:
    """Return how many connections a process may have: what it may open, less what it needs itself."""
    if not _KNOWS_LIMITS:
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, files - _OTHER_FILES))


def allow_connections() -> None:
    """Let this process and its workers open the files that so many connections need, if the system does."""
    if not _KNOWS_LIMITS:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + BACKLOG + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _raw(problem: Problem) -> bytes:
    """Write a problem as the whole of an answer, where there is no request for the application."""
    body = json.dumps(problem.document(None)).encode()
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": len(body),
        **(problem.headers or {}),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _make_room(newest: GuardedProtocol, connections: Iterable[Any]) -> None:
    """Close the connection that has waited longest, of the address that has most; or refuse the newest."""
    waiting = [
        each
        for each in connections
        if isinstance(each, GuardedProtocol)
        and each is not newest
        and each.waiting_since is not None
        and not each.transport.is_closing()
    ]
    if not waiting:
        newest.refuse()
        return
    addresses = Counter(_address(each) for each in waiting)
    most = addresses.most_common(1)[0][0]
    longest = min((each for each in waiting if _address(each) == most), key=_waiting_since)
    longest.transport.close()


def _address(connection: GuardedProtocol) -> str:
    return "" if connection.client is None else connection.client[0]


def _waiting_since(connection: GuardedProtocol) -> float:
    return connection.waiting_since or 0.0
