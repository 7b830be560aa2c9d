"""Requests to one server: connections that are kept, and requests that are repeated where that helps."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from voiceprint.arguments import check_number, check_text
from voiceprint.client.errors import ClientError, ProblemError, UnreachableError
from voiceprint.client.forms import Form
from voiceprint.errors import ArgumentError

_REPEATED = frozenset({409, 429, 503})
"""Of these, one that says when to come back is asked again."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before a server is tried again that was not reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a server answered.

    Attributes
    ----------
    headers : http.client.HTTPMessage
        Looked up in whatever case.
    """

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Connection:
    """A server and how it is talked to; threads may share it.

    Parameters
    ----------
    url : str
        Such as ``https://voice.example.org``; a path is put before those of the requests.
    key : str or None
    timeout : float
        Seconds without a byte after which a request is given up.
    patience : float
        Seconds for which a request is repeated, if the server is busy or not reached; 0: not at all.
    tls : ssl.SSLContext, optional
        Of https; by default the system's certificates are trusted.

    Raises
    ------
    ArgumentError
        If the address is none, or a number is out of range.
    """

    def __init__(
        self, url: str, *, key: str | None, timeout: float, patience: float, tls: ssl.SSLContext | None
    ) -> None:
        self.address = _address(url)
        check_number("timeout", timeout, above=0.0)
        check_number("patience", patience, least=0.0)
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ArgumentError("key", "of other letters", "as `voiceprint keys create` printed it")
        self._base = self.address.path.rstrip("/")
        self._key, self.timeout, self._patience = key, timeout, patience
        self.tls = tls
        if tls is None and self.address.scheme == "https":
            self.tls = ssl.create_default_context()
        self._idle: deque[http.client.HTTPConnection] = deque()

    @property
    def authorization(self) -> dict[str, str]:
        """The header that presents the key."""
        return {} if self._key is None else {"Authorization": f"Bearer {self._key}"}

    def target(self, path: str, query: dict[str, Any] | None = None) -> str:
        """Return what stands in a request's first line; what is None is left out of the query."""
        texts = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in (query or {}).items()
            if value is not None
        }
        return self._base + path + (f"?{urlencode(texts)}" if texts else "")

    def close(self) -> None:
        """Close the connections that wait for requests."""
        while self._idle:
            self._idle.pop().close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Form | dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request until it is answered.

        Raises
        ------
        ProblemError
            If the answer is a problem, and waiting as long as it asks for would take too long.
        UnreachableError
            If there is no answer.
        """
        target, url = (
            self.target(path, query),
            f"{self.address.scheme}://{self.address.netloc}{self._base}{path}",
        )
        encoded = _encoded(body)
        sent = {**self.authorization, **encoded[1], **(headers or {})}
        until, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            try:
                response = self._once(method, target, encoded[0], sent)
                error: ClientError | None = _problem_of(response, url)
                wait = None if error is None else _wait_of(error)
            except TimeoutError as fault:
                raise UnreachableError(f"{url} did not answer within {self.timeout:g} s", url=url) from fault
            except ssl.SSLCertVerificationError as fault:
                raise UnreachableError(f"{url} is not trusted ({fault.verify_message})", url=url) from fault
            except (OSError, http.client.HTTPException) as fault:
                error = UnreachableError(
                    f"{url} cannot be reached ({fault or type(fault).__name__})", url=url
                )
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            if error is None:
                return response
            repeatable = not isinstance(body, Form) or body.repeatable
            if wait is None or not repeatable or time.monotonic() + wait > until:
                raise error
            time.sleep(
                wait * random.uniform(1.0, 1.2)
            )  # who was refused together does not come back together

    def _once(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Response:
        connection = self._take()
        try:
            chunked = "Transfer-Encoding" in headers
            # Where it is refused before all of the body was sent, the answer may be there.
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                connection.request(method, target, body=body, headers=headers, encode_chunked=chunked)
            answer = connection.getresponse()
            response = Response(status=answer.status, headers=answer.headers, body=answer.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)  # http.client connects it again where the server closes it
        return response

    def _take(self) -> http.client.HTTPConnection:
        with suppress(IndexError):
            return self._idle.pop()
        host, port = self.address.hostname or "", self.address.port
        if self.address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=self.timeout)


def quoted(name: str) -> str:
    """Return a name as it stands in a path."""
    return quote(name, safe="")


def _address(url: str) -> SplitResult:
    check_text("url", url)
    address = urlsplit(url)
    try:
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # the port is no number
        usable = None
    if not usable or address.query or address.fragment or address.username:
        raise ArgumentError("url", url, "an address such as https://voice.example.org")
    return address


def _encoded(body: Form | dict[str, Any] | None) -> tuple[Any, dict[str, str]]:
    """Return a body as http.client takes it, and the headers that describe it."""
    if body is None:
        return None, {}
    if not isinstance(body, Form):
        return json.dumps(body).encode(), {"Content-Type": "application/json"}
    size = {"Transfer-Encoding": "chunked"} if body.length is None else {"Content-Length": str(body.length)}
    return body, {"Content-Type": body.content_type, **size}


def _problem_of(response: Response, url: str) -> ProblemError | None:
    """Return the problem that an answer is; None where it is none."""
    if response.status < 300:
        return None
    try:
        document = json.loads(response.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):  # of a proxy, or of another server
        document = {"detail": f"{url} answered {response.status}"}
    wait = _seconds(response.headers.get("Retry-After"))
    return ProblemError(response.status, document, url=url, retry_after=wait)


def _wait_of(error: ClientError) -> float | None:
    """Return after how many seconds a request should be repeated; None where it should not."""
    if isinstance(error, ProblemError) and error.status in _REPEATED:
        return error.retry_after
    return None


def _seconds(header: str | None) -> float | None:
    """Read Retry-After: seconds, or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
