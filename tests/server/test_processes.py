"""The server as a program: several processes on one store, SIGTERM, and being killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from voiceprint.errors import ServerError
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.run import check
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.store import EnrollmentStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")

Started = tuple[subprocess.Popen[bytes], httpx.Client]


@pytest.fixture
def started(tmp_path: Path, model_folder: Path) -> Callable[..., Any]:
    """``with started("--processes", "2") as (process, client)``: a running ``voiceprint serve``."""
    state = StateFile(ServerSettings(store=str(tmp_path / "store")).state_folder)
    _, secret = KeyRing(state).create(SCOPES)
    state.close()

    @contextmanager
    def start(*options: str) -> Iterator[Started]:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        command = [
            sys.executable,
            "-c",
            "from voiceprint.cli import main; main()",
            "serve",
            "--port",
            str(port),
        ]
        places = ["--store", str(tmp_path / "store"), "--model", str(model_folder)]
        process = subprocess.Popen([*command, *places, *options], start_new_session=True)
        header = {"Authorization": f"Bearer {secret}"}
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=header, timeout=60, trust_env=False
            ) as client:
                wait_until_ready(client, process)
                yield process, client
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    return start


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


def enroll(client: httpx.Client, form: Any, name: str) -> int:
    return client.post("/v1/speakers", data={"name": name}, files=form("ada", 0, 1)).status_code


def test_two_processes_share_a_store_and_answer_what_is_in_flight_at_sigterm(
    started: Any, form: Any, clip: Any
) -> None:
    with started("--processes", "2") as (process, client):
        assert enroll(client, form, "ada") == 201
        for _ in range(4):  # a new connection each: whichever process answers knows her
            with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as other:
                answer = other.post("/v1/speakers/ada/verify", content=clip("ada", 3), timeout=60)
                assert answer.json()["decision"] == "accepted"
        decided = client.get("/metrics").text
        assert 'voiceprint_decisions_total{decision="accepted"} 4' in decided
        answers: list[int] = []
        caller = threading.Thread(target=lambda: answers.append(enroll(client, form, "bert")))
        caller.start()
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        caller.join(60)
        assert process.wait(60) == 0
    assert answers == [201]


def test_one_process_ends_at_sigterm_as_if_it_had_finished(started: Any) -> None:
    with started() as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_an_address_that_is_taken_is_told(model_folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServerSettings(
            store=str(tmp_path / "store"), model=str(model_folder), port=taken.getsockname()[1]
        )
        with pytest.raises(ServerError, match=r"cannot listen: .*choose another --host or --port"):
            check(settings)


@pytest.mark.parametrize("round_", range(int(os.environ.get("VOICEPRINT_KILLS", "2"))))
def test_killed_while_enrolling_every_acknowledged_voiceprint_is_there(
    started: Any, form: Any, tmp_path: Path, round_: int
) -> None:
    acknowledged: list[str] = []

    def keep_enrolling(client: httpx.Client) -> None:
        number = 0
        try:
            while True:
                number += 1
                if enroll(client, form, f"p{number}") == 201:
                    acknowledged.append(f"p{number}")
        except httpx.TransportError:
            return

    with started() as (process, client):
        caller = threading.Thread(target=keep_enrolling, args=(client,))
        caller.start()
        time.sleep(0.3 + 0.037 * (round_ % 10))
        os.killpg(process.pid, signal.SIGKILL)
        caller.join(60)
    with EnrollmentStore.open(tmp_path / "store") as store:
        assert set(acknowledged) <= set(store.names())
        assert store.problems() == []
    state = StateFile(tmp_path / "store/server")
    log = AuditLog(state)
    done = [record for record in log.records() if '"outcome":"done"' in record.entry]
    assert (log.verify().fault, len(done) >= len(acknowledged)) == ("", True)
    state.close()
