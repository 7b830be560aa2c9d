"""Changes of the store: made once for each idempotency key, and logged before and after."""

# Annotations are evaluated here: FastAPI could not find the scope that one of them holds.

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Request, Response, params

from voiceprint.errors import VoiceprintError
from voiceprint.server.access import Caller, may
from voiceprint.server.engine import Engine
from voiceprint.server.idempotency import Answer, KeyInUseError, KeyReusedError
from voiceprint.server.keys import Scope
from voiceprint.server.parameters import IdempotencyKey, fingerprint
from voiceprint.server.problems import Problem, as_problem

__all__ = ["Change", "answered", "changing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request that changes the store.

    Attributes
    ----------
    request : Request
    caller : Caller
    key : str or None
        The client's idempotency key.
    """

    request: Request
    caller: Caller
    key: str | None

    @property
    def request_id(self) -> str:
        """Its id."""
        found: str = self.request.state.request_id
        return found


def changing(scope: Scope) -> params.Depends:
    """Return the dependency of a route that changes the store, and needs a scope for it."""

    async def change(
        request: Request,
        caller: Annotated[Caller, may(scope)],
        idempotency_key: IdempotencyKey = None,
    ) -> Change:
        return Change(request=request, caller=caller, key=idempotency_key)

    return params.Depends(change)


async def answered(
    engine: Engine,
    change: Change,
    action: str,
    speaker: str,
    work: Callable[[], Answer],
    *,
    digest: bytes = b"",
) -> Response:
    """Make a change and say what came of it.

    Parameters
    ----------
    engine : Engine
    change : Change
    action : str
        What the audit log calls it.
    speaker : str
        Whom it is about.
    work : callable
        Makes it.
    digest : bytes
        Of the request's body.
    """

    def once() -> Answer:
        if change.key is None:
            return _logged(engine, change, action, speaker, work)
        return engine.idempotency.once(
            change.caller.id,
            change.key,
            fingerprint=fingerprint(change.request, digest),
            speaker=speaker,
            work=lambda: _logged(engine, change, action, speaker, work),
        )

    try:
        answer = await engine.run(once)
    except KeyReusedError as error:
        raise Problem(422, "idempotency-key-reused", str(error)) from None
    except KeyInUseError as error:
        raise Problem(409, "idempotency-key-in-use", str(error), headers={"Retry-After": "1"}) from None
    return _response(answer)


def _logged(engine: Engine, change: Change, action: str, speaker: str, work: Callable[[], Answer]) -> Answer:
    """Log that a change is asked for before it is made: a process that dies in between leaves that trace."""
    facts = {"key": change.caller.id, "request": change.request_id, "speaker": speaker}
    engine.audit.append(action, **facts, outcome="asked", model=engine.verifier.model.id)
    try:
        answer = work()
    except VoiceprintError as error:
        engine.audit.append(action, **facts, outcome="refused", why=as_problem(error).code)
        raise
    engine.audit.append(action, **facts, outcome="done")
    return answer


def _response(answer: Answer) -> Response:
    headers = {} if answer.location is None else {"Location": answer.location}
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers=headers, media_type=media_type)
