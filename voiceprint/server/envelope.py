"""What goes around every request: its id, security headers, its place in the metrics."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_OF_THE_API = ("/v1/", "/metrics", "/healthz", "/readyz", "/openapi.json")


class Envelope:
    """Middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status, head_only = 101, False  # of a WebSocket that is not refused
        if scope["type"] == "http":
            # Routes match the path as it was sent, so that a name may hold a slash (%2F).
            scope["path"] = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace")
            status, head_only = 500, scope["method"] == "HEAD"
        if head_only:  # answered as GET is, without the body; in a copy, for the protocol looks there too
            scope = {**scope, "method": "GET"}
        start = time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = MutableHeaders(scope=message)
                _dress(headers, scope["path"], request_id)
                if scope["type"] == "http" and _may_move(scope):
                    headers["Connection"] = "close"
            elif head_only:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._count(scope, status, time.perf_counter() - start)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        engine = getattr(scope["app"].state, "engine", None)
        if engine is not None:
            engine.metrics.request(getattr(scope.get("route"), "path", ""), status, seconds)


def _may_move(scope: Scope) -> bool:
    """Whether the client had better come again by another connection, for another process is idle."""
    engine = getattr(scope["app"].state, "engine", None)
    return engine is not None and engine.pool.waiting > 0 and engine.load.others_idle


def _dress(headers: MutableHeaders, path: str, request_id: str) -> None:
    of_the_api = path.startswith(_OF_THE_API)
    headers["X-Request-Id"] = request_id
    headers["Content-Security-Policy"] = _API_POLICY if of_the_api else _PAGE_POLICY
    headers["Cache-Control"] = "no-store" if of_the_api else "no-cache"
    for name, value in _HEADERS.items():
        headers[name] = value
