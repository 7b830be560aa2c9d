"""Idempotency keys: a change that is asked for twice is made once.

That a request was made is noted for a day under a hash of the key that the client chose, and its answer is
stored beside the voiceprint it is about. So whatever erases something of a person erases what was answered
about them, in the same transaction. Errors are not stored, because they changed nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from voiceprint.errors import ServerError, VoiceprintError
from voiceprint.server.state import CHECKSUMS, StateFile, seal_row
from voiceprint.store import EnrollmentStore

_SOUND = f"checksum = {CHECKSUMS['requests']}"

KEPT_SECONDS = 24 * 3600.0
ABANDONED_SECONDS = 60.0
"""A process that has not answered by then has died; the request may be made again."""


class KeyReusedError(VoiceprintError):
    """The key was used for another request."""


class KeyInUseError(VoiceprintError):
    """The first request with this key is still being answered."""

    wait = 1.0
    """Seconds after which it is worth trying again."""


class AnswerErasedError(VoiceprintError):
    """The request was made, and what it answered has been erased since, with what it was about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a change answers; its body is JSON, or nothing."""

    status: int
    body: bytes = b""
    location: str | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedKey:
    """A request with an idempotency key, as it is noted: by hashes that name nobody.

    Attributes
    ----------
    caller : str
        Whose key it is; keys of two callers never meet.
    key : str
        SHA-256 of the client's key, 64 hexadecimal digits.
    fingerprint : bytes
        SHA-256 of the key and the whole request.
    speaker : str
        Whom it is about; this is not noted.
    """

    caller: str
    key: str
    fingerprint: bytes
    speaker: str

    @classmethod
    def of(cls, caller: str, key: str, request: bytes, *, speaker: str) -> ClaimedKey:
        """Hash a caller's key, and a request under that key: without it, nobody can try names on the hash."""
        return cls(
            caller=caller,
            key=hashlib.sha256(key.encode()).hexdigest(),
            fingerprint=hashlib.sha256(key.encode() + b"\0" + request).digest(),
            speaker=speaker,
        )

    @property
    def place(self) -> str:
        """Under which key the store keeps the answer."""
        return f"{self.caller} {self.key}"


class Idempotency:
    """Which requests were made, and what was answered to them about the people of a store."""

    def __init__(
        self,
        state: StateFile,
        store: Callable[[], EnrollmentStore],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._store = store
        self._clock = clock

    def begin(self, claim: ClaimedKey) -> Answer | None:
        """Note that a request is being made; returns its answer if it was made before.

        Raises
        ------
        KeyReusedError, KeyInUseError, AnswerErasedError
            The request must not be made.
        ServerError
            What was noted is damaged: nobody can say whether the request was made.
        """
        now = self._clock()
        with self._state.writing() as connection:
            _sweep(connection, now)
            row = connection.execute(
                f"SELECT *, {_SOUND} AS sound FROM requests WHERE caller = ? AND key = ?",
                (claim.caller, claim.key),
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO requests (caller, key, fingerprint, started) VALUES (?, ?, ?, ?)",
                    (claim.caller, claim.key, claim.fingerprint, now),
                )
                seal_row(connection, "requests", caller=claim.caller, key=claim.key)
                return None
        return self._earlier(row, claim)

    def finish(self, claim: ClaimedKey, answer: Answer) -> None:
        """Keep what a request was answered."""
        if answer.body:
            content = json.dumps({"location": answer.location, "body": answer.body.decode()}).encode()
            until = datetime.fromtimestamp(self._clock() + KEPT_SECONDS, UTC)
            self._store().keep(claim.speaker, claim.place, content, until=until)
        with self._state.writing() as connection:
            updated = connection.execute(
                f"UPDATE requests SET status = ?, has_body = ? WHERE caller = ? AND key = ? AND {_SOUND}",
                (answer.status, bool(answer.body), claim.caller, claim.key),
            )
            if updated.rowcount:  # a damaged row stays one
                seal_row(connection, "requests", caller=claim.caller, key=claim.key)

    def drop(self, claim: ClaimedKey) -> None:
        """Forget a request that failed: it may be made again."""
        with self._state.writing() as connection:
            connection.execute("DELETE FROM requests WHERE caller = ? AND key = ?", (claim.caller, claim.key))

    def sweep(self) -> None:
        """Erase what is older than a day."""
        with self._state.writing() as connection:
            _sweep(connection, self._clock())
        if not self._store().read_only:
            self._store().sweep_keepsakes()

    def _earlier(self, row: sqlite3.Row, claim: ClaimedKey) -> Answer:
        if not row["sound"]:
            raise ServerError(
                "what was noted of the request with this Idempotency-Key is damaged: restore the server's "
                "state from a backup, or choose a new key"
            )
        if row["fingerprint"] != claim.fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another request; choose a new one")
        if row["status"] is None:
            raise KeyInUseError("the first request with this Idempotency-Key is still being answered; wait")
        if not row["has_body"]:
            return Answer(status=row["status"], repeated=True)
        kept = self._store().keepsake(claim.speaker, claim.place)
        if kept is None:
            raise AnswerErasedError(
                "the request with this Idempotency-Key was made, and what it answered has been erased or "
                "changed since; look at what there is now"
            )
        content = json.loads(kept)
        return Answer(
            status=row["status"], body=content["body"].encode(), location=content["location"], repeated=True
        )


def finished_requests(state: StateFile) -> frozenset[tuple[str, str, float]]:
    """Return the requests that were made, each as caller, key and when it began."""
    with state.reading() as connection:
        rows = connection.execute("SELECT caller, key, started FROM requests WHERE status IS NOT NULL")
        return frozenset((row["caller"], row["key"], row["started"]) for row in rows)


def forget_requests(state: StateFile, *, but: frozenset[tuple[str, str, float]]) -> None:
    """Forget the requests that were made, but for these: what they changed is not in the store any more.

    Requests that are being made stay, and damaged rows, which refuse their key. `but` is of
    `finished_requests`.
    """
    gone = finished_requests(state) - but
    with state.writing() as connection:
        connection.executemany(
            f"DELETE FROM requests WHERE caller = ? AND key = ? AND started = ? AND {_SOUND}", gone
        )


def _sweep(connection: sqlite3.Connection, now: float) -> None:
    """Delete what is over; a damaged row stays, and with it the refusal: its times are not believed."""
    connection.execute(
        f"DELETE FROM requests WHERE (started < ? OR (status IS NULL AND started < ?)) AND {_SOUND}",
        (now - KEPT_SECONDS, now - ABANDONED_SECONDS),
    )
