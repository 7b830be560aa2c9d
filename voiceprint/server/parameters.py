"""The parameters that several routes share."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes

from fastapi import Depends, Header, Path, Query, Request

from voiceprint.arguments import check_one_of
from voiceprint.calibration import OperatingPoint
from voiceprint.errors import InvalidNameError
from voiceprint.server.engine import EngineDependency
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import ProblemAnswer
from voiceprint.server.settings import ServerSettings
from voiceprint.store import normalize_name

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ProblemAnswer,
        "description": "The request cannot be answered; the problem says why. 401: no key; 403: its scope is "
        "missing; 413: too large; 422: a clip, name or parameter cannot be used; 429: too many requests.",
    },
    "503": {
        "model": ProblemAnswer,
        "description": "Overloaded, or no store: see Retry-After.",
    },
}
"""What every route may answer besides its own."""


def addressable(name: str) -> str:
    """Normalise a name; InvalidNameError for what is none, and for the two that mean folders in a URL."""
    normal = normalize_name(name)
    if normal in (".", ".."):
        raise InvalidNameError(f"the name {normal!r} cannot stand in a URL; add a letter", name=name)
    return normal


def location_of(name: str) -> str:
    """Return the path of a speaker."""
    return f"/v1/speakers/{quote(name, safe='')}"


# Dependencies are coroutines, though none waits: plain functions would each be sent to a thread and back.


async def _name(
    name: Annotated[str, Path(description="The person, percent-encoded; `/` is `%2F`.", examples=["ada"])],
) -> str:
    try:
        return addressable(unquote_to_bytes(name).decode())
    except UnicodeDecodeError:
        raise Problem(422, "name-invalid", f"the name {name!r} in the path is not UTF-8") from None


async def _request_id(request: Request) -> str:
    found: str = request.state.request_id
    return found


async def _point_allowed(engine: EngineDependency, far: Far = None, threshold: Threshold = None) -> None:
    check_point(engine.settings, far=far, threshold=threshold)


def check_point(settings: ServerSettings, *, far: float | None, threshold: float | None = None) -> None:
    """Raise Problem 403 for an operating point that the operator has not left to requests."""
    check_one_of(far=far, threshold=threshold)
    if far is not None:
        OperatingPoint.far(far)
    if threshold is not None:
        OperatingPoint.threshold(threshold)
    if threshold is not None and not settings.allow_threshold:
        raise Problem(403, "threshold-pinned", "this server sets the threshold itself; leave threshold out")
    if far is not None and far > settings.far_max:
        detail = f"far is {far:g}; this server decides at {settings.far_max:g} or less"
        raise Problem(403, "far-pinned", detail)


def fingerprint(request: Request, digest: bytes = b"") -> bytes:
    """Hash what makes a request the same request: method, path, query and body."""
    line = f"{request.method} {request.url.path}?{request.url.query} ".encode()
    return hashlib.sha256(line + digest).digest()


Name = Annotated[str, Depends(_name)]
RequestId = Annotated[str, Depends(_request_id)]
Far = Annotated[
    float | None,
    Query(
        description="How often an impostor may be accepted, as a fraction; no more than the server allows.",
    ),
]
Threshold = Annotated[
    float | None,
    Query(description="Lowest score to accept, instead of `far`, where the server allows it."),
]
PointAllowed = Depends(_point_allowed)
"""Refuses an operating point that the operator has not left to requests."""
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by the client: a request that comes again with it is answered, not done, again.",
    ),
]
