"""Every route of the server has a method, whose answer has every field."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from live_server import LiveServer

from voiceprint.client import (
    Agreement,
    Client,
    LiveReply,
    ProblemError,
    UnreachableError,
    VerificationReply,
    decisions,
    replies,
)
from voiceprint.errors import ArgumentError, VoiceprintError

Clip = Callable[[str, int], Path]


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory, people: Path) -> Path:
    """Ada, then bert, longer than a clip may be."""
    parts = [
        sf.read(people / name / f"{n}.wav", dtype="float32")[0] for name in ("ada", "bert") for n in range(5)
    ]
    path = tmp_path_factory.mktemp("meeting") / "meeting.wav"
    sf.write(path, np.concatenate(parts), 16_000, subtype="PCM_16")
    return path


def chunks(path: Path) -> list[np.ndarray]:
    samples = sf.read(path, dtype="int16")[0]
    return [samples[start : start + 1600] for start in range(0, len(samples), 1600)]


def test_every_route_of_the_server_has_a_method(
    server: LiveServer, client: Client, clip: Clip, meeting: Path
) -> None:
    server.asked.clear()
    agreement = Agreement(by="cleo", purpose="tests", expires=datetime(2099, 1, 1, tzinfo=UTC))
    made = client.enroll("cleo/x", [clip("cleo", 0), clip("cleo", 1)], agreement=agreement, notes="hello")
    assert (made.speaker.name, made.speaker.clips, made.speaker.notes) == ("cleo/x", 2, "hello")
    assert made.speaker.expires == datetime(2099, 1, 1, tzinfo=UTC)
    assert client.add_clips("cleo/x", [clip("cleo", 2)]).speaker.clips == 3
    assert [each.source for each in client.enrollments("cleo/x").clips] == ["0.wav", "1.wav", "2.wav"]
    assert client.set_agreement("cleo/x", agreement).consent is not None
    assert client.speaker("cleo/x").consent is not None
    assert [person.name for person in client.speakers().speakers] == ["ada", "bert", "cleo/x"]
    assert [person.name for person in client.search("EO").speakers] == ["cleo/x"]
    assert client.verify("ada", clip("ada", 3), far=0.001)
    assert not client.verify("ada", clip("bert", 3))
    asked = client.challenge()
    assert client.verify("ada", clip("ada", 3), challenge=asked.id).decision == "wrong_words"
    with pytest.raises(ProblemError, match="ask for a new one"):
        client.verify("ada", clip("ada", 3), challenge=asked.id)
    assert client.identify(clip("bert", 3), among=["ada", "bert"]).name == "bert"
    assert client.compare(clip("ada", 3), clip("ada", 4)).decision == "same"
    assert client.liveness(clip("ada", 3)).spoof_far == 0.01
    assert client.quality(clip("ada", 3)).seconds == 2.0
    waiting = client.diarize(meeting, names=True, min_speakers=1)
    assert waiting.state in ("waiting", "running")
    done = client.wait(client.recording(waiting.id), seconds=120)
    assert done.result is not None
    assert {turn.speaker for turn in done.result.turns} == {person.name for person in done.result.speakers}
    client.forget_recording(waiting.id)
    assert [event.event for event in client.listen(chunks(clip("ada", 3)), claim="ada")][-1] == "decided"
    client.remove("cleo/x")
    client.opt_out("dmitri")
    assert client.opt_outs().names == ("dmitri",)
    client.opt_in("dmitri")
    assert client.model().calibrated
    assert client.access().scopes == ("admin", "enroll", "metrics", "verify")
    assert "voiceprint_requests_total" in client.metrics()
    assert client.healthy()
    assert client.ready()
    described = {
        (method.upper(), path)
        for path, methods in server.app.openapi()["paths"].items()
        for method in methods
    }
    assert server.asked == described | {("WEBSOCKET", "/v1/listen")}


def test_every_answer_has_every_field_of_the_description(server: LiveServer) -> None:
    schemas = server.app.openapi()["components"]["schemas"]
    known = {
        name.removesuffix("Reply"): {field.name for field in dataclasses.fields(kind)}
        for module in (decisions, replies)
        for name, kind in vars(module).items()
        if dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }
    described = {
        name.removesuffix("Answer"): set(schema["properties"])
        for name, schema in schemas.items()
        if name.endswith("Answer") or name == "EnrolledClip"
    }
    assert known == described


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "pipe"])
def test_a_clip_may_be_a_path_bytes_a_file_or_a_pipe(client: Client, clip: Clip, kind: str) -> None:
    path = clip("ada", 3)
    if kind == "pipe":
        reading, writing = os.pipe()

        def send() -> None:
            with os.fdopen(writing, "wb") as end:
                end.write(path.read_bytes())

        sender = threading.Thread(target=send)
        sender.start()
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            assert client.verify("ada", pipe)
        sender.join(30)
        return
    given: dict[str, Any] = {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
    }
    assert client.verify("ada", given[kind])


def test_a_files_name_cannot_end_its_header(client: Client, clip: Clip, tmp_path: Path) -> None:
    odd = tmp_path / 'a"; name="x\r\ny.wav'
    odd.write_bytes(clip("cleo", 0).read_bytes())
    made = client.enroll("odd", [odd, clip("cleo", 1)])
    client.remove("odd")
    assert [each.status for each in made.clips] == ["used", "used"]
    assert "y.wav" in made.clips[0].source


def test_a_refusal_is_a_problem_with_its_code_and_fields(client: Client, clip: Clip) -> None:
    with pytest.raises(ProblemError, match="nobody named 'zoe' is enrolled") as caught:
        client.speaker("zoe")
    assert (caught.value.problem, caught.value.status) == ("speaker-not-found", 404)
    assert caught.value.request_id
    assert isinstance(caught.value, VoiceprintError)
    with pytest.raises(ProblemError) as invalid:
        client.speakers(limit=0)
    assert [fault["at"] for fault in invalid.value.fields["errors"]] == ["query.limit"]
    with pytest.raises(ProblemError) as refused:
        client.enroll("ada", [clip("ada", 0)])
    assert refused.value.problem == "speaker-exists"


def test_a_change_that_is_sent_twice_is_made_once(client: Client, clip: Clip) -> None:
    clips = [clip("dmitri", 0), clip("dmitri", 1)]
    first = client.enroll("dmitri", clips, idempotency_key="one")
    assert client.enroll("dmitri", clips, idempotency_key="one") == first
    client.remove("dmitri")


def test_a_wrong_key_is_refused_everywhere(server: LiveServer, clip: Clip) -> None:
    with Client(server.url, key="vp_000000000000_x") as stranger:
        for ask in (
            lambda: stranger.verify("ada", clip("ada", 3)),
            lambda: [*stranger.listen([], claim="ada")],
        ):
            with pytest.raises(ProblemError) as caught:
                ask()
            assert (caught.value.status, caught.value.problem) == (401, "key-needed")


def test_listening_tells_what_becomes_known(client: Client, clip: Clip) -> None:
    events = [*client.listen(chunks(clip("ada", 3)), claim="ada")]
    assert events[0].event == "speech_began"
    answer = events[-1].answer
    assert isinstance(answer, VerificationReply)
    assert answer.accepted
    sound = b"".join(chunk.tobytes() for chunk in chunks(clip("bert", 3)))
    assert any(event.answer is not None and event.answer.name == "bert" for event in client.listen([sound]))


def test_listening_ends_with_a_problem_where_the_question_is_wrong(client: Client) -> None:
    with pytest.raises(ProblemError) as caught:
        [*client.listen([], claim="ada", far=0.4)]
    assert caught.value.problem == "far-pinned"


def test_floats_are_no_samples(client: Client) -> None:
    with pytest.raises(ArgumentError, match="16-bit samples"):
        [*client.listen([np.zeros(160, dtype=np.float32)], claim="ada")]


@pytest.mark.parametrize(
    "url", ["localhost:8765", "ftp://x", "http://", "http://a:b", "http://a?b=c", "http://a@b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ArgumentError, match="url"):
        Client(url)


def test_a_key_of_other_letters_is_refused() -> None:
    with pytest.raises(ArgumentError, match="key"):
        Client(key="vp_\r\nX: y")


def test_nobody_listening_is_unreachable() -> None:
    with (
        Client("http://127.0.0.1:9", patience=0.0) as client,
        pytest.raises(UnreachableError, match="reached"),
    ):
        client.healthy()
    with Client("http://127.0.0.1:9") as client, pytest.raises(UnreachableError, match="reached"):
        [*client.listen([])]


def test_the_client_loads_none_of_the_heavy_rooms() -> None:
    code = "import sys, voiceprint.client\nprint(*sorted(set(sys.argv[1].split()) & set(sys.modules)))"
    heavy = "numpy onnxruntime pydantic sqlite3 voiceprint.audio voiceprint.store voiceprint.server"
    done = subprocess.run([sys.executable, "-c", code, heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_event_has_the_fields_of_the_library() -> None:
    from voiceprint.engine import events  # noqa: PLC0415

    told = {
        field.name
        for kind in (events.SpeechBegan, events.SpeechEnded, events.Scored, events.Decided)
        for field in dataclasses.fields(kind)
    }
    assert {field.name for field in dataclasses.fields(LiveReply)} == told | {"event"}
