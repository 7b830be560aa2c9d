"""ChallengeBook: challenges that clients asked for, each answered once, whichever process is asked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

from voiceprint.challenge import Challenge
from voiceprint.errors import ChallengeError
from voiceprint.server.state import CHECKSUMS, StateFile, seal_row

_MOST = 1000  # challenges of one caller that are open at once
_OVER = "the challenge is unknown, was answered before or has expired; ask for a new one"


class ChallengeBook:
    """The open challenges in the server's file, under hashes of their ids.

    Parameters
    ----------
    clock : callable
        Seconds since 1970; for tests.
    """

    def __init__(self, state: StateFile, *, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock

    def issue(self, caller: str) -> Challenge:
        """Draw a challenge for this caller alone; their oldest goes where very many are open."""
        now = self._clock()
        made = Challenge.issue(now=datetime.fromtimestamp(now, UTC))
        place = challenge_hash(made.id)
        with self._state.writing() as connection:
            connection.execute("DELETE FROM challenges WHERE expires <= ?", (now,))
            connection.execute(
                "DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE caller = ? "
                "ORDER BY expires DESC LIMIT -1 OFFSET ?)",
                (caller, _MOST - 1),
            )
            connection.execute(
                "INSERT INTO challenges (id, caller, words, expires) VALUES (?, ?, ?, ?)",
                (place, caller, " ".join(made.words), made.expires.timestamp()),
            )
            seal_row(connection, "challenges", id=place)
        return made

    def redeem(self, challenge_id: str, *, caller: str, request: bytes) -> tuple[str, ...]:
        """Return the words of a challenge, for one request alone.

        It is used up from now on, whatever becomes of the request, also if the process dies.

        Parameters
        ----------
        request : bytes
            Names the request: it may come again, as a client does that lost the answer, but no other.

        Raises
        ------
        ChallengeError
            If the caller has no such challenge, another request answered it, or it has expired.
        """
        place = challenge_hash(challenge_id)
        with self._state.writing() as connection:
            row = connection.execute(
                f"SELECT words, used_by FROM challenges WHERE id = ? AND caller = ? AND expires > ? "
                f"AND checksum = {CHECKSUMS['challenges']}",
                (place, caller, self._clock()),
            ).fetchone()
            if row is None or row["used_by"] not in (None, request):
                raise ChallengeError(_OVER)
            connection.execute("UPDATE challenges SET used_by = ? WHERE id = ?", (request, place))
            seal_row(connection, "challenges", id=place)
            return tuple(row["words"].split())

    def forget(self) -> None:
        """Forget all of them, as in a backup: nobody knows which are answered after it."""
        with self._state.writing() as connection:
            connection.execute("DELETE FROM challenges")


def challenge_hash(challenge_id: str) -> str:
    """Return what stands for a challenge in the file and in the audit log: nobody can answer it by that."""
    return hashlib.sha256(challenge_id.encode()).hexdigest()[:32]
