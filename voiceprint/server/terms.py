"""What may be done to the terms of somebody who is enrolled, and by whom."""

from __future__ import annotations

from voiceprint.server.access import Caller
from voiceprint.server.fields import TermsFields
from voiceprint.store import Enrollment


def refuse_shortening(
    caller: Caller, person: Enrollment, terms: TermsFields, *, replacing_all: bool = False
) -> None:
    """Raise Problem 403 where a change leaves a person with less, unless the caller is an administrator.

    To end a voiceprint's time is to remove it, so both take the same scope.

    Parameters
    ----------
    replacing_all : bool
        What is not said is taken back; otherwise it stays as it is.
    """
    if replacing_all and person.consent is not None and terms.consent is None:
        caller.require("admin", "to take consent back")
    if terms.expires is not None and (person.expires is None or terms.expires < person.expires):
        caller.require("admin", "to let a voiceprint expire earlier")
