"""Listening over a WebSocket: sound goes out, events come in."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from voiceprint.client.connection import Connection
from voiceprint.client.decisions import IdentificationReply, VerificationReply
from voiceprint.client.errors import ClientError, ProblemError, UnreachableError
from voiceprint.client.reading import read_value
from voiceprint.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sound = bytes | bytearray | memoryview | NDArray[np.int16]

_PATH = "/v1/listen"
_MOST = 64 << 10  # bytes of a message
_ENDED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReply:
    """What became known while somebody speaks; which fields there are depends on the event.

    Attributes
    ----------
    event : str
        ``speech_began``, ``speech_ended``, ``scored``, ``speaker_changed`` or ``decided``.
    elapsed : float
        Seconds of sound after which it became known.
    start, stop : float or None
        Where the speech lies, in seconds.
    name, score, llr, threshold, seconds_of_speech
        Of ``scored``: the claimed or likeliest person, and how the speech so far compares.
    answer : VerificationReply, IdentificationReply or None
        Of ``decided``.

    Examples
    --------
    >>> from voiceprint import read_audio
    >>> sound = np.round(32767 * read_audio("door.wav").samples).astype(np.int16)
    >>> chunks = np.split(sound, 30)  # 0.1 s each, as from a microphone
    >>> replies = list(client.listen(chunks, claim="ada"))
    >>> next(reply.answer.decision for reply in replies if reply.answer)
    'accepted'
    """

    event: str
    elapsed: float
    start: float | None = None
    stop: float | None = None
    name: str | None = None
    score: float | None = None
    llr: float | None = None
    threshold: float | None = None
    seconds_of_speech: float | None = None
    answer: VerificationReply | IdentificationReply | None = None


def listen_over(
    connection: Connection, question: dict[str, Any], chunks: Iterable[Sound]
) -> Iterator[LiveReply]:
    """Send sound to a server while it comes, and yield what becomes known.

    Parameters
    ----------
    question : dict
        The first message.
    chunks : iterable of bytes or ndarray of int16
        16-bit samples of one channel, little-endian.

    Raises
    ------
    ProblemError
        If the server refuses the question, the key or the sound.
    UnreachableError
        If there is no server, or it ends.
    ArgumentError
        If the chunks are no such samples.
    """
    line = _Line(connection)
    try:
        yield from line.open()
        yield from line.say(json.dumps(question))
        for chunk in chunks:
            for start in range(0, len(data := _samples(chunk)), _MOST):
                yield from line.say(data[start : start + _MOST])
            if line.over:
                return
        yield from line.say(json.dumps({"end": True}))
        while not line.over:
            yield from line.receive()
    finally:
        line.close()


class _Line:
    """A WebSocket: sound out, events in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._url = f"{connection.address.scheme}://{connection.address.netloc}{connection.target(_PATH)}"
        try:
            self._wsproto = import_module("wsproto")
            self._events = import_module("wsproto.events")
        except ModuleNotFoundError as error:
            advice = "install it with: pip install 'voiceprint-engine[client]'"
            raise ClientError("listening needs wsproto", advice=advice, url=self._url) from error
        self._protocol = self._wsproto.WSConnection(self._wsproto.ConnectionType.CLIENT)
        self._socket = self._connected()
        self._text = ""
        self._refusal: int | None = None
        self._refused = b""
        self._accepted = self.over = False

    def _connected(self) -> socket.socket:
        address, tls = self._connection.address, self._connection.tls
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            plain = socket.create_connection((address.hostname or "", port), timeout=self._connection.timeout)
            return plain if tls is None else tls.wrap_socket(plain, server_hostname=address.hostname)
        except OSError as error:
            raise UnreachableError(f"{self._url} cannot be reached ({error})", url=self._url) from error

    def open(self) -> Iterator[LiveReply]:
        """Ask for a WebSocket, and wait until the server accepts."""
        address = self._connection.address
        headers = [(name.encode(), value.encode()) for name, value in self._connection.authorization.items()]
        request = self._events.Request(
            host=address.netloc, target=self._connection.target(_PATH), extra_headers=headers
        )
        self._send(request)
        while not self._accepted:
            yield from self.receive()

    def say(self, message: str | bytes) -> Iterator[LiveReply]:
        """Send a message, and yield what has come meanwhile."""
        if self.over:
            return
        kind = self._events.TextMessage if isinstance(message, str) else self._events.BytesMessage
        try:
            self._send(kind(data=message))
        except (BrokenPipeError, ConnectionResetError):  # it was decided, and what it said may be there
            while not self.over:
                yield from self.receive()
        while not self.over and self._socket in select.select([self._socket], [], [], 0)[0]:
            yield from self.receive()

    def receive(self) -> Iterator[LiveReply]:
        """Wait for the next bytes, and yield what they say."""
        try:
            data = self._socket.recv(_MOST)
        except TimeoutError as error:
            text = f"{self._url} did not answer within {self._connection.timeout:g} s"
            raise UnreachableError(text, url=self._url) from error
        except OSError as error:
            raise UnreachableError(f"{self._url} has gone ({error})", url=self._url) from error
        self._protocol.receive_data(data or None)
        for event in self._protocol.events():
            yield from self._understand(event)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, event: Any) -> None:
        self._socket.sendall(self._protocol.send(event))

    def _understand(self, event: Any) -> Iterator[LiveReply]:
        kinds = self._events
        if isinstance(event, kinds.AcceptConnection):
            self._accepted = True
        elif isinstance(event, kinds.RejectConnection):
            self._refusal = event.status_code
        elif isinstance(event, kinds.RejectData):
            self._refused += event.data
            if event.body_finished:
                raise self._problem(self._refusal or 400, self._refused)
        elif isinstance(event, kinds.Ping):
            self._send(event.response())
        elif isinstance(event, kinds.TextMessage):
            self._text += event.data
            if event.message_finished:
                text, self._text = self._text, ""
                yield self._reply(json.loads(text))
        elif isinstance(event, kinds.CloseConnection):
            self.over = True
            if event.code != _ENDED:
                text = f"{self._url} was ended by the server ({event.code:d} {event.reason or ''})"
                raise UnreachableError(text, url=self._url)

    def _reply(self, document: dict[str, Any]) -> LiveReply:
        if document["event"] == "problem":
            raise ProblemError(document["status"], document, url=self._url)
        answer = document.pop("answer", None)
        reply = read_value(LiveReply, document)
        if answer is None:
            return reply
        found: VerificationReply | IdentificationReply
        if "accepted" in answer:
            found = read_value(VerificationReply, answer)
        else:
            found = read_value(IdentificationReply, answer)
        return replace(reply, answer=found)

    def _problem(self, status: int, body: bytes) -> ProblemError:
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        return ProblemError(status, document, url=self._url)


def _samples(chunk: Sound) -> bytes:
    view: memoryview[Any] = memoryview(cast("bytes", chunk))  # arrays have buffers, too
    if view.format not in ("B", "b", "c", "h", "<h") or view.nbytes % 2:
        raise ArgumentError("chunks", f"of the format {view.format!r}", "16-bit samples of one channel")
    return view.tobytes()
