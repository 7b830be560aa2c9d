"""Speaking into a WebSocket: questions, events, verdicts, what is logged, and limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile as sf
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from voiceprint.server.access import Caller
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.listening import Listening

RATE = 16_000
Said = Callable[..., bytes]
Serve = Callable[..., Any]


@pytest.fixture(scope="session")
def said(people: Path) -> Said:
    """``said("ada", 3)``: the samples of one of her clips, 16 bits each."""

    def read(name: str, number: int = 3) -> bytes:
        samples, rate = sf.read(people / name / f"{number}.wav", dtype="int16")
        assert rate == RATE
        return bytes(samples.tobytes())

    return read


class Ear:
    """One end of a WebSocket: what came until it was closed, and how that ended."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.code, self.reason = 0, ""

    def ask(self, **question: Any) -> None:
        self._socket.send_text(json.dumps(question))

    def say(self, sound: bytes, *, step: int = 3200) -> None:
        for start in range(0, len(sound), step):
            self._socket.send_bytes(sound[start : start + step])

    def end(self) -> None:
        self._socket.send_text('{"end": true}')

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._socket.send_text(message)
        else:
            self._socket.send_bytes(message)

    def until(self, kind: str) -> dict[str, Any]:
        """Wait for an event of a kind."""
        while True:
            event: dict[str, Any] = json.loads(self._socket.receive_text())
            if event["event"] == kind:
                return event

    def until_closed(self) -> list[dict[str, Any]]:
        events = []
        try:
            while True:
                events.append(json.loads(self._socket.receive_text()))
        except WebSocketDisconnect as closed:
            self.code, self.reason = closed.code, closed.reason
        return events


@contextlib.contextmanager
def listening(client: TestClient, **options: Any) -> Iterator[Ear]:
    with client.websocket_connect("ws://localhost/v1/listen", **options) as socket:
        yield Ear(socket)


def heard(client: TestClient, sound: bytes, **question: Any) -> tuple[list[dict[str, Any]], int, str]:
    """Ask, say it all, and return the events and how the WebSocket was closed."""
    with listening(client) as ear:
        ear.ask(**question)
        ear.say(sound)
        ear.end()
        return ear.until_closed(), ear.code, ear.reason


def log_of(client: TestClient) -> list[dict[str, Any]]:
    engine = client.app.state.engine  # type: ignore[attr-defined]
    return [json.loads(record.entry) for record in AuditLog(engine.files[1]).records()]


def refusal(client: TestClient, path: str = "/v1/listen", **options: Any) -> Any:
    """Return how the opening of a WebSocket is refused."""
    with pytest.raises(WebSocketDenialResponse) as denied:
        client.websocket_connect(f"ws://localhost{path}", **options).__enter__()
    return denied.value


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_a_claim_is_answered_as_by_verify_and_the_socket_closed(ada: TestClient, said: Said) -> None:
    events, code, reason = heard(ada, said("ada") * 2, claim="ada", sample_rate=RATE)
    assert (code, reason) == (1000, "decided")
    assert kinds(events)[0] == "speech_began"
    assert kinds(events).count("decided") == 1
    answer = events[-1]["answer"]
    assert (events[-1]["event"], answer["decision"], answer["accepted"]) == ("decided", "accepted", True)
    same = ada.post("/v1/speakers/ada/verify", content=b"no sound", headers={"Content-Type": "audio/wav"})
    assert same.status_code == 422  # what no clip may be, no samples are: any bytes are sound here
    assert answer["name"] == "ada"
    assert answer["score"] >= answer["threshold"]


def test_another_voice_is_rejected(ada: TestClient, said: Said) -> None:
    events, code, _ = heard(ada, said("bert") * 4, claim="ada")
    assert (events[-1]["answer"]["decision"], code) == ("rejected", 1000)


def test_without_a_claim_each_turn_is_identified_until_the_sound_ends(ada: TestClient, said: Said) -> None:
    events, code, reason = heard(ada, said("ada") * 2)
    decided = [event["answer"] for event in events if event["event"] == "decided"]
    assert [(answer["decision"], answer["name"], answer["flagged"]) for answer in decided] == [
        ("identified", "ada", False)
    ]
    assert (code, reason) == (1000, "ended")


def test_a_watch_list_flags_who_is_on_it(ada: TestClient, said: Said) -> None:
    events, _, _ = heard(ada, said("ada") * 2, among=["ada"])
    assert [event["answer"]["flagged"] for event in events if event["event"] == "decided"] == [True]


def test_the_end_of_the_sound_decides_what_is_not_decided(ada: TestClient, said: Said) -> None:
    events, code, _ = heard(ada, said("ada")[: RATE // 2], claim="ada")
    assert (events[-1]["answer"]["decision"], code) == ("not_enough_speech", 1000)


def test_who_may_not_be_compared_is_answered_without_listening(ada: TestClient, said: Said) -> None:
    events, code, _ = heard(ada, said("ada"), claim="nobody")
    assert [(event["event"], event["answer"]["decision"]) for event in events] == [
        ("decided", "not_enrolled")
    ]
    ada.put("/v1/speakers/ada/consent", json={"expires": "2000-01-01T00:00:00Z"})
    events, _, _ = heard(ada, said("ada"), claim="ada")
    assert [event["answer"]["decision"] for event in events] == ["expired"]
    assert events[0]["answer"]["score"] is None
    ada.put("/v1/opt-outs/ada")
    events, _, _ = heard(ada, said("ada"), claim="ada")
    assert [event["answer"]["decision"] for event in events] == ["opted_out"]
    assert code == 1000


def test_who_is_removed_meanwhile_is_not_accepted(ada: TestClient, said: Said) -> None:
    with listening(ada) as ear:
        ear.ask(claim="ada")
        ear.say(said("ada")[: int(0.6 * 2 * RATE)])
        assert ada.delete("/v1/speakers/ada").status_code == 204
        ear.say(said("ada") * 2)
        ear.end()
        events = ear.until_closed()
        assert events[-1]["answer"]["decision"] == "not_enrolled"
        assert ear.code == 1000


def test_any_division_of_the_sound_gives_the_same_verdict(ada: TestClient, said: Said) -> None:
    scores = set()
    for step in (322, 3200, 30_000):
        with listening(ada) as ear:
            ear.ask(claim="ada")
            ear.say(said("ada")[: 3 * 2 * RATE], step=step)
            ear.end()
            scores.add(ear.until_closed()[-1]["answer"]["score"])
    assert len(scores) == 1


@pytest.mark.parametrize(
    ("first", "status", "code"),
    [
        (b"\0\0", 422, "request-invalid"),
        ("claim=ada", 422, "request-invalid"),
        ("[]", 422, "request-invalid"),
        ("null", 422, "request-invalid"),
        ('{"name": "ada"}', 422, "request-invalid"),
        ('{"claim": 7}', 422, "request-invalid"),
        ('{"claim": ""}', 422, "name-invalid"),
        ('{"claim": ".."}', 422, "name-invalid"),
        ('{"claim": "ada", "among": ["ada"]}', 422, "request-invalid"),
        ('{"among": ["ada", "nobody"]}', 404, "speaker-not-found"),
        ('{"sample_rate": 7999}', 422, "request-invalid"),
        ('{"sample_rate": 1e9}', 422, "request-invalid"),
        ('{"sample_rate": "16000"}', 422, "request-invalid"),
        ('{"sample_rate": 44100.5}', 422, "request-invalid"),
        ('{"far": 0}', 422, "request-invalid"),
        ('{"far": 0.4}', 403, "far-pinned"),
        ('{"threshold": -1}', 422, "request-invalid"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_and_closed(
    ada: TestClient, first: str | bytes, status: int, code: str
) -> None:
    with listening(ada) as ear:
        ear.send(first)
        (event,) = ear.until_closed()
        assert (event["event"], event["type"], event["status"]) == (
            "problem",
            f"urn:voiceprint:{code}",
            status,
        )
        assert (ear.code, ear.reason) == (4000 + status, code)
    assert [entry["action"] for entry in log_of(ada)].count("listen") in (0, 2)  # begun and ended, or neither


@pytest.mark.parametrize("later", [b"\0", b"\0" * 3201, "end", '{"end": false}', '{"claim": "bert"}'])
def test_what_is_neither_sound_nor_its_end_closes_the_socket(ada: TestClient, later: str | bytes) -> None:
    with listening(ada) as ear:
        ear.ask(claim="ada")
        ear.send(later)
        ear.until_closed()
        assert (ear.code, ear.reason) == (4422, "request-invalid")


# Who may


def test_who_may_not_verify_is_refused_before_the_socket_opens(ada: TestClient, serve: Serve) -> None:
    engine = ada.app.state.engine  # type: ignore[attr-defined]
    _, enrolling = KeyRing(engine.files[0]).create(["enroll"])
    for headers, status in [
        ({"Authorization": "Bearer vp_wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": f"Bearer {enrolling}"}, 403),
    ]:
        denied = refusal(ada, headers=headers)
        assert denied.status_code == status
        assert denied.headers["content-type"] == "application/problem+json"
        assert denied.headers["x-request-id"] == denied.json()["request_id"]
    assert [entry["why"] for entry in log_of(ada) if entry["action"] == "refused"] == [
        "key-needed",
        "scope-missing",
    ]


def test_a_browser_gives_its_key_as_a_subprotocol(ada: TestClient, said: Said) -> None:
    key = ada.headers.pop("Authorization").removeprefix("Bearer ")
    offered = ["voiceprint.listen", f"voiceprint.key.{key}"]
    with ada.websocket_connect("/v1/listen", subprotocols=offered) as socket:
        assert str(socket.accepted_subprotocol) == "voiceprint.listen"  # the key is not repeated
        ear = Ear(socket)
        ear.ask(claim="nobody")
        assert kinds(ear.until_closed()) == ["decided"]


def test_a_key_that_is_revoked_while_somebody_speaks_is_refused(ada: TestClient, said: Said) -> None:
    ring = KeyRing(ada.app.state.engine.files[0])  # type: ignore[attr-defined]
    key, secret = ring.create(["verify"])
    with listening(ada, headers={"Authorization": f"Bearer {secret}"}) as ear:
        ear.ask(claim="ada")
        ring.revoke(key.id)
        ear.say(said("ada") * 2)
        assert kinds(ear.until_closed()) == ["problem"]
        assert (ear.code, ear.reason) == (4401, "key-needed")


def test_names_do_not_travel_in_the_query(ada: TestClient) -> None:
    denied = refusal(ada, "/v1/listen?claim=ada")
    assert (denied.status_code, denied.json()["type"]) == (422, "urn:voiceprint:request-invalid")


def test_a_page_of_another_site_may_not_listen_without_keys(serve: Serve) -> None:
    with serve(keyless=True) as client:
        for headers, status in [({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 403)]:
            assert refusal(client, headers=headers).status_code == status
        with listening(client, headers={"Origin": "http://localhost"}) as ear:
            ear.ask(claim="ada")
            assert ear.until_closed()[0]["answer"]["decision"] == "not_enrolled"


@pytest.mark.parametrize("path", ["/", "/v1/identify", "/v1/listen/", "/nowhere", "/healthz"])
def test_there_is_no_socket_elsewhere(client: TestClient, path: str) -> None:
    assert refusal(client, path).status_code in (404, 405)


# Limits


def test_a_socket_into_which_nobody_speaks_is_closed(serve: Serve) -> None:
    with serve(body_seconds=0.2) as client:
        for asks in (False, True):
            with listening(client) as ear:
                if asks:
                    ear.ask()
                ear.until_closed()
                assert (ear.code, ear.reason) == (4408, "sound-missing")


def test_a_socket_has_its_seconds_of_sound_and_of_time(serve: Serve, said: Said) -> None:
    with serve(max_audio=1.0) as client:
        events, code, reason = heard(client, said("ada"))
        assert (code, reason) == (4413, "too-much-audio")
        assert kinds(events)[-1] == "problem"
    with serve(max_audio=0.05) as client, listening(client) as ear:
        ear.ask()
        late = time.monotonic() + 0.2
        while time.monotonic() < late:
            ear.say(bytes(2))
        ear.until_closed()
        assert (ear.code, ear.reason) == (4408, "listened-too-long")


def test_a_key_has_its_share_of_sockets(serve: Serve) -> None:
    with serve(max_listeners=1) as client:
        with listening(client) as first:
            denied = refusal(client)
            assert (denied.status_code, denied.headers["retry-after"]) == (429, "1")
            first.ask(claim="nobody")
            first.until_closed()
        with listening(client) as again:
            again.ask(claim="nobody")
            assert kinds(again.until_closed()) == ["decided"]


def test_a_key_that_asks_too_often_opens_no_socket(serve: Serve) -> None:
    with serve(rate=0.5) as client:
        assert client.get("/v1/model").status_code == 200
        assert refusal(client).status_code == 429


class Endless:
    """A client that sends more whenever it is let."""

    def __init__(self, request_id: str = "x") -> None:
        self.state = SimpleNamespace(request_id=request_id)
        self.taken = 0

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.taken += 1
        text = {"text": "{}"} if self.taken == 1 else {"bytes": bytes(3200)}
        return {"type": "websocket.receive", **text}

    async def send_text(self, text: str) -> None:
        pass


def test_what_comes_faster_than_it_is_listened_to_stays_with_the_client(client: TestClient) -> None:
    engine = client.app.state.engine  # type: ignore[attr-defined]
    gate = threading.Event()

    async def flood() -> int:
        endless = Endless()
        caller = Caller(id="k", scopes=frozenset(["verify"]), address="")
        blocked = asyncio.create_task(engine.pool.run(gate.wait, caller="other"))
        spoken = asyncio.create_task(Listening(endless, engine, caller, None).run())  # type: ignore[arg-type]
        for _ in range(2000):
            await asyncio.sleep(0)
        taken = endless.taken
        spoken.cancel()
        gate.set()
        await asyncio.wait([spoken, blocked])
        return taken

    assert 1 < client.portal.call(flood) <= 20  # type: ignore[union-attr]


# What is logged


def test_begin_decision_and_end_are_logged(ada: TestClient, said: Said) -> None:
    heard(ada, said("ada") * 2, claim="ada")
    begun, decided, ended = [entry for entry in log_of(ada) if entry["action"] == "listen"]
    assert (begun["speaker"], begun["outcome"]) == ("ada", "begun")
    assert (decided["speaker"], decided["decision"]) == ("ada", "accepted")
    assert decided["score"] >= decided["threshold"]
    assert (ended["outcome"], ended["request"]) == ("ended", begun["request"])
    assert ended["elapsed"] > 0
    assert 'voiceprint_requests_total{route="/v1/listen",status="2xx"} 1' in ada.get("/metrics").text


def test_who_leaves_before_the_verdict_leaves_the_last_score_in_the_log(
    ada: TestClient, said: Said, clip: Any
) -> None:
    with listening(ada) as ear:
        ear.ask(claim="ada", far=1e-9)
        ear.say(said("ada"))
        ear.until("scored")
    assert ada.post("/v1/identify", content=clip("ada", 0)).status_code == 200  # logged after that
    begun, ended, _ = log_of(ada)[-3:]
    assert (begun["outcome"], ended["outcome"], ended["speaker"]) == ("begun", "ended", "ada")
    assert ended["score"] > 0.5
