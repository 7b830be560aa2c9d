"""Whatever is sent, the answer is a problem, never a 500."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

Serve = Callable[..., Any]


def encoded(samples: np.ndarray, rate: int = 16_000, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def holding(value: float) -> np.ndarray:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[5000] = value
    return samples


def cut(kind: str, subtype: str = "PCM_16") -> bytes:
    whole = encoded(NOISE, kind=kind, subtype=subtype)
    return whole[: len(whole) // 3]


NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
BAD_CLIPS = {
    "nothing": b"",
    "text": b"this is not audio",
    "one byte": b"R",
    "garbage after RIFF": b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(200),
    "cut short": encoded(NOISE)[:5000],
    "header only": encoded(NOISE)[:44],
    "too short": encoded(NOISE[:100]),
    "NaN": encoded(holding(np.nan), subtype="FLOAT"),
    "infinity": encoded(holding(-np.inf), subtype="DOUBLE"),
    "AIFF cut short": cut("AIFF"),
    "FLAC cut short": cut("FLAC"),
    "MP3 cut short": cut("MP3", "MPEG_LAYER_III"),
    "CAF cut short": cut("CAF"),
    "far above full scale": encoded(100 * NOISE, subtype="FLOAT"),
    "4 kHz": encoded(NOISE, rate=4000),
    "1 GHz": encoded(NOISE, rate=1_000_000_000),
    "no channels": encoded(NOISE)[:22] + bytes(2) + encoded(NOISE)[24:],
    "65,535 channels": encoded(NOISE)[:22] + b"\xff\xff" + encoded(NOISE)[24:],
    "AAC": b"\xff\xf1\x50\x80" + bytes(100),
    "AMR": b"#!AMR\n" + bytes(100),
    "a web page": b"<!DOCTYPE html><title>x</title>",
    "ZIP": b"PK\x03\x04" + bytes(100),
    "MP4": bytes(4) + b"ftypM4A " + bytes(100),
    "WebM": b"\x1aE\xdf\xa3" + bytes(100),
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "an hour of silence in FLAC": encoded(np.zeros(16_000 * 600, dtype=np.int16), kind="FLAC"),
}

FUZZED = {
    "WAV": encoded(NOISE),
    "AIFF": encoded(NOISE, kind="AIFF"),
    "FLAC": encoded(NOISE, kind="FLAC"),
    "OGG": encoded(NOISE, kind="OGG", subtype="VORBIS"),
    "MP3": encoded(NOISE, kind="MP3", subtype="MPEG_LAYER_III"),
}


@pytest.mark.parametrize("name", BAD_CLIPS)
def test_a_clip_that_cannot_be_used_is_a_problem(ada: TestClient, name: str) -> None:
    content = BAD_CLIPS[name]
    for path in ("/v1/speakers/ada/verify", "/v1/identify", "/v1/liveness", "/v1/quality"):
        answer = ada.post(path, content=content)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:voiceprint:clip-unusable"
    files = [("clips", ("a.wav", content))]
    refused = ada.post("/v1/speakers", data={"name": "bert"}, files=files)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:voiceprint:enrollment-refused")


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(FUZZED)), place=st.integers(0, 200), put=st.binary(min_size=1, max_size=12)
)
def test_a_header_that_lies_is_never_a_failure_of_the_server(
    ada: TestClient, kind: str, place: int, put: bytes
) -> None:
    whole = FUZZED[kind]
    answer = ada.post("/v1/quality", content=whole[:place] + put + whole[place + len(put) :])
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"


def test_silence_is_a_decision(ada: TestClient) -> None:
    silence = encoded(np.zeros(16_000, dtype=np.int16))
    assert ada.post("/v1/speakers/ada/verify", content=silence).json()["decision"] == "not_enough_speech"


def test_no_message_tells_a_path_of_this_machine(ada: TestClient, tmp_path: Any, clip: Any) -> None:
    texts = [
        ada.get("/v1/speakers/nobody").text,
        ada.post("/v1/speakers/nobody/verify", content=clip("ada", 3)).text,
        ada.post("/v1/identify", content=b"").text,
        ada.post("/v1/speakers", data={"name": "ada"}, files=[("clips", ("a.wav", b"x"))]).text,
    ]
    assert not any(str(tmp_path) in text or "/" + tmp_path.parts[1] in text for text in texts)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"--x\r\n", "multipart/form-data; boundary=x", 422),
        (b"", "multipart/form-data", 422),
        (b"garbage", "multipart/form-data; boundary=x", 422),
        (b"clip=abc", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_form_that_is_none_is_refused(ada: TestClient, body: bytes, kind: str, status: int) -> None:
    answer = ada.post("/v1/identify", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_a_clip_sent_as_curl_does_by_itself_is_told_what_it_lacks(ada: TestClient, clip: Any) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    detail = ada.post("/v1/identify", content=clip("ada", 3), headers=kind).json()["detail"]
    assert "send a clip with Content-Type: audio/wav" in detail


def test_a_parameter_is_found_wrong_once(ada: TestClient, clip: Any) -> None:
    problem = ada.post("/v1/speakers/ada/verify?far=much", content=clip("ada", 3)).json()
    assert problem["detail"].startswith("query.far: Input should be a valid number")
    assert len(problem["errors"]) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("far=2", "far is 2.0; it must be a rate above 0 and at most 0.5 (1 % is 0.01)"),
        ("far=nan", "far is nan; it must be a rate above 0"),
        ("threshold=1.5", "threshold is 1.5; it must be a finite number at least -1 and at most 1"),
        ("far=0.01&threshold=0.5", "threshold is 0.5; it must be left out where far is given"),
        ("top=0", "top is 0; it must be a whole number of at least 1"),
    ],
)
def test_values_are_refused_in_the_words_of_the_library(
    ada: TestClient, clip: Any, query: str, words: str
) -> None:
    answer = ada.post(f"/v1/identify?{query}", content=clip("ada", 3))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:voiceprint:request-invalid")
    assert problem["detail"].startswith(words)


def test_forms_hold_what_is_asked_for_and_nothing_else(ada: TestClient, clip: Any) -> None:
    wav = ("a.wav", clip("ada", 0))
    for fields in ([("other", wav)], [("clip", wav), ("clip", wav)], [("clip", wav), ("more", wav)]):
        answer = ada.post("/v1/identify", files=fields)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:voiceprint:form-invalid")
    text = ada.post("/v1/identify", files=[("clip", wav)], data={"name": "ada"})
    assert (text.status_code, text.json()["errors"][0]["at"]) == (422, "body.name")


@pytest.mark.parametrize("name", ["consent_bye", "Notes", "clip"])
def test_a_misspelt_field_is_refused_and_nothing_is_done(client: TestClient, form: Any, name: str) -> None:
    answer = client.post("/v1/speakers", data={"name": "ada", name: "x"}, files=form("ada", 0, 1))
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        f"body.{name}: Extra inputs are not permitted",
    )
    assert client.get("/v1/speakers/ada").status_code == 404


def test_a_field_that_comes_twice_is_refused(client: TestClient, form: Any) -> None:
    answer = client.post("/v1/speakers", data={"name": ["ada", "eve"]}, files=form("ada", 0, 1))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:voiceprint:form-invalid")


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", "/v1/identify", "amongst=ada"),
        ("POST", "/v1/identify", "among=ada"),
        ("POST", "/v1/identify", "far=0.01&far=0.001"),
        ("POST", "/v1/speakers", "name=ada"),
        ("POST", "/v1/speakers/ada/enrollments", "mode=replace"),
        ("PUT", "/v1/speakers/ada/consent", "expires=2000-01-01T00:00:00Z"),
        ("POST", "/v1/speakers/ada/verify", "min_speech=0.1"),
        ("GET", "/v1/speakers", "limits=3"),
        ("GET", "/v1/access", "x="),
        ("DELETE", "/v1/speakers/ada", "force=true"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(
    ada: TestClient, clip: Any, method: str, path: str, query: str
) -> None:
    content = clip("ada", 3) if method == "POST" else None
    answer = ada.request(method, f"{path}?{query}", content=content)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:voiceprint:request-invalid")
    assert query.split("=", maxsplit=1)[0] in answer.json()["detail"]
    assert ada.get("/v1/speakers/ada").json()["expires"] is None


@pytest.mark.parametrize(
    ("path", "name", "in_the_body"),
    [
        ("/v1/identify", "channel", True),
        ("/v1/speakers/search", "search", True),
        ("/v1/speakers/ada/enrollments", "force", True),
        ("/v1/speakers/ada/enrollments", "farce", False),
        ("/v1/quality", "force", False),
    ],
)
def test_a_body_field_in_the_query_is_named_as_one(
    client: TestClient, path: str, name: str, in_the_body: bool
) -> None:
    detail = client.post(f"{path}?{name}=1").json()["detail"]
    assert detail.endswith("; it belongs in the body") == in_the_body


def test_file_names_are_names_only(client: TestClient, clip: Any) -> None:
    files = [("clips", (f"../../etc/{n}\u202e\n.wav", clip("ada", n))) for n in range(2)]
    answer = client.post("/v1/speakers", data={"name": "ada"}, files=files)
    assert answer.status_code == 201, answer.text
    stored = client.get("/v1/speakers/ada/enrollments").json()["clips"]
    assert not any("/" in item["source"] for item in stored)


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(serve: Serve) -> None:
    def chunks() -> Any:
        for _ in range(20):
            yield bytes(1000)

    with serve(max_body=10_000) as client:
        declared = client.post("/v1/identify", content=bytes(10_001))
        undeclared = client.post("/v1/identify", content=chunks())
    assert (declared.status_code, undeclared.status_code) == (413, 413)


def test_a_clip_that_unpacks_to_more_than_the_limit_is_refused_early(serve: Serve, clip: Any) -> None:
    ten_minutes = encoded(np.zeros(16_000 * 600, dtype=np.int16), kind="FLAC")
    assert len(ten_minutes) < 200_000
    with serve(max_seconds=1.0) as client:
        assert "lasts over 1 s" in client.post("/v1/quality", content=ten_minutes).json()["detail"]
        enrolled = client.post("/v1/speakers", data={"name": "a"}, files=[("clips", clip("ada", 0))])
    assert enrolled.json()["clips"][0]["status"] == "unreadable"


def test_many_channels_are_decoded_only_as_far_as_a_clip_may_take(serve: Any) -> None:
    wide = encoded(np.zeros((48_000, 64), dtype=np.int16), rate=48_000)  # 3.1 million samples in 1 s
    with serve(max_seconds=1.5) as client:
        assert "64 channels" in client.post("/v1/quality", content=wide).json()["detail"]
    with serve() as client:
        assert client.post("/v1/quality", content=wide).status_code == 200


def test_too_many_clips_are_refused(serve: Serve, form: Any) -> None:
    with serve(max_clips=2) as client:
        answer = client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:voiceprint:form-invalid")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/identify", 405),
        ("GET", "/v1/speakers?limit=0", 422),
        ("GET", "/v1/speakers?limit=many", 422),
        ("POST", "/v1/identify?far=2", 422),
        ("POST", "/v1/identify?far=nan", 422),
        ("POST", "/v1/identify?threshold=inf", 422),
        ("POST", "/v1/identify?top=-1", 422),
    ],
)
def test_what_is_not_there_or_not_allowed_is_a_problem(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["request_id"]) == (status, answer.headers["x-request-id"])


def test_an_unforeseen_failure_tells_nothing_but_its_request_id(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.app.state.engine.verifier, "speakers", fail)  # type: ignore[attr-defined]
    quiet = TestClient(client.app, raise_server_exceptions=False, base_url="http://localhost")
    answer = quiet.get("/v1/speakers", headers=dict(client.headers))
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:voiceprint:internal")
    assert "secret" not in answer.text


def test_answers_carry_security_headers(client: TestClient) -> None:
    headers = client.get("/v1/model").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"


def test_a_request_id_is_taken_over_if_it_is_a_plain_word(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "call-17"}).headers["x-request-id"] == "call-17"
    assert client.get("/healthz", headers={"X-Request-Id": "a b\t"}).headers["x-request-id"] != "a b\t"
