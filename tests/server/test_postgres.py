"""Servers on one PostgreSQL database: they see each other's enrollments at once, and outlast its outages."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from postgres_server import PostgresServer
from starlette.testclient import TestClient

from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.state import StateFile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the server is ended by POSIX's signals")


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def here(serve: Callable[..., Any], url: str, tmp_path: Path) -> Iterator[TestClient]:
    """A server in this process, on the database."""
    with serve(store=url, state=str(tmp_path / "here")) as client:
        yield client


@pytest.fixture
def there(url: str, tmp_path: Path, model_folder: Path) -> Iterator[httpx.Client]:
    """A server in a process of its own, on the same database."""
    state = StateFile(tmp_path / "there")
    _, secret = KeyRing(state).create(SCOPES)
    state.close()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = ["--port", str(port), "--store", url, "--state", str(tmp_path / "there")]
    command = [sys.executable, "-c", "from voiceprint.cli import main; main()", "serve", *options]
    process = subprocess.Popen([*command, "--model", str(model_folder)], start_new_session=True)
    header = {"Authorization": f"Bearer {secret}"}
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=header, timeout=60, trust_env=False
        ) as client:
            wait_until_ready(client, process)
            yield client
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not get ready")


def enroll(client: Any, form: Any, name: str) -> int:
    status: int = client.post("/v1/speakers", data={"name": name}, files=form(name, 0, 1)).status_code
    return status


def test_two_servers_see_each_others_enrollments_at_once(
    here: TestClient, there: httpx.Client, form: Any, clip: Any
) -> None:
    assert (enroll(here, form, "ada"), enroll(there, form, "bert")) == (201, 201)
    for client in (here, there):
        for name in ("ada", "bert"):
            answer = client.post(f"/v1/speakers/{name}/verify", content=clip(name, 3)).json()
            assert (answer["decision"], answer["name"]) == ("accepted", name)
            assert client.post("/v1/identify", content=clip(name, 4)).json()["matches"][0]["name"] == name
        assert enroll(client, form, "ada") == 409
    assert here.delete("/v1/speakers/bert").status_code == 204
    assert (
        there.post("/v1/speakers/bert/verify", content=clip("bert", 3)).json()["decision"] == "not_enrolled"
    )
    assert there.get("/v1/speakers").json()["total"] == 1


def test_a_database_that_went_away_is_503_and_comes_back(
    here: TestClient, postgres_server: PostgresServer, form: Any, clip: Any
) -> None:
    assert enroll(here, form, "ada") == 201
    postgres_server.kill()
    try:
        for answer in (
            here.get("/readyz"),
            here.post("/v1/speakers/ada/verify", content=clip("ada", 3)),
            here.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1)),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["type"] == "urn:voiceprint:store-unavailable"
            assert "postgres" not in answer.text
        assert here.get("/healthz").status_code == 200
    finally:
        postgres_server.start()
    assert here.get("/readyz").status_code == 200
    assert here.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["decision"] == "accepted"
    assert enroll(here, form, "bert") == 201
