"""Errors as problem+json (RFC 9457): what went wrong, never where on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketState

from voiceprint.errors import EnrollmentError, ServerError, StoreError, StoreReplacedError, VoiceprintError
from voiceprint.server.idempotency import KeyInUseError
from voiceprint.server.limits import OverloadedError, whole_seconds

MEDIA_TYPE = "application/problem+json"

CLOSE_BASE = 4000
"""A WebSocket that ends by a problem is closed with this and the problem's status; its code is the reason."""

_log = logging.getLogger(__name__)

_INTERNAL = "the server failed; its log says how, under this request id"
_LATER = {"Retry-After": "5"}


class Problem(Exception):  # noqa: N818  the name of RFC 9457
    """An answer that is an error.

    Parameters
    ----------
    code : str
        The last part of the problem's type, ``urn:voiceprint:<code>``; programs distinguish problems by it.
    detail : str
        What is wrong, which value and what to do.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.more = headers, more

    def document(self, request_id: str | None) -> dict[str, Any]:
        """Return the body of the answer, as RFC 9457 has it."""
        return {
            "type": f"urn:voiceprint:{self.code}",
            "title": self.code.replace("-", " "),
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            **jsonable_encoder(self.more),
        }


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    for kind in (Problem, VoiceprintError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)  # type: ignore[arg-type]  # also of WebSockets, and None then


def as_problem(error: Exception) -> Problem:
    """Say an error of the library, of the framework, or an unforeseen one, as a problem."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, VoiceprintError):
        return _library_problem(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
        return Problem(error.status_code, code, str(error.detail), headers=error.headers)
    return Problem(500, "internal", _INTERNAL)


async def _answer(request: HTTPConnection, error: Exception) -> JSONResponse | None:
    # A coroutine: a plain function would be sent to a thread for each of the many that overload refuses.
    problem = as_problem(error)
    if problem.code in ("not-found", "method-not-allowed"):
        problem = _method_or_place(request, problem)
    request_id = getattr(request.state, "request_id", None)
    if problem.status >= 500 and not isinstance(error, OverloadedError):
        _log.error(
            "request %s: %s",
            request_id,
            error,
            exc_info=error if problem.status == 500 else None,
            extra={"request_id": request_id},
        )
    if isinstance(error, StoreReplacedError):
        await request.app.state.engine.open_anew()
    if problem.status in (401, 403):
        await _note_refusal(request, problem.code)
    body = problem.document(request_id)
    if isinstance(request, WebSocket) and request.application_state is WebSocketState.CONNECTED:
        await request.send_json({"event": "problem", **body})
        await request.close(CLOSE_BASE + problem.status, reason=problem.code)
        return None
    response = JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
    if isinstance(request, WebSocket):
        await request.send_denial_response(response)
        return None
    return response


async def _note_refusal(request: HTTPConnection, code: str) -> None:
    """Write down who was refused; that this fails is logged, for the refusal stands."""
    caller = getattr(request.state, "caller", None)
    address = "" if request.client is None else request.client.host
    try:
        await request.app.state.engine.refusals.note(address, getattr(caller, "id", None), code)
    except ServerError as error:
        _log.error("a refusal could not be written to the audit log: %s", error)


def _method_or_place(request: HTTPConnection, problem: Problem) -> Problem:
    """Tell a method that is not allowed from a place that is not there; the page claims every path."""
    allowed = _allowed(request)
    if not allowed and problem.status == 404:
        return problem
    headers = {"Allow": ", ".join(allowed or ["GET", "HEAD"])}
    return Problem(405, "method-not-allowed", "Method Not Allowed", headers=headers)


def _allowed(request: HTTPConnection) -> list[str]:
    """Return the methods of a path: each has a route of its own, and Starlette names those of one."""
    found = {
        method
        for route in request.app.state.api_routes
        if route.path_regex.match(request.scope["path"])
        for method in route.methods
    }
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _library_problem(error: VoiceprintError) -> Problem:
    """Say an error of the library by its code, without a path of this machine."""
    if isinstance(error, StoreError | ServerError):
        return Problem(503, "store-unavailable", "the store cannot be used at the moment", headers=_LATER)
    status, code, detail = _PROBLEMS.get(error.code, (500, "internal", _INTERNAL))
    facts = {"detail": str(error), "fact": error.fact, "name": repr(getattr(error, "name", ""))}
    more = {"clips": error.clips} if isinstance(error, EnrollmentError) else {}
    headers = _LATER if status == 503 else None
    if isinstance(error, OverloadedError | KeyInUseError):
        headers = {"Retry-After": whole_seconds(error.wait)}
    return Problem(status, code, detail.format(**facts), headers=headers, **more)


_PROBLEMS = {
    "answer_erased": (410, "answer-erased", "{detail}"),
    "argument": (422, "request-invalid", "{detail}"),
    "audio": (422, "clip-unusable", "{detail}"),
    "calibration": (503, "model-unusable", "the thresholds of this store cannot be read"),
    "challenge": (409, "challenge-over", "{detail}"),
    "channels_differ": (422, "channels-differ", "{fact}; say which one to take in the field channel"),
    "consent_required": (
        422,
        "consent-needed",
        "this server enrolls nobody without consent; give consent_by and consent_purpose",
    ),
    "enrollment": (422, "enrollment-refused", "{detail}"),
    "invalid_name": (422, "name-invalid", "{detail}"),
    "key_in_use": (409, "idempotency-key-in-use", "{detail}"),
    "key_reused": (422, "idempotency-key-reused", "{detail}"),
    "model": (503, "model-unusable", "the model cannot be run"),
    "not_calibrated": (503, "model-unusable", "the model has no thresholds, for it was never calibrated"),
    "overloaded": (503, "overloaded", "{detail}"),
    "speaker": (409, "speaker-refused", "{detail}"),
    "speaker_exists": (
        409,
        "speaker-exists",
        "{name} is enrolled already; add clips to their enrollments, or replace them",
    ),
    "speaker_expired": (409, "consent-expired", "what {name} agreed to has ended; give a later expires"),
    "speaker_not_found": (404, "speaker-not-found", "nobody named {name} is enrolled"),
    "speaker_opted_out": (409, "opted-out", "{name} does not want to be enrolled"),
    "too_much": (429, "too-much-at-once", "{detail}"),
}
"""Code of an error: status, code of the problem, and what it says."""


def _invalid(error: RequestValidationError) -> Problem:
    faults = [
        {"at": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
        for fault in error.errors()
    ]
    # A parameter that two dependencies of a route read is found wrong by both.
    faults = [fault for at, fault in enumerate(faults) if fault not in faults[:at]]
    named = "; ".join(f"{fault['at']}: {fault['message']}" for fault in faults)
    return Problem(422, "request-invalid", named, errors=faults)
