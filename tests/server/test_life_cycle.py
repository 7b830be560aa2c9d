"""Consent, expiry, opting out, watch lists and learning voiceprints over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from voiceprint.store import Consent

TERMS = {"consent_by": "ada", "consent_purpose": "banking", "expires": "2099-01-31T00:00:00+00:00"}


def test_consent_is_noted_at_enrollment(client: TestClient, form: Any) -> None:
    answer = client.post("/v1/speakers", data={"name": "ada", **TERMS}, files=form("ada", 0, 1))
    person = answer.json()["speaker"]
    assert (person["consent"]["by"], person["consent"]["purpose"]) == ("ada", "banking")
    assert (person["expires"], person["expired"]) == ("2099-01-31T00:00:00Z", False)
    assert client.get("/v1/speakers/ada").json() == person


def test_consent_can_be_noted_later_and_taken_back(ada: TestClient) -> None:
    given = "2026-01-31T12:00:00+00:00"
    noted = ada.put("/v1/speakers/ada/consent", json={**TERMS, "consent_given": given}).json()
    assert noted["consent"] == {"by": "ada", "purpose": "banking", "given": "2026-01-31T12:00:00Z"}
    assert ada.put("/v1/speakers/ada/consent").json()["consent"] is None
    assert ada.put("/v1/speakers/nobody/consent").status_code == 404


@pytest.mark.parametrize(
    "terms",
    [
        {"consent_by": "ada"},
        {"consent_given": "2026-01-31T12:00:00+00:00"},
        {"consent_by": "", "consent_purpose": "x"},
        {"expires": "2099-01-31"},
        {"expires": "9999-12-31T23:59:59-14:00"},
        {"expires": "0001-01-01T00:00:00+14:00"},
        {"expires": "soon"},
    ],
)
def test_terms_that_say_nothing_certain_are_refused(ada: TestClient, terms: dict[str, str]) -> None:
    assert ada.put("/v1/speakers/ada/consent", json=terms).status_code == 422


def test_an_expired_voiceprint_is_not_used(ada: TestClient, clip: Any, form: Any) -> None:
    ada.put("/v1/speakers/ada/consent", json={"expires": "2000-01-01T00:00:00Z"})
    answer = ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()
    assert (answer["decision"], answer["accepted"], answer["seconds_of_speech"]) == ("expired", False, None)
    found = ada.post("/v1/identify", content=clip("ada", 3))
    assert found.status_code == 200, found.text
    assert found.json()["matches"] == []
    refused = ada.post("/v1/speakers/ada/enrollments", files=form("ada", 3))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:voiceprint:consent-expired")


def test_opting_out_erases_and_is_a_decision(ada: TestClient, clip: Any, form: Any) -> None:
    assert ada.put("/v1/opt-outs/ada").status_code == 204
    assert ada.get("/v1/opt-outs").json() == {"names": ["ada"]}
    assert ada.get("/v1/speakers/ada").status_code == 404
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["decision"] == "opted_out"
    refused = ada.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:voiceprint:opted-out")
    assert ada.delete("/v1/opt-outs/ada").status_code == 204
    assert ada.delete("/v1/opt-outs/ada").status_code == 404
    assert ada.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1)).status_code == 201


def test_a_watch_list_flags_who_is_on_it(ada: TestClient, clip: Any, form: Any) -> None:
    ada.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1))
    on_it = ada.post("/v1/identify", data={"among": ["ada", "bert"]}, files={"clip": clip("ada", 3)}).json()
    assert (on_it["flagged"], on_it["name"]) == (True, "ada")
    off_it = ada.post("/v1/identify", data={"among": "bert"}, files={"clip": clip("ada", 3)}).json()
    assert (off_it["flagged"], off_it["decision"]) == (False, "unknown")
    assert not ada.post("/v1/identify", content=clip("ada", 3)).json()["flagged"]
    assert ada.post("/v1/identify", data={"among": "x"}, files={"clip": clip("ada", 3)}).status_code == 404


def test_voiceprints_learn_only_where_that_is_allowed(ada: TestClient, clip: Any) -> None:
    refused = ada.post("/v1/speakers/ada/verify", params={"adapt": True}, content=clip("ada", 3))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:voiceprint:adapting-is-off")


def test_a_clearly_accepted_clip_is_learned_once(
    serve: Any, form: Any, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.engine.verifier.ADAPT_SPEECH", 1.0)  # the test clips last 2 s
    with serve(adapt=True) as client:
        verifier = client.app.state.engine.verifier
        defaults = verifier.adapt.__func__.__kwdefaults__
        monkeypatch.setattr(verifier.adapt.__func__, "__kwdefaults__", defaults | {"far": 0.01, "most": 4})
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))

        def verified(name: str, number: int) -> bool:
            answer = client.post(
                "/v1/speakers/ada/verify", params={"adapt": True}, content=clip(name, number)
            )
            return bool(answer.json()["adapted"])

        assert not verified("bert", 3)
        assert not verified("ada", 0)  # it is part of the voiceprint
        assert verified("ada", 3)
        assert client.get("/v1/speakers/ada").json()["clips"] == 4
        assert not verified("ada", 4)  # the voiceprint has grown enough


def test_the_library_and_the_server_note_the_same_consent(
    ada: TestClient, tmp_path: Any, model_folder: Any
) -> None:
    store = ada.app.state.engine.verifier.store  # type: ignore[attr-defined]
    consent = Consent(by="guardian", purpose="school", given=datetime(2026, 1, 1, tzinfo=UTC))
    store.set_terms("ada", consent=consent, expires=None)
    assert ada.get("/v1/speakers/ada").json()["consent"]["by"] == "guardian"
