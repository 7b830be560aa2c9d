"""What may go wrong between a client and a server.

::

    VoiceprintError
    └── ClientError              a server was asked, and did not do it    .url
        ├── UnreachableError     it gave no answer
        └── ProblemError         it answered with a problem (RFC 9457)    .problem .status .fields
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voiceprint.errors import VoiceprintError


class ClientError(VoiceprintError):
    """A server was asked for something, and did not do it.

    Parameters
    ----------
    fact, advice : str
        As of `VoiceprintError`.
    url : str
        What was asked; without the query.
    """

    code = "client"

    def __init__(self, fact: str, *, advice: str = "", url: str) -> None:
        super().__init__(fact, advice=advice)
        self.url = url


class UnreachableError(ClientError):
    """The server gave no answer: it is not there, or took too long."""

    code = "unreachable"


class ProblemError(ClientError):
    """The server answered with a problem, as RFC 9457 has it.

    Attributes
    ----------
    problem : str
        Names the kind, such as ``speaker-not-found``; programs tell problems apart by it.
    status : int
        Of HTTP.
    detail : str
        What is wrong, which value and what would do.
    request_id : str or None
        Under which the server's logs tell more.
    retry_after : float or None
        Seconds after which it may be asked again.
    fields : dict
        Everything else that it said, such as ``errors`` of a request that is not valid.

    Examples
    --------
    >>> error = ProblemError(404, {"type": "urn:voiceprint:speaker-not-found", "detail": "nobody"}, url="/")
    >>> error.problem, str(error)
    ('speaker-not-found', 'nobody')
    """

    code = "problem"

    def __init__(
        self, status: int, document: Mapping[str, Any], *, url: str, retry_after: float | None = None
    ) -> None:
        known = {"type", "title", "status", "detail", "request_id"}
        self.problem = str(document.get("type", "")).rpartition(":")[2] or "http"
        self.status = status
        self.detail = str(document.get("detail") or document.get("title") or f"status {status}")
        self.request_id: str | None = document.get("request_id")
        self.retry_after = retry_after
        self.fields = {name: value for name, value in document.items() if name not in known}
        super().__init__(self.detail, url=url)
