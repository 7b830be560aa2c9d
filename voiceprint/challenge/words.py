"""Challenge: words that somebody has to say in an order that nobody could know before."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from voiceprint.arguments import check_number
from voiceprint.errors import ArgumentError

WORDS = ("cat", "happy", "bed", "left", "right", "up", "down", "go", "zero", "one", "five", "eight")
"""What is asked for; English alone."""

LENGTH = 4
"""Words of a challenge: one of 11,880 orders."""

SECONDS = 60.0
"""How long a challenge may be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Words to say, which may be answered once and not for long.

    Attributes
    ----------
    id : str
        Names it; 128 random bits.
    words : tuple of str
        Different ones of `WORDS`.
    expires : datetime
        UTC; from then on no answer is one.

    Examples
    --------
    >>> challenge = Challenge.issue()
    >>> len(challenge.words), challenge.expired
    (4, False)
    """

    id: str
    words: tuple[str, ...] = field(repr=False)
    expires: datetime

    @classmethod
    def issue(cls, *, seconds: float = SECONDS, now: datetime | None = None) -> Self:
        """Draw a challenge that may be answered for so many seconds.

        Parameters
        ----------
        now : datetime, optional
            From when on; the present unless given.

        Raises
        ------
        ArgumentError
            If `seconds` is not above 0.
        """
        check_number("seconds", seconds, above=0.0)
        return cls(
            id=secrets.token_urlsafe(16),
            words=tuple(secrets.SystemRandom().sample(WORDS, LENGTH)),
            expires=(now or datetime.now(UTC)) + timedelta(seconds=seconds),
        )

    @property
    def expired(self) -> bool:
        """Whether it is too late for an answer."""
        return datetime.now(UTC) >= self.expires


def check_words(words: object) -> tuple[str, ...]:
    """Return words that may be asked for.

    Raises
    ------
    ArgumentError
        If they are not `LENGTH` different ones of `WORDS`.
    """
    listed = tuple(words) if isinstance(words, (list, tuple)) else ()
    if len(listed) != LENGTH or len(set(listed)) != LENGTH or not set(listed) <= set(WORDS):
        raise ArgumentError("words", words, f"{LENGTH} different ones of {', '.join(WORDS)}")
    return listed
