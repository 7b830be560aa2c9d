"""Requests that schemathesis makes up from the API's own description, right ones and wrong ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from voiceprint.server.app import create_app
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

# Random bytes of the right shape are no clip, so not every request that fits the description succeeds.
NOT_PROMISED = [positive_data_acceptance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[tuple[str, str]]:
    """A listening server: its address, and a key of all scopes."""
    chosen = ServerSettings(
        store=str(tmp_path_factory.mktemp("schema")), model=str(model_folder), rate=1e6, adapt=True
    )
    state = StateFile(chosen.state_folder)
    _, key = KeyRing(state).create(SCOPES)
    state.close()
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(create_app(chosen), log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", key
    running.should_exit = True
    thread.join()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_keeps_to_its_description(server: tuple[str, str], mode: GenerationMode) -> None:
    address, key = server
    description = schemathesis.openapi.from_url(f"{address}/openapi.json")
    found = list(description.get_all_operations())
    operations = [each.ok() for each in found if isinstance(each, Ok)]
    assert len(operations) == len(found) > 10
    for operation in operations:

        @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, excluded_checks=NOT_PROMISED)

        with suppress(Unsatisfiable):  # nothing can be wrong about a request without parameters
            ask()
