"""Over HTTP the operator says whether somebody must speak live, and no request can change it."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tiny_countermeasure import inverted

from voiceprint.audio.clips import read_clip
from voiceprint.client.decisions import LivenessReply, SpoofReply, VerificationReply
from voiceprint.client.reading import read_value
from voiceprint.countermeasure import LivenessCheck
from voiceprint.errors import ArgumentError
from voiceprint.server.settings import ServerSettings

VERIFY = "/v1/speakers/ada/verify"
Voice = Callable[..., NDArray[np.float32]]


def as_wav(samples: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, 16_000, format="WAV")
    return buffer.getvalue()


@pytest.fixture
def cautious(
    serve: Callable[..., Any], form: Callable[..., list[Any]], countermeasure: Path
) -> Iterator[TestClient]:
    """A server that asks whether somebody speaks live, on which ada is enrolled."""
    with serve(spoof_far=0.01, countermeasure=str(countermeasure), adapt=True) as client:
        answer = client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        assert answer.status_code == 201, answer.text
        yield client


def decided(client: TestClient, path: str, samples: NDArray[np.float32], **params: Any) -> Any:
    answer = client.post(path, params=params, content=as_wav(samples))
    assert answer.status_code == 200, answer.text
    return answer.json()


def entries(client: TestClient) -> list[dict[str, Any]]:
    log = client.app.state.engine.audit  # type: ignore[attr-defined]
    return [json.loads(record.entry) for record in log.records()]


def test_a_machine_is_spoofed_at_every_door(cautious: TestClient, voice: Voice) -> None:
    made = inverted(voice("ada", 70))
    claim = decided(cautious, VERIFY, made)
    assert (claim["decision"], claim["accepted"], claim["spoof"]["kind"]) == ("spoofed", False, "synthetic")
    assert set(claim["spoof"]) == {"score", "llr", "threshold", "kind"}
    assert claim["spoof"]["score"] < claim["spoof"]["threshold"]
    reply = read_value(VerificationReply, claim)
    assert reply.spoof == SpoofReply(**claim["spoof"]) and not reply
    found = decided(cautious, "/v1/identify", made)
    assert (found["decision"], found["name"], found["flagged"]) == ("spoofed", None, False)
    with cautious.websocket_connect("/v1/listen") as socket:
        socket.send_json({"claim": "ada"})
        socket.send_bytes((32767 * inverted(voice("ada", 3, 2.0))).astype("<i2").tobytes())
        socket.send_json({"end": True})
        events = [socket.receive_json()]
        while events[-1]["event"] != "decided":
            events.append(socket.receive_json())
    assert events[-1]["answer"]["decision"] == "spoofed"
    assert events[-1]["answer"]["spoof"]["kind"] == "synthetic"
    assert 'decision="spoofed"} 3' in cautious.get("/metrics").text
    logged = [entry for entry in entries(cautious) if entry.get("decision") == "spoofed"]
    assert [entry["action"] for entry in logged] == ["verify", "identify", "listen"]


def test_a_person_is_accepted_and_the_answer_says_how_clearly(cautious: TestClient, voice: Voice) -> None:
    claim = decided(cautious, VERIFY, voice("ada", 70))
    assert (claim["decision"], claim["spoof"]["kind"]) == ("accepted", None)
    assert claim["spoof"]["score"] >= claim["spoof"]["threshold"]


def test_a_clip_alone_is_judged_for_whoever_may_verify(cautious: TestClient, voice: Voice) -> None:
    said = decided(cautious, "/v1/liveness", voice("ada", 70))
    assert (said["decision"], said["live"], said["spoof"]["kind"]) == ("live", True, None)
    made = decided(cautious, "/v1/liveness", inverted(voice("ada", 70)))
    assert (made["decision"], made["live"], made["spoof"]["kind"]) == ("spoofed", False, "synthetic")
    assert made["spoof"]["score"] < made["spoof"]["threshold"]
    assert (made["spoof_far"], made["reason"][:13]) == (0.01, "this does not")
    reply = read_value(LivenessReply, made)
    assert reply.spoof == SpoofReply(**made["spoof"]) and not reply
    short = decided(cautious, "/v1/liveness", voice("ada", 70)[:8_000])
    assert (short["decision"], short["live"], short["spoof"]) == ("not_enough_speech", False, None)
    logged = [entry for entry in entries(cautious) if entry["action"] == "liveness"]
    assert [entry["decision"] for entry in logged] == ["live", "spoofed", "not_enough_speech"]
    assert [entry["model"] for entry in logged] == [said["model"]] * 3
    assert logged[1]["score"] == made["spoof"]["score"]
    assert 'decision="live"} 1' in cautious.get("/metrics").text


def test_a_clip_alone_is_judged_as_the_command_does_where_nobody_else_asks(
    serve: Callable[..., Any], voice: Voice
) -> None:
    clip = as_wav(voice("ada", 70))
    expected = LivenessCheck.open().judge(read_clip(io.BytesIO(clip)))
    with serve() as client:
        said = client.post("/v1/liveness", content=clip).json()
    assert expected.spoof is not None
    assert said["spoof"] == dataclasses.asdict(expected.spoof)
    assert (said["decision"], said["reason"], said["spoof_far"]) == (expected.decision, expected.reason, 0.01)


@pytest.mark.parametrize("wish", [{"spoof_far": 0.1}, {"spoof_far": 1e-9}, {"liveness": "false"}])
def test_no_request_changes_what_the_operator_set(
    cautious: TestClient, voice: Voice, wish: dict[str, Any]
) -> None:
    for path in (VERIFY, "/v1/liveness"):
        refused = cautious.post(path, params=wish, content=as_wav(inverted(voice("ada", 70))))
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:voiceprint:request-invalid")
    with cautious.websocket_connect("/v1/listen") as socket:
        socket.send_json({"claim": "ada", **wish})
        assert socket.receive_json()["event"] == "problem"


def test_a_machines_clip_makes_no_voiceprint(cautious: TestClient, voice: Voice) -> None:
    clips = [("clips", ("machine.wav", as_wav(inverted(voice("edda", 1))), "audio/wav"))]
    refused = cautious.post("/v1/speakers", data={"name": "edda"}, files=clips)
    assert refused.status_code == 422
    assert refused.json()["clips"][0]["status"] == "spoofed"


def test_a_voiceprint_learns_nothing_of_a_machine(cautious: TestClient, voice: Voice) -> None:
    assert decided(cautious, VERIFY, inverted(voice("ada", 70)), adapt=True)["adapted"] is False


def test_a_server_that_does_not_ask_says_so(
    serve: Callable[..., Any], form: Callable[..., list[Any]], voice: Voice
) -> None:
    with serve() as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        claim = decided(client, VERIFY, inverted(voice("ada", 70)))
        assert (claim["decision"], claim["spoof"]) == ("accepted", None)


def test_a_rate_that_the_countermeasure_does_not_know_starts_no_server(
    serve: Callable[..., Any], countermeasure: Path
) -> None:
    with (
        pytest.raises(ArgumentError, match="spoof_far"),
        serve(spoof_far=0.5, countermeasure=str(countermeasure)),
    ):
        pass


def test_settings_reach_other_processes(countermeasure: Path) -> None:
    settings = ServerSettings(spoof_far=0.03, countermeasure=str(countermeasure))
    assert ServerSettings.from_json(settings.to_json()) == settings
