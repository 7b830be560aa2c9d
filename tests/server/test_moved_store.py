"""A server whose store is moved to another model while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from other_model import write_other_model
from starlette.testclient import TestClient

from voiceprint.engine.moving import move_store
from voiceprint.model import SpeakerModel

AGREED = {"consent_by": "ada", "consent_purpose": "calls"}


@pytest.fixture
def other(tmp_path: Path, model_folder: Path) -> Path:
    return write_other_model(tmp_path / "other", model_folder)


@pytest.fixture
def both(client: TestClient, form: Any) -> TestClient:
    """A server on which ada's speech is kept and bert's is not."""
    kept = client.post(
        "/v1/speakers", data={"name": "ada", "keep_audio": "true", **AGREED}, files=form("ada", 0, 1, 2)
    )
    assert kept.status_code == 201, kept.text
    assert client.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1, 2)).is_success
    return client


def claim(client: TestClient, name: str, content: bytes) -> dict[str, Any]:
    answer = client.post(f"/v1/speakers/{name}/verify", content=content)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def test_it_takes_the_switch_up_and_asks_each_by_the_model_that_knows_them(
    both: TestClient, clip: Any, form: Any, other: Path, tmp_path: Path, model_folder: Path
) -> None:
    old, new = SpeakerModel.open(model_folder).id, SpeakerModel.open(other).id
    assert claim(both, "ada", clip("ada", 3))["model"] == old
    report = move_store(tmp_path / "store", SpeakerModel.open(other), jobs=1)
    assert [left.name for left in report.left] == ["bert"]
    for name, model in (("ada", new), ("bert", old)):
        answer = claim(both, name, clip(name, 4))
        assert (answer["accepted"], answer["model"]) == (True, model)
        assert not claim(both, name, clip("cleo", 3))["accepted"]
        assert both.get(f"/v1/speakers/{name}").json()["model"] == model
    assert both.post("/v1/identify", content=clip("cleo", 4)).json()["decision"] == "unknown"
    assert both.get("/v1/model").json()["id"] == new
    assert both.post("/v1/speakers", data={"name": "cleo"}, files=form("cleo", 0, 1, 2)).is_success
    assert claim(both, "cleo", clip("cleo", 2))["model"] == new


def test_an_old_voiceprint_is_replaced_by_the_same_voice_alone(
    both: TestClient, form: Any, other: Path, tmp_path: Path
) -> None:
    move_store(tmp_path / "store", SpeakerModel.open(other), jobs=1)
    place = "/v1/speakers/bert/enrollments"
    added = both.post(place, files=form("bert", 3, 4))
    assert (added.status_code, "earlier model" in added.text) == (422, True)
    stolen = both.post(place, data={"mode": "replace"}, files=form("cleo", 0, 1, 2))
    assert (stolen.status_code, stolen.json()["type"]) == (409, "urn:voiceprint:voice-disagrees")
    again = both.post(place, data={"mode": "replace"}, files=form("bert", 0, 1, 2))
    assert again.status_code == 200, again.text
    assert again.json()["speaker"]["model"] == SpeakerModel.open(other).id


def test_a_move_between_listening_and_storing_is_noticed(
    both: TestClient, form: Any, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voiceprint.server.enrolling import Enrolling  # noqa: PLC0415

    finish = Enrolling.finish

    def moved_before(self: Enrolling) -> Any:
        move_store(tmp_path / "store", SpeakerModel.open(other), jobs=1)
        return finish(self)

    monkeypatch.setattr(Enrolling, "finish", moved_before)
    answer = both.post("/v1/speakers", data={"name": "cleo"}, files=form("cleo", 0, 1, 2))
    assert answer.status_code == 201, answer.text
    assert answer.json()["speaker"]["model"] == SpeakerModel.open(other).id


def test_speech_is_kept_with_consent_alone(client: TestClient, form: Any) -> None:
    answer = client.post("/v1/speakers", data={"name": "ada", "keep_audio": "true"}, files=form("ada", 0, 1))
    assert (answer.status_code, "consent" in answer.json()["type"]) == (422, True)
