"""Keys, scopes, rates; and what a server without keys refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from voiceprint.errors import ServerError
from voiceprint.server.app import api_routes, create_app
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.limits import RateLimiter
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

Serve = Callable[..., Any]

OPEN = {"/healthz", "/readyz", "/v1/access"}
GUARDED = [
    (method, route.path)
    for route in api_routes()
    if route.path not in OPEN
    for method in sorted(route.methods or ())
]


@pytest.fixture
def keys(client: TestClient) -> KeyRing:
    ring: KeyRing = client.app.state.engine.keys  # type: ignore[attr-defined]
    return ring


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, model_folder: Any) -> Iterator[TestClient]:
    """One server for the walk over all routes."""
    settings = ServerSettings(store=str(tmp_path_factory.mktemp("walk")), model=str(model_folder), rate=1e6)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client


def path_of(template: str) -> str:
    return re.sub(r"\{\w+\}", "ada", template)


def needed_scope(client: TestClient, method: str, path: str) -> str:
    """What the API's description says that a route needs."""
    operation = client.app.openapi()["paths"][path][method.lower()]  # type: ignore[attr-defined]
    (requirement,) = operation["security"]
    (scope,) = requirement["api-key"]
    return str(scope)


def test_there_are_routes_to_walk() -> None:
    assert len(GUARDED) > 10


@pytest.mark.parametrize(("method", "path"), GUARDED, ids=lambda part: part)
def test_every_route_refuses_who_has_no_key_or_not_its_scope(
    shared: TestClient, method: str, path: str
) -> None:
    scope = needed_scope(shared, method, path)
    ring = shared.app.state.engine.keys  # type: ignore[attr-defined]
    _, without = ring.create([other for other in SCOPES if other != scope])
    nobody = shared.request(method, path_of(path))
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, 'Bearer realm="voiceprint"')
    refused = shared.request(method, path_of(path), headers={"Authorization": f"Bearer {without}"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:voiceprint:scope-missing")
    _, holding = ring.create([scope])
    let_in = shared.request(method, path_of(path), headers={"Authorization": f"Bearer {holding}"})
    assert let_in.status_code not in (401, 403)


def test_the_key_is_looked_at_before_the_body(shared: TestClient) -> None:
    answer = shared.post("/v1/identify", content=b"x" * 100, headers={"Content-Length": str(1 << 40)})
    assert answer.status_code == 401


def test_a_revoked_key_is_refused_at_once(client: TestClient, keys: KeyRing) -> None:
    key, secret = keys.create(["verify"])
    header = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/model", headers=header).status_code == 200
    keys.revoke(key.id)
    assert client.get("/v1/model", headers=header).status_code == 401


def test_keys_are_stored_as_hashes_only(client: TestClient, keys: KeyRing, tmp_path: Any) -> None:
    _, secret = keys.create(["verify"], label="call centre")
    files = b"".join(path.read_bytes() for path in (tmp_path / "store/server").iterdir())
    assert b"call centre" in files
    assert secret.split("_", 2)[2].encode() not in files


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), lambda key: key[:-1], str.upper]
)
def test_a_key_that_is_almost_right_is_refused(keys: KeyRing, change: Callable[[str], str]) -> None:
    _, secret = keys.create(["verify"])
    assert keys.find(secret) is not None
    assert keys.find(change(secret)) is None


@pytest.mark.parametrize("scopes", [[], ["root"], ["verify", "everything"]])
def test_a_key_needs_known_scopes(tmp_path: Any, scopes: list[Any]) -> None:
    state = StateFile(tmp_path)
    with pytest.raises(ServerError, match="verify, enroll, admin, metrics"):
        KeyRing(state).create(scopes)
    state.close()


def test_a_bucket_holds_two_seconds_worth_and_fills_again() -> None:
    now = [0.0]
    limiter = RateLimiter(2.0, clock=lambda: now[0])
    assert [limiter.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limiter.wait("b") == 0
    now[0] = 0.5
    assert limiter.wait("a") == 0
    assert limiter.wait("a") == 0.5


def test_too_many_requests_are_told_when_to_come_back(serve: Serve) -> None:
    with serve(rate=1.0) as client:
        answers = [client.get("/v1/model") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].json()["type"] == "urn:voiceprint:too-many-requests"


def test_without_keys_only_this_machine_and_its_own_page_may_ask(serve: Serve) -> None:
    with serve(keyless=True) as client:
        del client.headers["Authorization"]
        assert client.get("/v1/model").status_code == 200
        assert client.get("/v1/model", headers={"Origin": "http://localhost"}).status_code == 200
        for header in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
            assert client.get("/v1/model", headers=header).status_code == 403


def test_without_keys_a_server_cannot_be_open_to_others() -> None:
    with pytest.raises(ServerError, match=r"0\.0\.0\.0"):
        ServerSettings(keyless=True, host="0.0.0.0")


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/", "https://Example.com", "*"])
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ServerError, match=r"is not what browsers send: https://example\.com"):
        ServerSettings(origins=(origin,))


def test_other_sites_may_call_only_where_they_are_named(serve: Serve) -> None:
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with serve() as client:
        assert "access-control-allow-origin" not in client.options("/v1/identify", headers=origin).headers
    with serve(origins=("https://shop.example",)) as client:
        allowed = client.options("/v1/identify", headers=origin).headers["access-control-allow-origin"]
        other = client.get("/healthz", headers={"Origin": "https://else.example"}).headers
    assert allowed == "https://shop.example"
    assert "access-control-allow-origin" not in other


def header(keys: KeyRing, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.create(scopes)[1]}"}


@pytest.mark.parametrize(
    "terms",
    [
        {"expires": "2000-01-01T00:00:00Z"},
        {"expires": "2031-01-01T00:00:00Z"},
        {"expires": "2030-01-01T00:00:00Z"},
        {},
    ],
    ids=["in the past", "an end where there was none", "an earlier end", "consent taken back"],
)
def test_leaving_a_person_with_less_needs_admin(
    ada: TestClient, keys: KeyRing, terms: dict[str, str]
) -> None:
    path, consent = "/v1/speakers/ada/consent", {"consent_by": "ada", "consent_purpose": "banking"}
    before = consent | ({} if "2031" in str(terms) else {"expires": "2030-06-01T00:00:00Z"})
    assert ada.put(path, json=before).status_code == 200
    after = terms and {**consent, **terms}
    refused = ada.put(path, json=after, headers=header(keys, "enroll"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:voiceprint:scope-missing")
    assert ada.put(path, json=after, headers=header(keys, "enroll", "admin")).status_code == 200


def test_noting_consent_and_a_later_end_needs_no_admin(ada: TestClient, keys: KeyRing) -> None:
    path, consent = "/v1/speakers/ada/consent", {"consent_by": "ada", "consent_purpose": "banking"}
    assert ada.put(path, json={"expires": "2030-01-01T00:00:00Z"}).status_code == 200
    enroll = header(keys, "enroll")
    later = ada.put(path, json={**consent, "expires": "2031-01-01T00:00:00Z"}, headers=enroll)
    assert later.status_code == 200
    assert ada.put(path, json=consent, headers=enroll).status_code == 200


def test_adding_clips_is_no_way_around_it(ada: TestClient, keys: KeyRing, form: Any) -> None:
    path, fields = "/v1/speakers/ada/enrollments", {"expires": "2030-01-01T00:00:00Z"}
    refused = ada.post(path, data=fields, files=form("ada", 3), headers=header(keys, "enroll"))
    assert refused.status_code == 403
    assert ada.get("/v1/speakers/ada").json()["clips"] == 3


def test_replacing_needs_admin(ada: TestClient, keys: KeyRing, form: Any) -> None:
    path, fields = "/v1/speakers/ada/enrollments", {"mode": "replace"}
    refused = ada.post(path, data=fields, files=form("ada", 3, 4), headers=header(keys, "enroll"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:voiceprint:scope-missing")
    assert ada.post(path, data=fields, files=form("ada", 3, 4)).status_code == 200


def test_another_voice_replaces_only_by_force_and_with_consent_of_its_own(
    ada: TestClient, form: Any, clip: Any
) -> None:
    path, files = "/v1/speakers/ada/enrollments", form("bert", 0, 1)
    consent = {"consent_by": "bert", "consent_purpose": "banking"}
    for fields, code in (
        ({"mode": "replace", **consent}, "voice-disagrees"),
        ({"mode": "replace", "force": "true"}, "consent-needed"),
    ):
        refused = ada.post(path, data=fields, files=files)
        assert refused.json()["type"] == f"urn:voiceprint:{code}"
    mixed = ada.post(path, data={"mode": "replace"}, files=[*form("ada", 3), *form("bert", 0, 1, 2)])
    assert mixed.json()["type"] == "urn:voiceprint:voice-disagrees"
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["accepted"]
    forced = ada.post(path, data={"mode": "replace", "force": "true", **consent}, files=files)
    assert (forced.status_code, forced.json()["speaker"]["consent"]["by"]) == (200, "bert")


def test_a_voiceprint_never_rests_on_less_speech_than_usual(client: TestClient, form: Any) -> None:
    answer = client.post("/v1/speakers", data={"name": "ada", "min_speech": "0.5"}, files=form("ada", 0))
    assert answer.json()["detail"] == "body.min_speech: Input should be greater than or equal to 3"


def test_a_store_that_requires_consent_says_so(client: TestClient, form: Any) -> None:
    client.app.state.engine.verifier.store.require_consent()  # type: ignore[attr-defined]
    assert client.get("/v1/access").json()["consent_needed"]
    refused = client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:voiceprint:consent-needed")


@pytest.mark.parametrize("host", ["[::1", "localhost:http", "[localhost]", "a:99999", "a b", "a/b", "<a>"])
@pytest.mark.parametrize("keyless", [True, False])
@pytest.mark.parametrize("path", ["/", "/main.js", "/healthz", "/v1/access"])
def test_a_host_that_is_none_is_a_bad_request(serve: Serve, host: str, keyless: bool, path: str) -> None:
    with serve(keyless=keyless) as client:
        answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:voiceprint:host-invalid")


@pytest.mark.parametrize("asked", ["x", "bytes=5-1", "bytes=99999999-", "bytes=0-0"])
def test_a_file_of_the_page_comes_whole(client: TestClient, asked: str) -> None:
    answer = client.get("/main.js", headers={"Range": asked})
    assert (answer.status_code, answer.text) == (200, client.get("/main.js").text)


@pytest.mark.parametrize("origin", ["http://[", "[::1", "://", "http://localhost@evil.example"])
def test_an_origin_that_is_none_is_another_site(serve: Serve, origin: str) -> None:
    with serve(keyless=True) as client:
        assert client.get("/v1/model", headers={"Origin": origin}).status_code == 403
