"""What is known of accepted claims: how well they fitted, in three sums that forget, and their recordings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_FORGETS = 1.0 / 20.0  # of the sums, with each claim
_APART = timedelta(minutes=1)  # claims that come sooner after the last are not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedClaims:
    """Sums over the log-likelihood ratios of accepted claims, in which older claims weigh less and less.

    Neither sound nor embeddings can be made of them.

    Attributes
    ----------
    weight : float
        How many claims it amounts to, at most 20.
    total, squares : float
        Weighted sums of the ratios and of their squares.
    latest : datetime
        When the last one was counted, UTC.
    """

    weight: float
    total: float
    squares: float
    latest: datetime

    @classmethod
    def after(cls, before: AcceptedClaims | None, llr: float, moment: datetime) -> AcceptedClaims | None:
        """Return the sums with another claim; None where it is not counted, for it comes too soon.

        Examples
        --------
        >>> from datetime import UTC
        >>> one = AcceptedClaims.after(None, 8.0, datetime(2026, 1, 1, tzinfo=UTC))
        >>> two = AcceptedClaims.after(one, 4.0, datetime(2026, 1, 2, tzinfo=UTC))
        >>> f"{two.weight:.2f} {two.mean:.2f}"
        '1.95 5.95'
        """
        if not math.isfinite(llr):
            return None
        if before is None:
            return cls(weight=1.0, total=llr, squares=llr * llr, latest=moment)
        if before.latest <= moment < before.latest + _APART:
            return None
        kept = 1.0 - _FORGETS
        return cls(
            weight=kept * before.weight + 1.0,
            total=kept * before.total + llr,
            squares=kept * before.squares + llr * llr,
            latest=moment,
        )

    @property
    def mean(self) -> float:
        """The mean ratio of recent claims."""
        return self.total / self.weight

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        variance = max(0.0, self.squares / self.weight - self.mean**2)
        return math.sqrt(variance / max(1.0, self.weight - 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRecording:
    """A recording by which somebody was accepted, without its audio.

    Parameters
    ----------
    at : datetime
        When, UTC.
    sha256 : str
        Of its samples, 64 hexadecimal digits.
    fingerprint : bytes
        By which it is known again.

    Examples
    --------
    >>> from voiceprint import read_audio
    >>> _ = verifier.verify("ada", "door.wav")
    >>> (ada, _) = verifier.store.export_records()
    >>> [recording.sha256 == read_audio("door.wav").sha256 for recording in ada.accepted]
    [True]
    """

    at: datetime
    sha256: str
    fingerprint: bytes = field(default=b"", repr=False)
