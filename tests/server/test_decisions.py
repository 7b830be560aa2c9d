"""The three answers over HTTP are the library's."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from fastapi.encoders import jsonable_encoder
from starlette.testclient import TestClient

from voiceprint.audio import read_audio
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError
from voiceprint.server.settings import ServerSettings

Clip = Callable[..., bytes]


def test_verify_answers_what_the_library_answers(
    ada: TestClient, clip: Clip, people: Path, tmp_path: Path, model_folder: Path
) -> None:
    answer = ada.post("/v1/speakers/ada/verify", files={"clip": ("c.wav", clip("ada", 3))}).json()
    with Verifier(tmp_path / "store", model=model_folder, read_only=True) as verifier:
        expected = verifier.verify("ada", people / "ada/3.wav")
    assert answer.pop("request_id")
    assert not answer.pop("adapted")
    assert answer == jsonable_encoder(expected)
    assert answer["decision"] == "accepted"


def test_a_clip_may_be_the_bare_body(ada: TestClient, clip: Clip) -> None:
    answer = ada.post(
        "/v1/speakers/ada/verify", content=clip("bert", 3), headers={"Content-Type": "audio/wav"}
    ).json()
    assert (answer["decision"], answer["accepted"]) == ("rejected", False)


def test_a_claim_to_be_somebody_unknown_is_decided_not_enrolled(ada: TestClient, clip: Clip) -> None:
    answer = ada.post("/v1/speakers/nobody/verify", content=clip("ada", 3))
    assert answer.status_code == 200
    assert (answer.json()["decision"], answer.json()["score"]) == ("not_enrolled", None)


def test_too_little_speech_is_a_decision_without_a_score(
    ada: TestClient, tmp_path: Path, wav: Callable[..., Path]
) -> None:
    quiet = wav(tmp_path / "quiet.wav", np.full(32_000, 1e-3, dtype=np.float32)).read_bytes()
    answer = ada.post("/v1/speakers/ada/verify", content=quiet).json()
    assert (answer["decision"], answer["score"], answer["llr"]) == ("not_enough_speech", None, None)
    assert ada.post("/v1/identify", content=quiet).json()["decision"] == "not_enough_speech"


def test_a_request_may_be_stricter_than_the_server_and_no_laxer(ada: TestClient, clip: Clip) -> None:
    strict = ada.post("/v1/speakers/ada/verify", params={"far": 0.001}, content=clip("ada", 3)).json()
    assert strict["threshold"] == pytest.approx(0.92)
    for path in ("/v1/speakers/ada/verify", "/v1/identify"):
        for point, code in (({"far": 0.5}, "far-pinned"), ({"threshold": -1}, "threshold-pinned")):
            refused = ada.post(path, params=point, content=clip("bert", 3))
            assert (refused.status_code, refused.json()["type"]) == (403, f"urn:voiceprint:{code}")
    files = {"a": clip("ada", 0), "b": clip("bert", 0)}
    assert ada.post("/v1/compare", params={"threshold": -1}, files=files).status_code == 403


def test_the_operator_may_leave_the_operating_point_to_requests(
    serve: Callable[..., Any], form: Any, clip: Clip
) -> None:
    with serve(far_max=0.2, allow_threshold=True) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
        path = "/v1/speakers/ada/verify"
        assert client.post(path, params={"threshold": -1}, content=clip("bert", 3)).json()["accepted"]
        assert client.post(path, params={"far": 0.2}, content=clip("ada", 3)).status_code == 200
        assert client.post(path, params={"far": 0.3}, content=clip("ada", 3)).status_code == 403
        both = client.post(path, params={"far": 0.1, "threshold": 0.1}, content=clip("ada", 3))
        assert both.status_code == 422


@pytest.mark.parametrize("rate", [0.0, -0.1, 0.51, float("nan")])
def test_the_operator_gives_a_rate(rate: float) -> None:
    with pytest.raises(ArgumentError, match=r"far_max is .*at most 0\.5"):
        ServerSettings(far_max=rate)


@pytest.mark.parametrize(
    ("name", "value"),
    [("processes", 0), ("rate", float("inf")), ("max_seconds", float("nan")), ("max_audio", float("inf"))],
)
def test_a_number_that_no_server_can_use_is_refused_before_it_starts(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is {value}; it must be a"):
        ServerSettings(**{name: value})  # type: ignore[arg-type]


def test_whoever_may_only_verify_sees_few_people(ada: TestClient, clip: Clip) -> None:
    _, secret = ada.app.state.engine.keys.create(["verify"])  # type: ignore[attr-defined]
    header = {"Authorization": f"Bearer {secret}"}
    many = ada.post("/v1/identify", params={"top": 6}, content=clip("ada", 3), headers=header)
    assert (many.status_code, many.json()["type"]) == (403, "urn:voiceprint:scope-missing")
    assert (
        ada.post("/v1/identify", params={"top": 5}, content=clip("ada", 3), headers=header).status_code == 200
    )
    assert ada.post("/v1/identify", params={"top": 100}, content=clip("ada", 3)).status_code == 200


def test_identify_names_the_person_or_nobody(ada: TestClient, clip: Clip) -> None:
    known = ada.post("/v1/identify", content=clip("ada", 3)).json()
    assert (known["decision"], known["name"], known["matches"][0]["name"]) == ("identified", "ada", "ada")
    assert ada.post("/v1/identify", content=clip("bert", 3)).json()["decision"] == "unknown"


def test_compare_needs_two_clips_and_nobody_enrolled(client: TestClient, clip: Clip) -> None:
    files = {"a": ("a.wav", clip("ada", 0)), "b": ("b.wav", clip("ada", 1))}
    assert client.post("/v1/compare", files=files).json()["decision"] == "same"
    files["b"] = ("b.wav", clip("bert", 1))
    assert client.post("/v1/compare", files=files).json()["decision"] == "different"
    del files["b"]
    assert client.post("/v1/compare", files=files).status_code == 422


def test_of_two_people_on_two_channels_one_is_chosen(ada: TestClient, clip: Clip) -> None:
    one, other = (read_audio(clip(*who)).samples for who in (("ada", 3), ("bert", 4)))
    length = min(len(one), len(other))
    buffer = io.BytesIO()
    sf.write(buffer, np.stack([one[:length], other[:length]], axis=1), 16_000, format="WAV")
    files = {"clip": ("call.wav", buffer.getvalue())}
    refused = ada.post("/v1/speakers/ada/verify", files=files)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:voiceprint:channels-differ")
    assert "channels 1 and 2" in refused.json()["detail"]
    for channel, decision in ((1, "accepted"), (2, "rejected")):
        answer = ada.post("/v1/speakers/ada/verify", files=files, data={"channel": channel})
        assert answer.json()["decision"] == decision
    assert ada.post("/v1/speakers/ada/verify", files=files, data={"channel": 0}).status_code == 422


def test_a_rejection_says_what_is_wrong_with_the_clip(ada: TestClient, clip: Clip) -> None:
    samples = read_audio(clip("bert", 3)).samples
    buffer = io.BytesIO()
    sf.write(buffer, 0.001 * samples / np.abs(samples).max(), 16_000, format="WAV")
    answer = ada.post("/v1/speakers/ada/verify", content=buffer.getvalue()).json()
    assert answer["decision"] == "rejected"
    assert "quiet" in [note["code"] for note in answer["quality_notes"]]
    assert "quality_notes" in ada.post("/v1/identify", content=buffer.getvalue()).json()


def test_quality_measures_a_clip(client: TestClient, clip: Clip) -> None:
    quality = client.post("/v1/quality", content=clip("ada", 0)).json()
    assert quality["seconds"] == pytest.approx(2.0)
    assert 0.5 < quality["seconds_of_speech"] <= 2.0


def test_the_model_card_is_shown(client: TestClient) -> None:
    card = client.get("/v1/model").json()
    assert (card["name"], card["dim"], card["calibrated"]) == ("tiny", 12, True)
    assert card["decision"] == "false-accept rate 1 %"
