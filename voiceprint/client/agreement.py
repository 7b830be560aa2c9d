"""Agreement: what somebody agrees to when their voice is enrolled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a person agrees to when they are enrolled.

    Parameters
    ----------
    by, purpose : str or None
        Who agrees that the voice is stored, and to what; both or neither.
    given : datetime or None
        When they did, with its zone; now unless said.
    expires : datetime or None
        From when on the voiceprint is not used any more, with its zone.

    Examples
    --------
    >>> from voiceprint.client import Agreement
    >>> Agreement(by="Ada", purpose="calls").fields
    {'consent_by': 'Ada', 'consent_purpose': 'calls', 'consent_given': None, 'expires': None}
    """

    by: str | None = None
    purpose: str | None = None
    given: datetime | None = None
    expires: datetime | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """As a request has it."""
        return {
            "consent_by": self.by,
            "consent_purpose": self.purpose,
            "consent_given": self.given,
            "expires": self.expires,
        }
