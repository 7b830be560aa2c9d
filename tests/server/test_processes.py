"""The server as a program: several processes on one store, SIGTERM, and being killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from websocket import ABNF, WebSocket, WebSocketConnectionClosedException, create_connection

from voiceprint.errors import ServerError
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.listening import MAX_MESSAGE
from voiceprint.server.run import check
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.store import EnrollmentStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")

linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

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
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *places, *options],
                start_new_session=True,
                stderr=log,
                env=os.environ | {"TMPDIR": str(tmp_path)},
            )
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
    with started("--processes", "2", "--allow-replay") as (process, client):
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


def workers_of(process: subprocess.Popen[bytes]) -> set[int]:
    """The processes that it started and that serve; one more looks after what they share."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {
        int(pid) for pid in children if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def load_files(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("voiceprint-*/*.load"))


@linux
def test_a_killed_parent_takes_its_workers_along(started: Any, tmp_path: Path) -> None:
    with started("--processes", "2") as (process, _):
        wait_for(lambda: len(load_files(tmp_path)) == 2)
        workers = workers_of(process)
        assert len(workers) == 2
        process.kill()
        process.wait(30)
        wait_for(lambda: not any(map(is_running, workers)))
    assert "the parent process died" in (tmp_path / "log").read_text()


@linux
def test_a_worker_that_dies_is_logged_and_another_takes_its_place(
    started: Any, form: Any, tmp_path: Path
) -> None:
    with started("--processes", "2", "--log-json") as (process, client):
        wait_for(lambda: len(load_files(tmp_path)) == 2)
        dying = min(workers_of(process))
        os.kill(dying, signal.SIGKILL)
        wait_for(lambda: len(load_files(tmp_path)) == 2 and dying not in workers_of(process))
        wait_for(lambda: f"worker {dying} died" in (tmp_path / "log").read_text())
        with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as other:
            assert enroll(other, form, "ada") == 201
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    (told,) = [entry for entry in map(json.loads, lines) if "died" in entry["message"]]
    assert (told["level"], told["logger"]) == ("ERROR", "voiceprint.server.workers")
    assert told["message"] == f"worker {dying} died (exit code -9); another was started"
    assert told["time"].endswith("Z")


@linux
def test_connections_move_to_the_worker_that_has_nothing_to_do(
    started: Any, form: Any, clip: Any, tmp_path: Path
) -> None:
    with started("--processes", "2", "--rate", "1000") as (process, client):
        assert enroll(client, form, "ada") == 201
        client.close()
        wait_for(lambda: len(load_files(tmp_path)) == 2)
        idle, busy = sorted(workers_of(process))
        os.kill(idle, signal.SIGSTOP)  # so that the other one takes all connections
        clients = [
            httpx.Client(base_url=client.base_url, headers=client.headers, timeout=60, trust_env=False)
            for _ in range(6)
        ]
        for each in clients:
            assert each.get("/healthz").status_code == 200
        os.kill(idle, signal.SIGCONT)
        counts = next(tmp_path.glob(f"voiceprint-*/{idle}.counts"))
        before = counts.read_bytes()
        stop = threading.Event()

        def keep_asking(own: httpx.Client) -> None:
            while not stop.is_set():
                own.post("/v1/speakers/ada/verify", content=clip("ada", 3))

        callers = [threading.Thread(target=keep_asking, args=(each,)) for each in clients]
        for caller in callers:
            caller.start()
        try:
            wait_for(lambda: counts.read_bytes() != before)
        finally:
            stop.set()
            for caller in callers:
                caller.join()
            for each in clients:
                each.close()
        assert is_running(busy)


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


@contextmanager
def socket_to(client: httpx.Client) -> Iterator[WebSocket]:
    """A WebSocket on which somebody is about to speak."""
    url = str(client.base_url).replace("http://", "ws://").rstrip("/") + "/v1/listen"
    header = {"Authorization": client.headers["Authorization"]}
    connection = create_connection(url, header=header, timeout=60)
    try:
        connection.send('{"among": []}')
        yield connection
    finally:
        connection.shutdown()  # type: ignore[no-untyped-call]


def closing_code(connection: WebSocket) -> int:
    """Read until the WebSocket is closed."""
    while True:
        opcode, data = connection.recv_data()
        if opcode == ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")


def test_a_server_that_ends_says_so_to_those_who_speak(started: Any) -> None:
    with started() as (process, client), socket_to(client) as connection:
        connection.send_binary(bytes(32_000))
        process.send_signal(signal.SIGTERM)
        assert closing_code(connection) == 1012
        assert process.wait(60) == 0


@linux
def test_those_who_speak_to_a_worker_that_dies_learn_it(started: Any, tmp_path: Path) -> None:
    with started("--processes", "2") as (process, client):
        wait_for(lambda: len(load_files(tmp_path)) == 2)
        with socket_to(client) as connection:
            connection.send_binary(bytes(32_000))
            for worker in workers_of(process):
                os.kill(worker, signal.SIGKILL)
            with pytest.raises((WebSocketConnectionClosedException, ConnectionError)):
                closing_code(connection)
        wait_for(lambda: len(load_files(tmp_path)) == 2 and len(workers_of(process)) == 2)
        with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as other:
            wait_until_ready(other, process)
            with socket_to(other) as connection:
                connection.send('{"end": true}')
                assert closing_code(connection) == 1000


def test_a_message_that_is_too_long_closes_the_socket_and_one_is_not_unpacked(started: Any) -> None:
    with started() as (_, client):
        with socket_to(client) as connection:
            connection.send_binary(bytes(MAX_MESSAGE + 2))
            assert closing_code(connection) == 1009
        with socket_to(client) as connection:
            for _ in range(MAX_MESSAGE // 1000 + 1):  # one message in many frames
                frame = ABNF(0, 0, 0, 0, ABNF.OPCODE_BINARY if _ == 0 else ABNF.OPCODE_CONT, 1, bytes(1000))
                with suppress(ConnectionError, WebSocketConnectionClosedException):
                    connection.send_frame(frame)
            assert closing_code(connection) == 1009
        with socket_to(client) as connection:
            assert "permessage-deflate" not in str(connection.getheaders()).lower()


def test_every_process_answers_about_a_recording_that_one_of_them_has(
    started: Any, clip: Any, tmp_path: Path
) -> None:
    with started("--processes", "2", "--max-seconds", "1") as (_, client):
        wait_for(lambda: len(load_files(tmp_path)) == 2)
        headers = {**client.headers, "Content-Type": "audio/wav"}
        path = client.post("/v1/diarize", content=clip("ada", 0), headers=headers).headers["location"]

        def ask(method: str) -> int:
            # A new connection each time: whichever process takes it.
            with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False) as other:
                return other.request(method, path, timeout=60).status_code

        assert {ask("GET") for _ in range(20)} == {200}
        assert ask("DELETE") == 204
        assert {ask("GET") for _ in range(8)} == {404}
        assert not list(tmp_path.glob("voiceprint-*/*.json"))
