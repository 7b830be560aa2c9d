"""Over HTTP a recording counts once, and a request that comes again with its key is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from voiceprint.audio import read_audio
from voiceprint.store import EnrollmentStore

Clip = Callable[..., bytes]
VERIFY = "/v1/speakers/ada/verify"


@pytest.fixture
def strict(serve: Callable[..., Any], form: Callable[..., list[Any]]) -> Iterator[TestClient]:
    """A server as it is by default, on which ada is enrolled."""
    with serve(allow_replay=False) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        yield client


def decided(client: TestClient, path: str, clip: bytes, *, key: str | None = None, **params: Any) -> Any:
    answer = client.post(
        path, params=params, content=clip, headers={} if key is None else {"Idempotency-Key": key}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_recording_counts_once_at_every_door(strict: TestClient, clip: Clip) -> None:
    enrolled = decided(strict, VERIFY, clip("ada", 1))
    assert (enrolled["decision"], enrolled["accepted"]) == ("replayed", False)
    assert enrolled["replay"]["kind"] == "enrolled" and enrolled["replay"]["at"].endswith(("Z", "+00:00"))
    assert decided(strict, VERIFY, clip("ada", 3))["decision"] == "accepted"
    for path in (VERIFY, "/v1/identify"):
        again = decided(strict, path, clip("ada", 3))
        assert (again["decision"], again["replay"]["kind"]) == ("replayed", "accepted")
    assert again["name"] is None
    with strict.websocket_connect("/v1/listen") as socket:
        socket.send_json({"claim": "ada"})
        socket.send_bytes((32767 * read_audio(clip("ada", 3)).samples).astype("<i2").tobytes())
        socket.send_json({"end": True})
        events = [socket.receive_json()]
        while events[-1]["event"] != "decided":
            events.append(socket.receive_json())
    assert events[-1]["answer"]["decision"] == "replayed"
    assert 'decision="replayed"' in strict.get("/metrics").text


@pytest.mark.parametrize("path", [VERIFY, "/v1/identify"])
def test_a_request_that_comes_again_with_its_key_is_no_replay(
    strict: TestClient, clip: Clip, path: str
) -> None:
    first = decided(strict, path, clip("ada", 3), key="one")
    again = decided(strict, path, clip("ada", 3), key="one")
    assert first["decision"] == again["decision"] != "replayed"
    assert decided(strict, path, clip("ada", 3), key="two")["decision"] == "replayed"
    assert decided(strict, path, clip("ada", 3), key="two")["decision"] == "replayed"  # no way in
    assert decided(strict, path, clip("ada", 3))["decision"] == "replayed"
    other = strict.post(path, content=clip("ada", 4), headers={"Idempotency-Key": "one"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:voiceprint:idempotency-key-reused")


def test_what_cannot_be_remembered_is_not_accepted(
    strict: TestClient, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.store.sqlite.database.BUSY_SECONDS", 0.01)
    settings = strict.app.state.engine.settings  # type: ignore[attr-defined]
    with EnrollmentStore.open(settings.store) as other, other._backend.writing():
        busy = strict.post(VERIFY, content=clip("ada", 3), headers={"Idempotency-Key": "one"})
        assert (busy.status_code, busy.json()["type"]) == (503, "urn:voiceprint:store-unavailable")
        assert decided(strict, VERIFY, clip("bert", 3))["decision"] == "rejected"
    assert decided(strict, VERIFY, clip("ada", 3), key="one")["decision"] == "accepted"
    assert decided(strict, VERIFY, clip("ada", 3))["decision"] == "replayed"


def test_who_is_refused_keeps_no_key(strict: TestClient, clip: Clip) -> None:
    assert decided(strict, VERIFY, clip("bert", 3), key="one")["decision"] == "rejected"
    assert decided(strict, VERIFY, clip("ada", 3), key="one")["decision"] == "accepted"
    assert decided(strict, "/v1/speakers/nobody/verify", clip("ada", 4), key="two")["accepted"] is False
    broken = strict.post(VERIFY, content=b"no sound", headers={"Idempotency-Key": "three"})
    assert broken.status_code == 422
    assert decided(strict, VERIFY, clip("ada", 4), key="three")["decision"] == "accepted"


def test_what_was_just_accepted_may_join_the_voiceprint(
    serve: Callable[..., Any],
    form: Callable[..., list[Any]],
    voice: Callable[..., Any],
    wav: Any,
    tmp_path: Any,
) -> None:
    with serve(allow_replay=False, adapt=True) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        long = wav(tmp_path / "long.wav", np.asarray(voice("ada", 50, 6.0))).read_bytes()
        answer = decided(client, VERIFY, long, adapt=True)
        assert answer["decision"] == "accepted"
        before = client.get("/v1/speakers/ada").json()["clips"]
        assert before == 3 + answer["adapted"]
        assert decided(client, VERIFY, long, adapt=True)["decision"] == "replayed"


def test_an_operator_may_allow_replays(ada: TestClient, clip: Clip) -> None:
    for _ in range(2):
        assert decided(ada, VERIFY, clip("ada", 1))["decision"] == "accepted"
