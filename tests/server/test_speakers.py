"""Enrolled people over HTTP: create, list, show, add, replace, delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

Form = Callable[..., list[Any]]


def test_enrolling_says_what_became_of_each_clip(client: TestClient, form: Form) -> None:
    files = [*form("ada", 0, 1, 0), ("clips", ("noise.wav", b"RIFFgarbage", "audio/wav"))]
    answer = client.post("/v1/speakers", data={"name": "ada", "notes": "hers"}, files=files)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/speakers/ada"
    body = answer.json()
    assert [clip["status"] for clip in body["clips"]] == ["used", "used", "duplicate", "unreadable"]
    assert body["clips"][0]["source"] == "ada-0.wav"
    assert (body["speaker"]["name"], body["speaker"]["clips"], body["speaker"]["notes"]) == ("ada", 2, "hers")
    assert client.get("/v1/speakers/ada").json() == body["speaker"]


def test_one_voice_under_two_names_is_said(ada: TestClient, form: Form) -> None:
    (alike,) = ada.post("/v1/speakers", data={"name": "eve"}, files=form("ada", 0, 1)).json()["resembles"]
    assert (alike["name"], alike["same_recordings"]) == ("ada", 2)
    assert ada.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1)).json()["resembles"] == []


def test_an_answer_is_no_name(client: TestClient, form: Form) -> None:
    answer = client.post("/v1/speakers", data={"name": "Unknown"}, files=form("ada", 0, 1))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:voiceprint:name-invalid")


def test_somebody_who_is_enrolled_already_is_a_conflict(ada: TestClient, form: Form) -> None:
    answer = ada.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 3, 4))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:voiceprint:speaker-exists"


def test_clips_are_added_and_replaced(ada: TestClient, form: Form) -> None:
    added = ada.post("/v1/speakers/ada/enrollments", files=form("ada", 3))
    assert (added.status_code, added.json()["speaker"]["clips"]) == (200, 4)
    replaced = ada.post("/v1/speakers/ada/enrollments", data={"mode": "replace"}, files=form("ada", 3, 4))
    assert (replaced.status_code, replaced.json()["speaker"]["clips"]) == (200, 2)
    clips = ada.get("/v1/speakers/ada/enrollments").json()["clips"]
    assert [clip["source"] for clip in clips] == ["ada-3.wav", "ada-4.wav"]


def test_another_persons_clips_are_refused_with_a_report(ada: TestClient, form: Form) -> None:
    answer = ada.post("/v1/speakers/ada/enrollments", files=form("bert", 0, 1))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:voiceprint:enrollment-refused"
    assert [clip["status"] for clip in answer.json()["clips"]] == ["disagrees", "disagrees"]
    assert ada.get("/v1/speakers/ada").json()["clips"] == 3


def test_who_is_not_enrolled_can_neither_be_shown_nor_added_to(client: TestClient, form: Form) -> None:
    for answer in (
        client.get("/v1/speakers/nobody"),
        client.get("/v1/speakers/nobody/enrollments"),
        client.delete("/v1/speakers/nobody"),
        client.post("/v1/speakers/nobody/enrollments", data={"mode": "replace"}, files=form("ada", 0, 1)),
    ):
        assert answer.status_code == 404
        assert answer.json()["detail"] == "nobody named 'nobody' is enrolled"


def test_the_list_comes_in_pages(client: TestClient, form: Form) -> None:
    for name in ("ada", "bert", "cleo"):
        client.post("/v1/speakers", data={"name": name}, files=form(name, 0, 1))
    first = client.get("/v1/speakers", params={"limit": 2}).json()
    assert ([person["name"] for person in first["speakers"]], first["next"]) == (["ada", "bert"], 2)
    second = client.get("/v1/speakers", params={"limit": 2, "after": first["next"]}).json()
    assert ([person["name"] for person in second["speakers"]], second["next"]) == (["cleo"], None)
    assert second["total"] == 3


def test_deleting_leaves_no_byte_of_the_name(ada: TestClient, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert any(b"ada-1.wav" in path.read_bytes() for path in store.glob("voiceprints.*"))
    assert ada.delete("/v1/speakers/ada").status_code == 204
    assert ada.get("/v1/speakers/ada").status_code == 404
    assert not any(b"ada-1.wav" in path.read_bytes() for path in store.glob("voiceprints.*"))


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "ада", "..x", "a b", "a?b#c", "speakers/ada/verify", "🎤"])
def test_any_name_can_be_addressed(client: TestClient, form: Form, name: str) -> None:
    created = client.post("/v1/speakers", data={"name": name}, files=form("ada", 0, 1))
    assert created.status_code == 201, created.text
    path = f"/v1/speakers/{quote(name, safe='')}"
    assert created.headers["location"] == path
    assert client.get(path).json()["name"] == name
    assert client.get(f"{path}/enrollments").json()["name"] == name
    assert client.delete(path).status_code == 204


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a\x00b", "a\nb", "x" * 201, "\u202eada"])
def test_names_that_cannot_be_used_are_refused(client: TestClient, form: Form, name: str) -> None:
    answer = client.post("/v1/speakers", data={"name": name}, files=form("ada", 0, 1))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:voiceprint:name-invalid"


def test_a_path_that_is_not_utf_8_is_refused(client: TestClient) -> None:
    assert client.get("/v1/speakers/%ff%fe").status_code == 422


def test_a_search_finds_parts_of_names_without_case_and_accents(client: TestClient, form: Form) -> None:
    for name, who in (("Lucía Ito", "ada"), ("Lucian", "bert"), ("Zoë", "cleo")):
        assert client.post("/v1/speakers", data={"name": name}, files=form(who, 0, 1)).status_code == 201

    def found(**params: str | int) -> tuple[list[str], int]:
        page = client.post("/v1/speakers/search", json=params).json()
        return [person["name"] for person in page["speakers"]], page["total"]

    assert found(search="LUCIA") == (["Lucian", "Lucía Ito"], 2)
    assert found(search="zoe") == (["Zoë"], 1)
    assert found(search="lucia", after=1) == (["Lucía Ito"], 2)
    assert found(search="nobody") == ([], 0)
    assert found(search="") == (["Lucian", "Lucía Ito", "Zoë"], 3)
