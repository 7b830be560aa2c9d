"""Changes of the store: made once for each idempotency key, and logged before and after."""

# Annotations are evaluated here: FastAPI could not find the scope that one of them holds.

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Request, Response, params
from pydantic import BaseModel

from voiceprint.errors import VoiceprintError
from voiceprint.server.access import Caller, may
from voiceprint.server.bodies import Body
from voiceprint.server.engine import Engine
from voiceprint.server.idempotency import Answer, ClaimedKey
from voiceprint.server.keys import Scope
from voiceprint.server.parameters import IdempotencyKey, fingerprint
from voiceprint.server.pool import Turn
from voiceprint.server.problems import Problem, as_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A request that changes the store; an accepted claim does so too, for its recording counts once.

    `key` is the client's idempotency key.
    """

    request: Request
    caller: Caller
    key: str | None

    @property
    def request_id(self) -> str:
        """Its id."""
        found: str = self.request.state.request_id
        return found

    @property
    def facts(self) -> dict[str, str]:
        """Who makes it, for the audit log."""
        return self.caller.facts(self.request_id)

    def claimed_key(self, digest: bytes, *, speaker: str = "") -> ClaimedKey | None:
        """Return its idempotency key with what makes it the same request; None where it has none."""
        if self.key is None:
            return None
        return ClaimedKey.of(self.caller.id, self.key, fingerprint(self.request, digest), speaker=speaker)


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
    work: Callable[[], object],
    *,
    body: Body[Any] | None = None,
    before: Callable[[Turn], Awaitable[None]] | None = None,
    status: int = 200,
    location: str | None = None,
) -> Response:
    """Make a change and say what came of it.

    Parameters
    ----------
    action : str
        What the audit log calls it.
    work : callable
        Returns one of `schemas`, or anything else where there is nothing to say: 204.
    before : coroutine function, optional
        Does what takes long, in steps between which others have their turn.
    """
    facts = {**change.facts, "speaker": speaker}
    digest, audio = (b"", 0.0) if body is None else (body.digest, body.audio)

    async def made(turn: Turn) -> Answer:
        # Logged before it is made, too: a process that dies in between leaves that trace.
        await engine.decided.append(action, **facts, outcome="asked", model=engine.verifier.model.id)
        try:
            if before is not None:
                await before(turn)
            found = await turn.run(work)
        except (VoiceprintError, Problem) as error:
            await engine.decided.append(action, **facts, outcome="refused", why=as_problem(error).code)
            raise
        await engine.decided.append(action, **facts, outcome="done")
        if not isinstance(found, BaseModel):
            return Answer(status=204)
        return Answer(status=status, body=found.model_dump_json().encode(), location=location)

    with engine.pool.place(change.caller.id, audio) as turn:
        claim = change.claimed_key(digest, speaker=speaker)
        return _response(await (made(turn) if claim is None else _once(engine, turn, claim, made)))


async def _once(
    engine: Engine, turn: Turn, claim: ClaimedKey, made: Callable[[Turn], Awaitable[Answer]]
) -> Answer:
    """Make a change unless it was made before."""
    earlier = await turn.run(lambda: engine.idempotency.begin(claim))
    if earlier is not None:
        return earlier
    try:
        answer = await made(turn)
    except BaseException:
        await turn.run(lambda: engine.idempotency.drop(claim))
        raise
    await turn.run(lambda: engine.idempotency.finish(claim, answer))
    return answer


def _response(answer: Answer) -> Response:
    headers = {} if answer.location is None else {"Location": answer.location}
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    media_type = "application/json" if answer.body else None
    return Response(answer.body, answer.status, headers=headers, media_type=media_type)
