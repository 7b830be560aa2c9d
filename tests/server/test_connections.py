"""Real sockets: slow and greedy clients, floods, and what the wire looks like."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from voiceprint.server import connections
from voiceprint.server.app import create_app
from voiceprint.server.connections import GuardedProtocol
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile


class Listening:
    """A server in a thread of this process, on a port of its own."""

    def __init__(self, server: uvicorn.Server, port: int, ring: KeyRing) -> None:
        self.server, self.port, self.ring = server, port, ring

    @property
    def open_connections(self) -> int:
        return len(self.server.server_state.connections)

    def key(self, *scopes: str) -> str:
        return self.ring.create(scopes or SCOPES)[1]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.connect() as connection:
            connection.sendall(request)
            return answer_on(connection)


def answer_on(connection: socket.socket, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Read one answer: status, headers, body; status 0 where the connection ended without one."""
    with connection.makefile("rb") as stream:
        line = stream.readline()
        if not line:
            return 0, {}, b""
        headers = {}
        while (header := stream.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        length = 0 if head_only else int(headers.get("content-length", 0))
        return int(line.split()[1]), headers, stream.read(length)


def get(path: str, key: str = "", *, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", "", ""]
    return "\r\n".join(lines).encode()


def post(path: str, key: str, body: bytes) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {key}",
        "Content-Type: audio/wav",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def listen(tmp_path: Path, model_folder: Path) -> Callable[..., Any]:
    """``with listen(**settings) as server``: a listening server."""

    @contextmanager
    def start(**changed: Any) -> Iterator[Listening]:
        usual: dict[str, Any] = {"store": str(tmp_path / "store"), "model": str(model_folder), "rate": 1e6}
        settings = ServerSettings(**usual | changed)
        state = StateFile(settings.state_folder)
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(create_app(settings), http=GuardedProtocol, ws="none", log_level="critical")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_for(lambda: server.started)
        try:
            yield Listening(server, listening.getsockname()[1], KeyRing(state))
        finally:
            server.should_exit = True
            thread.join()
            state.close()

    return start


def test_thousands_of_unfinished_heads_hold_up_nobody(listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 40)
    with listen() as server, ExitStack() as flood:
        for _ in range(300):
            half = flood.enter_context(closing(server.connect()))
            half.sendall(b"POST /v1/identify HTTP/1.1\r\nHost: local")
        assert server.ask(get("/v1/model", server.key()))[0] == 200
        assert server.open_connections <= 41


def test_a_head_that_does_not_end_and_a_connection_that_says_nothing_are_closed(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    with listen() as server, server.connect() as silent, server.connect() as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.1\r\n")
        status, headers, body = answer_on(dripping)
        assert (status, headers["content-type"]) == (408, "application/problem+json")
        assert json.loads(body)["type"] == "urn:voiceprint:head-slow"
        assert answer_on(silent)[0] == 0


def test_a_connection_that_stays_open_is_used_again_and_then_closed(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.5)
    with listen() as server, server.connect() as connection:
        for _ in range(3):
            connection.sendall(get("/healthz"))
            assert answer_on(connection)[0] == 200
        assert answer_on(connection)[0] == 0


@pytest.mark.parametrize("refused", ["too large", "no key"])
def test_whoever_sends_a_refused_body_to_its_end_still_gets_the_answer(listen: Any, refused: str) -> None:
    body = bytes(4 << 20)  # more than sockets hold between them
    with listen(max_body=100_000) as server, server.connect() as connection:
        key = server.key()
        connection.sendall(post("/v1/quality", key if refused == "too large" else "", body))
        assert answer_on(connection)[0] == (413 if refused == "too large" else 401)
        connection.sendall(get("/v1/model", key))
        assert answer_on(connection)[0] == 200


def test_a_refused_body_that_does_not_end_is_not_read_for_ever(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    with listen(max_body=100_000) as server, server.connect() as connection:
        connection.sendall(post("/v1/quality", server.key(), bytes(4 << 20))[:-1])
        assert answer_on(connection)[0] == 413
        assert answer_on(connection)[0] == 0
        wait_for(lambda: server.open_connections == 0)


def test_who_finds_no_connection_free_is_told_when_to_come_back(
    listen: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with listen() as server, ExitStack() as uploads:
        request, key = clip("ada", 3), server.key()
        for _ in range(3):
            sending = uploads.enter_context(closing(server.connect()))
            sending.sendall(post("/v1/quality", key, request)[:-100])
        wait_for(lambda: len(server.server.server_state.tasks) == 3)
        status, headers, body = server.ask(get("/healthz"))
        assert (status, headers["retry-after"]) == (503, "1")
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["type"] == "urn:voiceprint:overloaded"


def test_half_sent_bodies_take_no_place_and_the_key_may_have_so_many(listen: Any, clip: Any) -> None:
    with listen(max_uploads=30) as server, ExitStack() as uploads:
        greedy, other, content = server.key(), server.key(), clip("ada", 3)
        sending = [uploads.enter_context(closing(server.connect())) for _ in range(30)]
        for connection in sending:
            connection.sendall(post("/v1/quality", greedy, content)[:-100])
        wait_for(lambda: len(server.server.server_state.tasks) == 30)
        status, headers, body = server.ask(post("/v1/quality", greedy, content))
        assert (status, headers["retry-after"]) == (429, "1")
        assert json.loads(body)["type"] == "urn:voiceprint:too-much-at-once"
        assert server.ask(get("/v1/model", greedy))[0] == 200
        assert server.ask(post("/v1/quality", other, content))[0] == 200
        for connection in sending:  # all of them find a place when they have arrived
            connection.sendall(content[-100:])
            assert answer_on(connection)[0] == 200


def test_a_body_that_drips_is_given_up(listen: Any, clip: Any) -> None:
    with listen(body_seconds=0.3) as server, server.connect() as slow:
        slow.sendall(post("/v1/quality", server.key(), clip("ada", 3))[:-100])
        status, headers, body = answer_on(slow)
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["type"] == "urn:voiceprint:body-slow"
        assert answer_on(slow)[0] == 0


def test_an_answer_that_nobody_reads_is_given_up(listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.2)
    with listen() as server, server.connect() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(1)
        try:
            for _ in range(2000):
                deaf.sendall(get("/openapi.json"))
        except OSError:
            pass  # the server has stopped reading, or has hung up
        wait_for(lambda: server.open_connections == 0)


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"]
)
def test_what_is_not_http_is_a_problem(listen: Any, nonsense: bytes) -> None:
    with listen() as server:
        status, headers, body = server.ask(nonsense)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["type"] == "urn:voiceprint:request-invalid"


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/openapi.json", "/v1/model", "/v1/speakers", "/metrics"]
)
def test_head_says_what_get_would(listen: Any, path: str) -> None:
    with listen() as server, server.connect() as connection:
        key = server.key()
        _, wanted, body = server.ask(get(path, key))
        connection.sendall(get(path, key, method="HEAD"))
        status, headers, _ = answer_on(connection, head_only=True)
        assert (status, headers["content-type"]) == (200, wanted["content-type"])
        if path != "/metrics":  # which counts what was asked before
            assert headers["content-length"] == str(len(body))
        connection.sendall(get("/healthz"))  # nothing of a body stands before the next answer
        assert answer_on(connection)[2] == b"ok"


def test_head_of_what_can_only_be_posted_says_what_may_be_done(listen: Any) -> None:
    with listen() as server, server.connect() as connection:
        connection.sendall(get("/v1/identify", server.key(), method="HEAD"))
        status, headers, _ = answer_on(connection, head_only=True)
    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("files", [256 + 1, 256 + 30, 100_000])
def test_a_process_opens_no_more_than_the_system_lets_it(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr("voiceprint.server.connections.resource.getrlimit", lambda _: (files, files))
    assert connections.connections_allowed() == min(1000, files - 256)
