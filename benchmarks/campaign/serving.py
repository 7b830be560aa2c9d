"""A server as a program on loopback, its keys, and a client that asks as it should."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.campaign.program import Program, require_clean, run

PATIENCE = 90.0
"""Seconds in which a polite client must be answered, however busy others keep the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer over HTTP: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON reads it."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server.

    Attributes
    ----------
    key, other_key : str
        Of the polite client, with every scope, and of the one that attacks, with ``verify`` alone.
    """

    program: Program
    port: int
    key: str
    other_key: str

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(
        self, method: str, path: str, body: bytes = b"", *, kind: str = "audio/wav", key: str = ""
    ) -> Answer:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": kind}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=answer.read())
        finally:
            connection.close()

    def ask_politely(self, method: str, path: str, body: bytes = b"", *, kind: str = "audio/wav") -> Answer:
        """Ask until there is an answer: after each refusal for overload, and no sooner than it says."""
        deadline, said = time.monotonic() + PATIENCE, "nothing"
        while time.monotonic() < deadline:
            try:
                answer = self.ask(method, path, body, kind=kind)
            except OSError as error:
                said = repr(error)
                time.sleep(0.2)
                continue
            if answer.status not in (429, 503):
                return answer
            said = f"{answer.status} {answer.body[:200]!r}"
            time.sleep(min(float(answer.headers.get("retry-after", 1)), 5.0))
        raise BrokenPromiseError(
            f"a polite client got no answer in {PATIENCE:g} s: {method} {path}, last {said}"
        )


@contextmanager
def serving(store: Path, folder: Path, *options: str) -> Iterator[Server]:
    """Run a server until the block ends; it must end at SIGTERM as it should, unless it was killed."""
    keys = []
    for scopes in (("verify", "enroll", "admin", "metrics"), ("verify",)):
        given = [part for scope in scopes for part in ("--scope", scope)]
        made = run(["keys", "create", *given, "--store", store, "--json"], folder=folder / "keys")
        require_clean(made, codes=(0,))
        keys.append(json.loads(made.out)["key"])
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    arguments: list[str | Path] = ["serve", "--port", str(port), "--store", store, "--rate", "1000", *options]
    arguments.append("--allow-replay")  # the same clips are sent again and again
    program = Program(arguments, folder=folder / "server")
    server = Server(program=program, port=port, key=keys[0], other_key=keys[1])
    try:
        _wait_until_ready(server)
        yield server
    finally:
        program.signal(15)
        finished = program.wait(60)
        require_clean(finished, codes=(0, -9))


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError):
            if server.ask("GET", "/readyz").status == 200:
                return
        time.sleep(0.05)
    raise BrokenPromiseError(f"the server is not ready after {PATIENCE:g} s")


def form_of(*clips: bytes, **texts: str) -> tuple[bytes, str]:
    """Return the body of a form with clips and texts, and its content type."""
    parts = [
        f'--part\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in texts.items()
    ]
    parts += [
        b'--part\r\nContent-Disposition: form-data; name="clips"; filename="%d.wav"\r\n\r\n%s\r\n'
        % (number, clip)
        for number, clip in enumerate(clips)
    ]
    return b"".join([*parts, b"--part--\r\n"]), "multipart/form-data; boundary=part"
