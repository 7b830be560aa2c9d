"""A client repeats what a busy server refused, when it says, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from voiceprint.client import Client, ClientError, ProblemError, UnreachableError

SPEAKER = {
    "name": "ada",
    "clips": 1,
    "seconds_of_speech": 3,
    "created": "2026-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "notes": "",
    "model": "x",
    "consent": None,
    "expires": None,
    "expired": False,
}
BUSY = (503, {"Retry-After": "0"}, {"type": "urn:voiceprint:overloaded", "detail": "busy"})


@dataclass
class Script:
    """What is answered, one after the other, and what was asked."""

    url: str
    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    """A server that answers by a list; None hangs up, and the last answer stays."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = self.headers.get("Content-Length")
            body = self.rfile.read(int(size)) if size else b""
            found.asked.append((self.command, self.path, dict(self.headers), body))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            if answer is None:
                self.close_connection = True
                return
            status, headers, document = answer
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Script(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join(30)
    server.server_close()


def enrolled() -> tuple[int, dict[str, str], Any]:
    return (201, {}, {"speaker": SPEAKER, "clips": [], "resembles": [], "request_id": "r"})


def test_a_busy_server_is_asked_again_with_the_same_key_and_body(script: Script) -> None:
    script.answers = [BUSY, (429, {"Retry-After": "0"}, {}), None, enrolled()]
    with Client(script.url, key="vp_k") as client:
        assert client.enroll("ada", [b"clip"]).speaker.name == "ada"
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in script.asked}
    bodies = {body for *_, body in script.asked}
    assert (len(script.asked), len(keys), len(bodies)) == (4, 1, 1)
    assert b'name="name"\r\n\r\nada\r\n' in bodies.pop()
    assert {headers["Authorization"] for _, _, headers, _ in script.asked} == {"Bearer vp_k"}


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((503, {"Retry-After": "3600"}, {}), 3600.0),
        ((503, {}, {}), None),
        ((503, {"Retry-After": "soon"}, {}), None),
        ((422, {"Retry-After": "0"}, {}), 0.0),
    ],
)
def test_one_that_asks_for_more_patience_or_has_another_reason_is_not(
    script: Script, answer: Any, seconds: float | None
) -> None:
    script.answers = [answer]
    with Client(script.url) as client, pytest.raises(ProblemError) as caught:
        client.model()
    assert (len(script.asked), caught.value.retry_after) == (1, seconds)


def test_a_date_says_when_to_come_back(script: Script) -> None:
    past: Any = (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {})
    script.answers = [past, (200, {}, {"names": []})]
    with Client(script.url) as client:
        assert client.opt_outs().names == ()


def test_without_patience_nothing_is_repeated(script: Script) -> None:
    script.answers = [(503, {"Retry-After": "1"}, {}), enrolled()]
    with Client(script.url, patience=0.0) as client, pytest.raises(ProblemError):
        client.enroll("ada", [b"clip"])
    assert len(script.asked) == 1


def test_a_server_that_hangs_up_every_time_is_unreachable(script: Script) -> None:
    script.answers = [None]
    with (
        Client(script.url, patience=0.5) as client,
        pytest.raises(UnreachableError, match="cannot be reached"),
    ):
        client.model()
    assert len(script.asked) > 1


def test_a_server_that_says_nothing_is_given_up(script: Script) -> None:
    release = threading.Event()

    class Slow(list[Any]):
        def __len__(self) -> int:
            release.wait(30)
            return 1

    script.answers = Slow([(200, {}, {})])
    with Client(script.url, timeout=0.2) as client, pytest.raises(UnreachableError, match=r"within 0\.2 s"):
        client.model()
    release.set()


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (200, b"<html>", ClientError),
        (200, [], ClientError),
        (200, {"names": ["ada", 1]}, ClientError),
        (200, {}, ClientError),
        (502, b"<html>bad gateway", ProblemError),
        (302, b"", ProblemError),
    ],
)
def test_another_server_is_told_from_voiceprint(
    script: Script, status: int, document: Any, kind: type[ClientError]
) -> None:
    script.answers = [(status, {}, document)]
    with Client(script.url) as client, pytest.raises(kind) as caught:
        client.opt_outs()
    assert type(caught.value) is kind
    assert script.url in caught.value.url


def test_what_a_newer_server_adds_is_left_out(script: Script) -> None:
    script.answers = [(200, {}, {"names": ["ada"], "more": 1})]
    with Client(f"{script.url}/voice/") as client:
        assert client.opt_outs().names == ("ada",)
    assert script.asked[0][1] == "/voice/v1/opt-outs"


def test_names_are_encoded_in_paths(script: Script) -> None:
    script.answers = [(200, {}, SPEAKER)]
    with Client(script.url) as client:
        assert client.speaker("Zoë / 1").name == "ada"
    assert script.asked[0][1] == "/v1/speakers/Zo%C3%AB%20%2F%201"


def test_each_call_has_a_key_of_its_own(script: Script) -> None:
    script.answers = [enrolled()]
    with Client(script.url) as client:
        for _ in range(2):
            client.enroll("ada", [b"x"])
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in script.asked}) == 2
