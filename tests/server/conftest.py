"""A server in this process, on the tiny model, with clips of synthetic people as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from page_fixtures import driver, microphone, page, same_page, served, speech, started_browser  # noqa: F401
from starlette.testclient import TestClient

from voiceprint.server.app import create_app
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path, model_folder: Path) -> Serve:
    """``with serve(**settings) as client``: a started server; its client holds a key of all scopes."""

    @contextmanager
    def start(**changed: Any) -> Iterator[TestClient]:
        # Tests ask about the same few clips again; those of replays say so.
        usual: dict[str, Any] = {"store": str(tmp_path / "store"), "model": str(model_folder), "rate": 1e6}
        usual["allow_replay"] = True
        settings = ServerSettings(**usual | changed)
        state = StateFile(settings.state_folder)
        _, secret = KeyRing(state).create(SCOPES, label="tests")
        state.close()
        with TestClient(create_app(settings), base_url="http://localhost") as client:
            client.headers["Authorization"] = f"Bearer {secret}"
            yield client

    return start


@pytest.fixture
def client(serve: Serve) -> Iterator[TestClient]:
    with serve() as started:
        yield started


@pytest.fixture(scope="session")
def clip(people: Path) -> Callable[..., bytes]:
    """``clip("ada", 0)``: the bytes of one of her clips."""

    def read(name: str, number: int) -> bytes:
        return (people / name / f"{number}.wav").read_bytes()

    return read


@pytest.fixture
def form(clip: Callable[..., bytes]) -> Callable[..., list[Any]]:
    """``form("ada", 0, 1)``: her clips as the files of an enrollment form."""

    def make(name: str, *numbers: int) -> list[Any]:
        return [("clips", (f"{name}-{number}.wav", clip(name, number), "audio/wav")) for number in numbers]

    return make


@pytest.fixture
def ada(client: TestClient, form: Callable[..., list[Any]]) -> TestClient:
    """A server on which ada is enrolled."""
    answer = client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1, 2))
    assert answer.status_code == 201, answer.text
    return client
