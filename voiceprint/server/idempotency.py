"""Idempotency keys: a change that is asked for twice is made once.

The answer to a change is kept for a day beside the key that the client chose, and given again to whoever
repeats the request. Errors are not kept, for they changed nothing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from voiceprint.errors import VoiceprintError
from voiceprint.server.state import StateFile

__all__ = ["Answer", "Idempotency", "KeyInUseError", "KeyReusedError"]

KEPT_SECONDS = 24 * 3600.0
ABANDONED_SECONDS = 60.0
"""A process that has not answered by then has died; the request may be made again."""


class KeyReusedError(VoiceprintError):
    """The key was used for another request."""

    code = "key_reused"


class KeyInUseError(VoiceprintError):
    """The first request with this key is still being answered."""

    code = "key_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a change answers.

    Attributes
    ----------
    status : int
    body : bytes
        JSON, or nothing.
    location : str or None
        Where what was made can be found.
    repeated : bool
        Whether it was answered before.
    """

    status: int
    body: bytes = b""
    location: str | None = None
    repeated: bool = False


class Idempotency:
    """What was answered to which key.

    Parameters
    ----------
    state : StateFile
    clock : callable
        Seconds since 1970; for tests.
    """

    def __init__(self, state: StateFile, *, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock

    def once(
        self, caller: str, key: str, *, fingerprint: bytes, speaker: str, work: Callable[[], Answer]
    ) -> Answer:
        """Do the work, unless this caller's key says that it was done.

        Parameters
        ----------
        caller : str
            Whose key it is; keys of two callers never meet.
        key : str
            The client's.
        fingerprint : bytes
            Of the whole request.
        speaker : str
            Whom it is about, so that `forget` finds it.
        work : callable

        Raises
        ------
        KeyReusedError, KeyInUseError
            Nothing was done.
        """
        earlier = self._begin(caller, key, fingerprint, speaker)
        if earlier is not None:
            return earlier
        try:
            answer = work()
        except BaseException:
            self._drop(caller, key)
            raise
        self._finish(caller, key, answer)
        return answer

    def forget(self, speaker: str) -> None:
        """Erase what was answered about somebody."""
        with self._state.writing() as connection:
            connection.execute("DELETE FROM idempotency WHERE speaker = ? AND status IS NOT NULL", (speaker,))

    def _begin(self, caller: str, key: str, fingerprint: bytes, speaker: str) -> Answer | None:
        now = self._clock()
        with self._state.writing() as connection:
            connection.execute(
                "DELETE FROM idempotency WHERE started < ? OR (status IS NULL AND started < ?)",
                (now - KEPT_SECONDS, now - ABANDONED_SECONDS),
            )
            row = connection.execute(
                "SELECT * FROM idempotency WHERE caller = ? AND key = ?", (caller, key)
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO idempotency (caller, key, fingerprint, speaker, started) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (caller, key, fingerprint, speaker, now),
                )
                return None
        return _earlier(row, fingerprint)

    def _finish(self, caller: str, key: str, answer: Answer) -> None:
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE idempotency SET status = ?, location = ?, body = ? WHERE caller = ? AND key = ?",
                (answer.status, answer.location, answer.body, caller, key),
            )

    def _drop(self, caller: str, key: str) -> None:
        with self._state.writing() as connection:
            connection.execute("DELETE FROM idempotency WHERE caller = ? AND key = ?", (caller, key))


def _earlier(row: sqlite3.Row, fingerprint: bytes) -> Answer:
    if row["fingerprint"] != fingerprint:
        raise KeyReusedError("this Idempotency-Key was used for another request; choose a new one")
    if row["status"] is None:
        raise KeyInUseError("the first request with this Idempotency-Key is still being answered; wait")
    return Answer(status=row["status"], body=row["body"], location=row["location"], repeated=True)
