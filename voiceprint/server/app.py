"""create_app: the ASGI application."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

import voiceprint
from voiceprint.server.access import check_host
from voiceprint.server.diarizing import Recordings
from voiceprint.server.engine import Engine
from voiceprint.server.envelope import Envelope
from voiceprint.server.openapi import body_names, complete_schema, query_names
from voiceprint.server.problems import Problem, add_problem_handlers
from voiceprint.server.routes import challenges, decisions, diarize, listen, operations, opt_outs, speakers
from voiceprint.server.settings import ServerSettings

PAGE = Path(__file__).parent / "page"
"""The static files of the page at ``/``."""

ROUTERS = (
    speakers.router,
    opt_outs.router,
    challenges.router,
    decisions.router,
    listen.router,
    diarize.router,
    operations.router,
)


class _PageFiles(StaticFiles):
    """The page's files, always whole: a Range that is none would be answered in plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a file."""
        if scope["type"] == "websocket":
            raise Problem(404, "not-found", f"no WebSocket is at {scope['path']}; open {listen.PATH}")
        await check_host(HTTPConnection(scope))
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def create_app(settings: ServerSettings) -> FastAPI:
    """Make the application; its store is opened when it starts up."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = Engine.start(settings, routes=[*(route.path for route in api_routes()), listen.PATH])
        app.state.engine = engine
        app.state.recordings = recordings = Recordings(engine)
        await recordings.open()
        house = asyncio.create_task(engine.watch())
        try:
            yield
        finally:
            house.cancel()
            await recordings.close()
            await engine.close()

    app = FastAPI(
        title="voiceprint",
        version=voiceprint.__version__,
        summary="Enroll, verify and identify voices on your own machine.",
        lifespan=lifespan,
        dependencies=[Depends(check_host)],
        docs_url=None,  # Swagger UI and ReDoc would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.api_routes = api_routes()
    for router in ROUTERS:
        app.include_router(router)
    if PAGE.is_dir():
        # Some machines call it text/plain, which browsers refuse.
        mimetypes.add_type("text/javascript", ".js")
        app.mount("/", _PageFiles(directory=PAGE, html=True), name="page")
    add_problem_handlers(app)
    complete_schema(app)
    app.state.query_names = query_names(app.openapi())
    app.state.body_names = body_names(app.openapi())
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Retry-After", "Location"],
        )
    app.add_middleware(Envelope)
    return app


def api_routes() -> list[APIRoute]:
    """Return all routes but those of the page."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
