"""The three answers over HTTP are the library's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from voiceprint.verifier import Verifier

Clip = Callable[..., bytes]


def test_verify_answers_what_the_library_answers(
    ada: TestClient, clip: Clip, people: Path, tmp_path: Path, model_folder: Path
) -> None:
    answer = ada.post("/v1/speakers/ada/verify", files={"clip": ("c.wav", clip("ada", 3))}).json()
    with Verifier(tmp_path / "store", model=model_folder, read_only=True) as verifier:
        expected = verifier.verify("ada", people / "ada/3.wav")
    assert answer.pop("request_id")
    assert not answer.pop("adapted")
    assert answer == {field: getattr(expected, field) for field in expected.__slots__}
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


def test_the_operating_point_can_be_chosen(ada: TestClient, clip: Clip) -> None:
    strict = ada.post("/v1/speakers/ada/verify", params={"far": 0.001}, content=clip("ada", 3)).json()
    assert strict["threshold"] == pytest.approx(0.92)
    given = ada.post("/v1/speakers/ada/verify", params={"threshold": -1}, content=clip("bert", 3)).json()
    assert given["accepted"]
    both = ada.post("/v1/speakers/ada/verify", params={"far": 0.1, "threshold": 0.1}, content=clip("ada", 3))
    assert both.status_code == 422


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


def test_quality_measures_a_clip(client: TestClient, clip: Clip) -> None:
    quality = client.post("/v1/quality", content=clip("ada", 0)).json()
    assert quality["seconds"] == pytest.approx(2.0)
    assert 0.5 < quality["seconds_of_speech"] <= 2.0


def test_the_model_card_is_shown(client: TestClient) -> None:
    card = client.get("/v1/model").json()
    assert (card["name"], card["dim"], card["calibrated"]) == ("tiny", 12, True)
    assert card["decision"] == "false-accept rate 1 %"
