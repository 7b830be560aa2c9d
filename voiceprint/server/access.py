"""Who is asking, and whether they may: API keys and their scopes, rates, and what browsers may not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from voiceprint.server.engine import Engine, EngineDependency
from voiceprint.server.keys import ApiKey, Scope
from voiceprint.server.limits import whole_seconds
from voiceprint.server.problems import Problem
from voiceprint.server.settings import LOOPBACK

__all__ = ["Caller", "identified_caller", "may", "presented_key"]

KEYLESS = "keyless"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="`Authorization: Bearer vp_...`; `voiceprint keys create` makes a key.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose request it is.

    Attributes
    ----------
    id : str
        The key's id; ``keyless`` where none is needed.
    """

    id: str


async def identified_caller(
    request: Request,
    engine: EngineDependency,
    needed: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Find out who is asking; raise Problem 401, 403 or 429 unless they may."""
    if engine.settings.keyless:
        _refuse_strangers(request)
        caller = Caller(id=KEYLESS)
    else:
        caller = _key_holder(engine, credentials, needed.scopes)
    wait = engine.limiter.wait(caller.id)
    if wait > 0:
        detail = f"this key may make {engine.settings.rate:g} requests a second; wait"
        raise Problem(429, "too-many-requests", detail, headers={"Retry-After": whole_seconds(wait)})
    return caller


async def presented_key(
    request: Request,
    engine: EngineDependency,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> ApiKey | None:
    """Find out which key is presented, if any; raise Problem 401 for one that is not known."""
    if engine.settings.keyless:
        _refuse_strangers(request)
        return None
    return None if credentials is None else _known_key(engine, credentials)


def may(scope: Scope) -> params.Security:
    """Return the dependency of a route that needs a scope."""
    return params.Security(identified_caller, scopes=[scope])


def _key_holder(
    engine: Engine, credentials: HTTPAuthorizationCredentials | None, needed: list[str]
) -> Caller:
    key = _known_key(engine, credentials)
    missing = sorted(set(needed) - set(key.scopes))
    if missing:
        raise Problem(403, "scope-missing", f"key {key.id} lacks the scope {', '.join(missing)}")
    return Caller(id=key.id)


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


def _refuse_strangers(request: Request) -> None:
    """Hold off web pages, which reach loopback from a browser on this machine.

    A page of another site sends its Origin; one that made its own name point to this machine (DNS
    rebinding) sends that name as Host.
    """
    host = urlsplit(f"//{request.headers.get('host', '')}")
    origin = request.headers.get("origin")
    allowed = request.app.state.engine.settings.origins
    if host.hostname not in LOOPBACK:
        raise Problem(403, "host-refused", "without keys the server answers to localhost only")
    if origin is not None and urlsplit(origin).netloc != host.netloc and origin not in allowed:
        raise Problem(403, "origin-refused", "web pages of other sites may not call a server without keys")
