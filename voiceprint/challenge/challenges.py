"""Challenges: those that are still to be answered, in one process."""

from __future__ import annotations

from threading import Lock

from voiceprint.challenge.words import SECONDS, Challenge
from voiceprint.errors import ChallengeError

_MOST = 10_000  # challenges that are open at once


class Challenges:
    """Challenges that were issued, each of which is answered once; for the threads of one process.

    Parameters
    ----------
    seconds : float
        How long each may be answered.

    Examples
    --------
    >>> challenges = Challenges()
    >>> asked = challenges.issue()
    >>> challenges.redeem(asked.id) == asked
    True
    >>> challenges.redeem(asked.id)
    Traceback (most recent call last):
    ...
    voiceprint.errors.ChallengeError: ...
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._open: dict[str, Challenge] = {}
        self._lock = Lock()

    def issue(self) -> Challenge:
        """Draw a challenge; the oldest is forgotten where very many are open."""
        made = Challenge.issue(seconds=self._seconds)
        with self._lock:
            over = [each.id for each in self._open.values() if each.expired]
            for challenge_id in over or list(self._open)[: len(self._open) - _MOST + 1]:
                del self._open[challenge_id]
            self._open[made.id] = made
        return made

    def redeem(self, challenge_id: str) -> Challenge:
        """Return a challenge, for the only time.

        Raises
        ------
        ChallengeError
            If it was never issued, was answered before, or has expired.
        """
        with self._lock:
            found = self._open.pop(challenge_id, None)
        if found is None or found.expired:
            raise ChallengeError("the challenge is unknown, was answered before or has expired; ask anew")
        return found
