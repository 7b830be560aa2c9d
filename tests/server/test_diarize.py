"""Who speaks when, over HTTP: at once or later, deleted and forgotten, within limits."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from starlette.testclient import TestClient

from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing

Serve = Callable[..., Any]
WAV = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="session")
def meeting(voice: Callable[..., NDArray[np.float32]]) -> bytes:
    """Ada from 0 to 4 s, Bert to 8 s, Ada to 12 s."""
    file = io.BytesIO()
    parts = [voice(who, 70 + number, 4.0) for number, who in enumerate(("ada", "bert", "ada"))]
    sf.write(file, np.concatenate(parts), 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def log_of(client: TestClient) -> list[dict[str, Any]]:
    engine = client.app.state.engine  # type: ignore[attr-defined]
    entries = [json.loads(record.entry) for record in AuditLog(engine.files[1]).records()]
    return [entry for entry in entries if entry["action"] == "diarize"]


def until(client: TestClient, path: str, state: str) -> dict[str, Any]:
    """Ask again until it is so."""
    late = time.monotonic() + 60
    while True:
        answer: dict[str, Any] = client.get(path).json()
        if answer["state"] == state:
            return answer
        assert answer["state"] in ("waiting", "running") and time.monotonic() < late, answer


def until_gone(client: TestClient, path: str) -> None:
    late = time.monotonic() + 60
    while client.get(path).status_code != 404:
        assert time.monotonic() < late


@pytest.fixture
def later(serve: Serve, form: Any) -> Any:
    """A server to which 12 s are a long recording, and on which ada is enrolled."""

    def start(**options: Any) -> Any:
        return serve(max_seconds=10.0, **options)

    return start


def enroll(client: TestClient, form: Any, name: str = "ada") -> None:
    files = form(name, 0, 1, 2)
    assert client.post("/v1/speakers", data={"name": name}, files=files).status_code == 201


def test_a_short_recording_is_answered_at_once_and_forgotten(ada: TestClient, meeting: bytes) -> None:
    answer = ada.post("/v1/diarize", content=meeting, headers=WAV)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["state"], found["result"]["seconds"]) == ("done", 12.0)
    assert [(each["name"], each["identified"]) for each in found["result"]["speakers"]] == [
        ("ada", True),
        ("speaker 1", False),
    ]
    assert {turn["speaker"] for turn in found["result"]["turns"]} == {"ada", "speaker 1"}
    assert "embedding" not in answer.text
    assert ada.get(f"/v1/diarize/{found['id']}").status_code == 404
    asked, named, done = log_of(ada)
    assert (asked["outcome"], done["outcome"], done["speakers"]) == ("asked", "done", 2)
    assert (named["speaker"], named["decision"]) == ("ada", "identified")
    assert named["score"] >= named["threshold"]


def test_what_is_known_of_a_recording_is_asked_as_fields_of_the_form(ada: TestClient, meeting: bytes) -> None:
    fields = {"speakers": "1", "names": "false"}
    answer = ada.post("/v1/diarize", files={"clip": ("meeting.wav", meeting)}, data=fields)
    (speaker,) = answer.json()["result"]["speakers"]
    assert (speaker["name"], speaker["score"]) == ("speaker 1", None)


def test_a_long_recording_is_asked_for_by_its_id_until_it_is_deleted(
    later: Any, form: Any, meeting: bytes
) -> None:
    with later() as client:
        enroll(client, form)
        begun = client.post("/v1/diarize", content=meeting, headers=WAV)
        assert begun.status_code == 202
        path = begun.headers["location"]
        assert path == f"/v1/diarize/{begun.json()['id']}"
        found = until(client, path, "done")
        assert {each["name"] for each in found["result"]["speakers"]} == {"ada", "speaker 1"}
        assert found["progress"]["done"] == found["progress"]["total"] == 12.0
        assert found["expires"] is not None
        _, other = KeyRing(client.app.state.engine.files[0]).create(["verify"])
        for method in ("GET", "DELETE"):
            stranger = client.request(method, path, headers={"Authorization": f"Bearer {other}"})
            assert (stranger.status_code, stranger.json()["type"]) == (
                404,
                "urn:voiceprint:recording-not-found",
            )
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == client.delete(path).status_code == 404
        assert log_of(client)[-1]["outcome"] == "deleted"
        assert client.app.state.recordings._jobs._jobs == {}


def test_who_is_removed_is_not_named_any_more(later: Any, form: Any, meeting: bytes) -> None:
    with later() as client:
        enroll(client, form)
        path = client.post("/v1/diarize", content=meeting, headers=WAV).headers["location"]
        assert "ada" in json.dumps(until(client, path, "done"))
        assert client.delete("/v1/speakers/ada").status_code == 204
        forgotten = client.get(path).text
        assert '"ada"' not in forgotten
        speakers = json.loads(forgotten)["result"]["speakers"]
        assert sorted(each["name"] for each in speakers) == ["speaker 1", "speaker 2"]
        assert [(each["identified"], each["score"]) for each in speakers] == [(False, None)] * 2
        enroll(client, form)  # somebody of that name again: nobody says that it is the same
        assert '"ada"' not in client.get(path).text


def test_an_answer_is_forgotten_when_its_time_is_over(later: Any, meeting: bytes) -> None:
    with later(job_seconds=0.05) as client:
        until_gone(client, client.post("/v1/diarize", content=meeting, headers=WAV).headers["location"])
        assert client.app.state.recordings._jobs._jobs == {}


def test_a_recording_that_is_deleted_while_it_is_listened_to_ends(later: Any, meeting: bytes) -> None:
    long = _repeated(meeting, 30)
    with later() as client:
        path = client.post("/v1/diarize", content=long, headers=WAV).headers["location"]
        assert client.delete(path).status_code == 204
        again = client.post("/v1/diarize", content=meeting, headers=WAV).headers["location"]
        until(client, again, "done")
        outcomes = [entry["outcome"] for entry in log_of(client)]
        assert outcomes == ["asked", "deleted", "asked", "done"]


def test_a_server_that_ends_does_not_wait_for_recordings(later: Any, meeting: bytes) -> None:
    with later() as client:
        for _ in range(2):
            assert client.post("/v1/diarize", content=_repeated(meeting, 30), headers=WAV).status_code == 202


def _repeated(wav: bytes, times: int) -> bytes:
    samples, rate = sf.read(io.BytesIO(wav), dtype="int16")
    file = io.BytesIO()
    sf.write(file, np.tile(samples, times), rate, format="FLAC")
    return file.getvalue()


# Bad input


@pytest.mark.parametrize(
    ("fields", "query", "status", "code"),
    [
        ({"speakers": "0"}, "", 422, "request-invalid"),
        ({"speakers": "two"}, "", 422, "request-invalid"),
        ({"speakers": "2", "max_speakers": "3"}, "", 422, "request-invalid"),
        ({"min_speakers": "3", "max_speakers": "2"}, "", 422, "request-invalid"),
        ({"names": "perhaps"}, "", 422, "request-invalid"),
        ({"name": "ada"}, "", 422, "request-invalid"),
        ({}, "?far=0.4", 403, "far-pinned"),
        ({}, "?far=0", 422, "request-invalid"),
        ({}, "?threshold=0", 422, "request-invalid"),
        ({"channel": "7"}, "", 422, "clip-unusable"),
    ],
)
def test_bad_fields_are_told(
    client: TestClient, meeting: bytes, fields: dict[str, str], query: str, status: int, code: str
) -> None:
    answer = client.post(f"/v1/diarize{query}", files={"clip": ("m.wav", meeting)}, data=fields)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:voiceprint:{code}"), answer.text


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"content": b"", "headers": WAV}, 422, "clip-unusable"),
        ({"content": b"no sound", "headers": WAV}, 422, "clip-unusable"),
        (
            {"content": b"clip=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            415,
            "form-needed",
        ),
        ({"files": {"a": ("a.wav", b"x")}}, 422, "form-invalid"),
        ({"files": [("clip", ("a.wav", b"x")), ("clip", ("b.wav", b"x"))]}, 422, "form-invalid"),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "form-invalid"),
    ],
)
def test_what_is_no_recording_is_told(
    client: TestClient, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/v1/diarize", **sent)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:voiceprint:{code}"), answer.text
    assert client.app.state.recordings._places.counts == {}  # type: ignore[attr-defined]


def test_a_recording_that_fails_later_says_why(later: Any, meeting: bytes) -> None:
    with later() as client:
        files = {"clip": ("m.wav", meeting)}
        path = client.post("/v1/diarize", files=files, data={"channel": "7"}).headers["location"]
        found = until(client, path, "failed")
        assert (found["result"], found["problem"]["type"]) == (None, "urn:voiceprint:clip-unusable")
        assert log_of(client)[-1]["why"] == "clip-unusable"


# Limits


def test_too_long_and_too_large_a_recording_is_refused(serve: Serve, meeting: bytes) -> None:
    with serve(max_recording=11.0) as client:
        answer = client.post("/v1/diarize", content=meeting, headers=WAV)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:voiceprint:too-much-audio")
    with serve(max_recording_body=1000) as client:
        for sent in ({"content": meeting, "headers": WAV}, {"files": {"clip": ("m.wav", meeting)}}):
            answer = client.post("/v1/diarize", **sent)
            assert (answer.status_code, answer.json()["type"]) == (413, "urn:voiceprint:body-too-large")
        limits = client.get("/v1/access").json()
        assert limits["max_recording_body"] == 1000


def test_a_key_holds_only_so_many_recordings(later: Any, meeting: bytes) -> None:
    with later(max_jobs=1) as client:
        path = client.post("/v1/diarize", content=meeting, headers=WAV).headers["location"]
        for _ in range(2):
            refused = client.post("/v1/diarize", content=meeting, headers=WAV)
            assert (refused.status_code, refused.json()["type"]) == (429, "urn:voiceprint:too-much-at-once")
            until(client, path, "done")  # an answer is held, too
        client.delete(path)
        assert client.post("/v1/diarize", content=meeting, headers=WAV).status_code == 202


def test_nothing_of_a_recording_lies_under_a_name(
    later: Any, meeting: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    with later() as client:
        long = _repeated(meeting, 20)
        assert len(long) > 1 << 20
        path = client.post("/v1/diarize", content=long, headers={"Content-Type": "audio/flac"}).headers[
            "location"
        ]
        seen = [os.listdir(folder)]  # noqa: PTH208  the names alone
        until(client, path, "done")
        seen.append(os.listdir(folder))  # noqa: PTH208
    assert seen == [[], []]
