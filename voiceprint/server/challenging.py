"""The challenge of a request: whether one is needed, and which words its clip has to hold."""

from __future__ import annotations

import secrets

from voiceprint.errors import ChallengeError
from voiceprint.server.challenges import challenge_hash
from voiceprint.server.engine import Engine
from voiceprint.server.idempotency import ClaimedKey
from voiceprint.server.problems import Problem


def challenge_facts(engine: Engine, challenge_id: str | None) -> dict[str, str]:
    """Return what the audit log says of a request's challenge; Problem 422 where one is needed and lacks."""
    if challenge_id is not None:
        return {"challenge": challenge_hash(challenge_id)}
    if engine.settings.challenge:
        raise Problem(
            422,
            "challenge-needed",
            "this server verifies nobody without a challenge; ask POST /v1/challenges for words, record "
            "them, and give its id in the field challenge",
        )
    return {}


def words_asked(
    engine: Engine,
    challenge_id: str | None,
    caller: str,
    claim: ClaimedKey | None,
    facts: dict[str, str],
) -> tuple[str, ...] | None:
    """Use a challenge up, and return its words; None without one.

    Parameters
    ----------
    claim : ClaimedKey or None
        By which the very request may come again.

    Raises
    ------
    ChallengeError
        If it is over; that is logged.
    """
    if challenge_id is None:
        return None
    request = secrets.token_bytes(32) if claim is None else claim.fingerprint
    try:
        return engine.challenges.redeem(challenge_id, caller=caller, request=request)
    except ChallengeError as error:
        engine.audit.append("verify", **facts, outcome="refused", why=error.code)
        raise
