"""Who is asking, and whether they may: API keys and their scopes, rates, and what browsers may not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from fastapi import Depends, params
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.keys import SCOPES, ApiKey, Scope
from voiceprint.server.limits import whole_seconds
from voiceprint.server.problems import Problem
from voiceprint.server.settings import LOOPBACK

KEYLESS = "keyless"

_IN_NO_HOST = frozenset(' "<>@\\^`{|}')

KEY_PROTOCOL = "voiceprint.key."
"""Begins the subprotocol by which a browser's WebSocket, which can send no header, gives its key."""


class _Bearer(HTTPBearer):
    """The key in the header Authorization, or among the subprotocols that a WebSocket offers."""

    async def __call__(self, connection: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        """Return what is presented."""
        for offered in connection.scope.get("subprotocols", ()):
            if offered.startswith(KEY_PROTOCOL):
                secret = offered.removeprefix(KEY_PROTOCOL)
                return HTTPAuthorizationCredentials(scheme="Bearer", credentials=secret)
        return await super().__call__(connection)


_bearer = _Bearer(
    auto_error=False,
    scheme_name="api-key",
    description="`Authorization: Bearer vp_...`; `voiceprint keys create` makes a key.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose request it is, by the id of the key; ``keyless`` where none is needed."""

    id: str
    scopes: frozenset[Scope]
    address: str

    def facts(self, request_id: str) -> dict[str, str]:
        """Return who asks, for the audit log."""
        return {"key": self.id, "address": self.address, "request": request_id}

    def require(self, scope: Scope, purpose: str) -> None:
        """Raise Problem 403 unless the caller may do more than the route itself asks for."""
        if scope not in self.scopes:
            raise Problem(403, "scope-missing", f"key {self.id} lacks the scope {scope}, needed {purpose}")


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def identified_caller(
    request: HTTPConnection, engine: EngineDependency, needed: SecurityScopes, credentials: Credentials
) -> Caller:
    """Find out who is asking; raise Problem 400, 401, 403, 422 or 429 unless they may."""
    host = _host(request)
    if engine.settings.keyless:
        _refuse_other_sites(request, host)
        caller = Caller(id=KEYLESS, scopes=frozenset(SCOPES), address=address_of(request))
    else:
        key = _known_key(engine, credentials)
        caller = Caller(id=key.id, scopes=frozenset(key.scopes), address=address_of(request))
    request.state.caller = caller
    missing = sorted(set(needed.scopes) - caller.scopes)
    if missing:
        raise Problem(403, "scope-missing", f"key {caller.id} lacks the scope {', '.join(missing)}")
    wait = engine.limiter.wait(caller.id)
    if wait > 0:
        detail = f"this key may make {engine.settings.rate:g} requests a second; wait"
        raise Problem(429, "too-many-requests", detail, headers={"Retry-After": whole_seconds(wait)})
    _refuse_unknown_query(request)
    return caller


def check_still(engine: Engine, credentials: HTTPAuthorizationCredentials | None) -> None:
    """Raise Problem 401 where the key of a connection that stays open was revoked meanwhile."""
    if not engine.settings.keyless:
        _known_key(engine, credentials)


async def presented_key(
    request: HTTPConnection, engine: EngineDependency, credentials: Credentials
) -> ApiKey | None:
    """Find out which key is presented, if any; raise Problem 401 for one that is not known."""
    host = _host(request)
    _refuse_unknown_query(request)
    if engine.settings.keyless:
        _refuse_other_sites(request, host)
        return None
    return None if credentials is None else _known_key(engine, credentials)


def may(scope: Scope) -> params.Security:
    """Return the dependency of a route that needs a scope."""
    return params.Security(identified_caller, scopes=[scope])


async def _room(request: HTTPConnection, engine: EngineDependency) -> None:
    engine.pool.check_room(request.state.caller.id)


Room = Depends(_room)
"""Turns a request away while the queue is full, before its body is read; comes after `may`."""


def address_of(request: HTTPConnection) -> str:
    """Return the client's address; that of the proxy, unless its word is believed (--proxy)."""
    return "" if request.client is None else request.client.host


def _known_key(engine: Engine, credentials: HTTPAuthorizationCredentials | None) -> ApiKey:
    key = None if credentials is None else engine.keys.find(credentials.credentials)
    if key is None:
        what = "there is no key in the request" if credentials is None else "the key is unknown or revoked"
        raise Problem(
            401,
            "key-needed",
            f"{what}; send Authorization: Bearer vp_...",
            headers={"WWW-Authenticate": 'Bearer realm="voiceprint"'},
        )
    return key


async def check_host(request: HTTPConnection) -> None:
    """Refuse a request whose Host header is none."""
    _host(request)


def _host(request: HTTPConnection) -> SplitResult:
    """Read the Host header; Problem 400 where it is none."""
    host = request.headers.get("host", "")
    try:
        split = urlsplit(f"//{host}")
        if split.netloc != host or not _IN_NO_HOST.isdisjoint(host):
            raise ValueError(host)
        split.port  # noqa: B018  raises where it is no number
    except ValueError:
        raise Problem(400, "host-invalid", f"the header Host is {host!r}, which is no host name") from None
    return split


def _refuse_other_sites(request: HTTPConnection, host: SplitResult) -> None:
    """Hold off web pages, which reach loopback from a browser on this machine.

    A page of another site sends its Origin; one that made its own name point to this machine (DNS
    rebinding) sends that name as Host.
    """
    origin = request.headers.get("origin")
    allowed = request.app.state.engine.settings.origins
    if host.hostname not in LOOPBACK:
        raise Problem(403, "host-refused", "without keys the server answers to localhost only")
    if origin is not None and origin.partition("://")[2] != host.netloc and origin not in allowed:
        raise Problem(403, "origin-refused", "web pages of other sites may not call a server without keys")


def _refuse_unknown_query(request: HTTPConnection) -> None:
    """Refuse what a misspelt parameter would silently leave undone; a WebSocket has no parameters."""
    operation = request.scope.get("method"), request.scope["route"].path
    known = request.app.state.query_names.get(operation, frozenset())
    in_the_body = request.app.state.body_names.get(operation, frozenset())
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            detail = f"the query has {name!r}; it may have {', '.join(sorted(known)) or 'nothing'}"
            advice = "; it belongs in the body" if name in in_the_body else ""
            raise Problem(422, "request-invalid", detail + advice)
        if names.count(name) > 1:
            raise Problem(422, "request-invalid", f"the query has {name!r} several times; give it once")
