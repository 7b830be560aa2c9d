"""More than can be answered: places, slow bodies, metrics, the store going away."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from voiceprint.server.metrics import Metrics


def test_too_much_at_once_is_turned_away_with_503_and_nothing_is_lost(
    serve: Any, clip: Any, form: Any
) -> None:
    with serve(max_waiting=1) as client:
        client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1))

        def verify(_: int) -> Any:
            return client.post("/v1/speakers/ada/verify", content=clip("ada", 3))

        with ThreadPoolExecutor(12) as crowd:
            answers = list(crowd.map(verify, range(48)))
        assert client.app.state.engine.pool.taken == 0
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    turned_away = next(answer for answer in answers if answer.status_code == 503)
    assert turned_away.headers["retry-after"] == "1"
    assert turned_away.json()["type"] == "urn:voiceprint:overloaded"


def test_a_server_that_is_full_is_ready_all_the_same(client: TestClient) -> None:
    pool = client.app.state.engine.pool  # type: ignore[attr-defined]
    with ExitStack() as full:
        for _ in range(17):
            full.enter_context(pool.place("keyless"))
        assert (client.get("/readyz").text, client.get("/healthz").status_code) == ("ready", 200)


@pytest.mark.parametrize("lacking", ["/store/server", "/store"])
def test_a_full_disk_is_told_as_such(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    def usage(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=0 if str(folder).endswith(lacking) else 1 << 40)

    monkeypatch.setattr("voiceprint.server.routes.operations.shutil.disk_usage", usage)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:voiceprint:disk-full")


def test_a_body_that_does_not_arrive_is_given_up(serve: Any) -> None:
    with serve(body_seconds=0.05) as client:
        app, key = client.app, client.headers["authorization"].encode()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(10)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/identify",
            "raw_path": b"/v1/identify",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"authorization", key)],
        }
        asyncio.run(app(scope, receive, send))
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"connection"]) == (408, b"close")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/readyz"), ("GET", "/v1/speakers"), ("GET", "/v1/speakers/ada")]
)
def test_a_store_that_went_away_is_503_and_comes_back(
    client: TestClient, tmp_path: Path, method: str, path: str
) -> None:
    database = tmp_path / "store/voiceprints.sqlite3"
    before = client.request(method, path).status_code
    database.rename(database.with_suffix(".away"))
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "urn:voiceprint:store-unavailable"
    assert str(tmp_path) not in answer.text
    database.with_suffix(".away").rename(database)
    assert client.request(method, path).status_code == before


def sample(text: str, line: str) -> float:
    match = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    assert match, line
    return float(match[1])


def test_metrics_count_decisions_requests_and_time(ada: TestClient, clip: Any) -> None:
    heard = ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["seconds_of_speech"]
    ada.get("/v1/speakers/nobody")
    text = ada.get("/metrics").text
    assert sample(text, 'voiceprint_decisions_total{decision="accepted"}') == 1
    assert sample(text, "voiceprint_speech_seconds_total") == pytest.approx(heard)
    route = "/v1/speakers/{name}"
    assert sample(text, f'voiceprint_requests_total{{route="{route}",status="4xx"}}') == 1
    assert sample(text, f'voiceprint_request_seconds_count{{route="{route}/verify"}}') == 1
    assert sample(text, f'voiceprint_request_seconds_bucket{{route="{route}/verify",le="+Inf"}}') == 1
    assert "ada" not in text


def test_metrics_of_several_processes_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = []
    for process in (1, 2):
        monkeypatch.setattr("voiceprint.server.metrics.os.getpid", lambda process=process: process)
        counters.append(Metrics(tmp_path, ["/a", "/b"]))
    counters[0].request("/a", 200, 0.03)
    counters[1].request("/a", 200, 0.3)
    counters[1].request("/elsewhere", 503, 100.0)
    for each in counters:
        text = each.text(damaged_keys=0)
        assert sample(text, 'voiceprint_requests_total{route="/a",status="2xx"}') == 2
        assert sample(text, 'voiceprint_request_seconds_bucket{route="/a",le="0.05"}') == 1
        assert sample(text, 'voiceprint_request_seconds_sum{route="/a"}') == pytest.approx(0.33)
        assert sample(text, 'voiceprint_requests_total{route="other",status="503"}') == 1
