"""A server with ada and bert, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_server import LiveServer, live_server

from voiceprint.client import Client
from voiceprint.server.settings import ServerSettings


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, people: Path
) -> Iterator[LiveServer]:
    """A server on which ada and bert are enrolled."""
    store = str(tmp_path_factory.mktemp("client") / "store")
    # Tests ask about the same few clips again.
    settings = ServerSettings(
        store=store, model=str(model_folder), rate=1e6, adapt=True, max_seconds=5.0, allow_replay=True
    )
    with live_server(settings) as started:
        with Client(started.url, key=started.key) as client:
            for name in ("ada", "bert"):
                client.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
        yield started


@pytest.fixture
def client(server: LiveServer) -> Iterator[Client]:
    with Client(server.url, key=server.key) as made:
        yield made


@pytest.fixture(scope="session")
def clip(people: Path) -> Callable[[str, int], Path]:
    """``clip("ada", 3)``: the path of one of her clips."""
    return lambda name, number: people / name / f"{number}.wav"
