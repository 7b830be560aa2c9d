"""Decisions: what is answered of them, and that they are logged before that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from voiceprint.countermeasure import Liveness
from voiceprint.engine.decisions import Comparison, Identification, Verification
from voiceprint.server.engine import Engine
from voiceprint.server.idempotency import Answer, ClaimedKey

Found = TypeVar("Found")


def decided_once(engine: Engine, claim: ClaimedKey | None, ask: Callable[[bool], Found]) -> Found:
    """Decide; a request that was accepted and comes again with its idempotency key is no replay.

    Nothing of the answer is kept: it is decided again.

    Parameters
    ----------
    claim : ClaimedKey or None
        The request, where it has a key.
    ask : callable
        Decides, and is told whether to allow replays. What it returns is true if somebody was accepted.

    Raises
    ------
    KeyReusedError, KeyInUseError
        If the key was used for another request, or the first one is still being answered.
    """
    allowed = engine.settings.allow_replay
    if claim is None:
        return ask(allowed)
    if engine.idempotency.begin(claim) is not None:
        return ask(True)
    accepted = False
    try:
        found = ask(allowed)
        accepted = bool(found)
    finally:
        # Who was refused may ask again with the key, and is refused again.
        if accepted:
            engine.idempotency.finish(claim, Answer(status=200))
        else:
            engine.idempotency.drop(claim)
    return found


def fields_of(found: Verification | Identification | Comparison | Liveness) -> dict[str, Any]:
    """Return an answer of the library by field."""
    return {field: getattr(found, field) for field in found.__slots__}


def identification_fields(found: Identification, *, watched: bool) -> dict[str, Any]:
    """Return an identification by field, its best score, and whether it flags somebody of a watch list."""
    score = found.matches[0].score if found.matches else None
    return fields_of(found) | {"score": score, "flagged": watched and found.decision == "identified"}


def not_enrolled(engine: Engine, name: str) -> dict[str, Any]:
    """Return the answer to a claim of which nobody is enrolled."""
    nothing = dict.fromkeys(("score", "llr", "threshold", "seconds_of_speech"))
    return nothing | {
        "name": name,
        "decision": "not_enrolled",
        "accepted": False,
        "model": engine.verifier.model.id,
        "reason": f"nobody named {name!r} is enrolled",
    }


async def log_decision(engine: Engine, action: str, answer: dict[str, Any], **facts: str | None) -> None:
    """Log a decision before it is answered, and count it."""
    decided = {key: answer[key] for key in ("decision", "score", "threshold", "model")}
    await engine.decided.append(action, **facts, **decided)
    speech = answer["seconds_of_speech"]
    engine.metrics.decision(answer["decision"], min(speech) if isinstance(speech, tuple) else speech or 0.0)
