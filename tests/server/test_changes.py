"""Idempotency keys and the audit log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import ServerError
from voiceprint.server.audit import AuditLog, AuditQueue, check_chain, exported, read_exported
from voiceprint.server.idempotency import (
    Answer,
    AnswerErasedError,
    ClaimedKey,
    Idempotency,
    KeyInUseError,
    KeyReusedError,
)
from voiceprint.server.state import _VERSION_1, STATE_NAME, StateFile

runner = CliRunner()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    file = StateFile(tmp_path / "server")
    yield file
    file.close()


def test_a_repeated_request_is_answered_and_not_done_again(client: TestClient, form: Any) -> None:
    def enroll(key: str, name: str = "ada", clip: int = 1) -> Any:
        return client.post(
            "/v1/speakers",
            data={"name": name},
            files=form("ada", 0, clip),
            headers={"Idempotency-Key": key},
        )

    first, second = enroll("k1"), enroll("k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["location"] == "/v1/speakers/ada"
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
    assert enroll("k2").status_code == 409
    for reused in (enroll("k1", name="bert"), enroll("k1", clip=2)):
        assert (reused.status_code, reused.json()["type"]) == (422, "urn:voiceprint:idempotency-key-reused")


def test_deleting_twice_with_one_key_is_one_deletion(ada: TestClient) -> None:
    header = {"Idempotency-Key": "gone"}
    assert ada.delete("/v1/speakers/ada", headers=header).status_code == 204
    assert ada.delete("/v1/speakers/ada", headers=header).status_code == 204
    assert ada.delete("/v1/speakers/ada").status_code == 404


def test_an_error_may_be_tried_again_with_the_same_key(client: TestClient, form: Any) -> None:
    header = {"Idempotency-Key": "k"}
    path, files = "/v1/speakers/ada/enrollments", form("ada", 2)
    assert client.post(path, files=files, headers=header).status_code == 404
    client.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0, 1))
    assert client.post(path, files=files, headers=header).status_code == 200


def enrolled_with_a_note(client: TestClient, form: Any) -> Any:
    return client.post(
        "/v1/speakers",
        data={"name": "ada", "notes": "a-private-note", "consent_by": "ada", "consent_purpose": "banking"},
        files=form("ada", 0, 1),
        headers={"Idempotency-Key": "k1"},
    )


def remove_by_command(client: TestClient, store: Path) -> None:
    assert runner.invoke(app, ["remove", "ada", "--yes", "--store", str(store)]).exit_code == 0


def opt_out_by_command(client: TestClient, store: Path) -> None:
    assert runner.invoke(app, ["consent", "opt-out", "ada", "--yes", "--store", str(store)]).exit_code == 0


@pytest.mark.parametrize(
    "erase",
    [
        lambda client, store: client.delete("/v1/speakers/ada"),
        lambda client, store: client.put("/v1/opt-outs/ada"),
        remove_by_command,
        opt_out_by_command,
    ],
    ids=["delete", "opt-out", "remove", "consent opt-out"],
)
def test_answers_about_somebody_go_with_them_by_whichever_door(
    client: TestClient, form: Any, tmp_path: Path, erase: Any
) -> None:
    assert enrolled_with_a_note(client, form).status_code == 201
    assert enrolled_with_a_note(client, form).headers["idempotent-replayed"] == "true"
    erase(client, tmp_path / "store")
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"a-private-note" in path.read_bytes()] == []
    gone = enrolled_with_a_note(client, form)
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:voiceprint:answer-erased")


def test_the_servers_own_file_holds_no_name_of_a_request(
    client: TestClient, form: Any, tmp_path: Path
) -> None:
    enrolled_with_a_note(client, form)
    database = sqlite3.connect(tmp_path / "store/server" / STATE_NAME)
    (row,) = database.execute("SELECT * FROM requests").fetchall()
    database.close()
    assert not any(word in str(row) for word in ("ada", "note", "k1"))


def test_what_is_over_is_swept_without_another_request(
    serve: Any, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.server.idempotency.KEPT_SECONDS", -1.0)  # over as soon as it is kept
    with serve() as client:
        assert enrolled_with_a_note(client, form).status_code == 201
    with serve() as client:
        engine = client.app.state.engine
        deadline = time.monotonic() + 60
        while True:
            with engine.files[0].reading() as connection:
                rows = connection.execute("SELECT count(*) FROM requests").fetchone()[0]
            if rows == 0:
                break
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.portal.call(engine.pool.run, lambda: None)  # what was begun has been finished
    database = sqlite3.connect(tmp_path / "store/voiceprints.sqlite3")
    assert database.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    database.close()


def test_requests_of_an_older_server_leave_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    old = sqlite3.connect(folder / STATE_NAME)
    old.executescript(
        _VERSION_1
        + "CREATE TABLE idempotency (body TEXT); INSERT INTO idempotency VALUES ('a-private-note');"
    )
    old.close()
    StateFile(folder).close()
    assert not any(b"a-private-note" in path.read_bytes() for path in folder.iterdir())


class People:
    """A store that keeps what faces keep."""

    read_only = False

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], bytes] = {}

    def keep(self, name: str, key: str, content: bytes, *, until: datetime) -> bool:
        self.answers[name, key] = content
        return True

    def keepsake(self, name: str, key: str) -> bytes | None:
        return self.answers.get((name, key))


def claim(caller: str = "a", request: bytes = b"x") -> ClaimedKey:
    return ClaimedKey.of(caller, "k", request, speaker="ada")


def test_keys_of_two_callers_never_meet(state: StateFile) -> None:
    kept = Idempotency(state, People)  # type: ignore[arg-type]
    assert kept.begin(claim("a")) is None
    kept.finish(claim("a"), Answer(status=204))
    assert kept.begin(claim("b")) is None


def test_a_key_whose_request_is_under_way_waits_until_that_is_abandoned(state: StateFile) -> None:
    now, people = [0.0], People()
    kept = Idempotency(state, lambda: people, clock=lambda: now[0])  # type: ignore[arg-type,return-value]
    assert kept.begin(claim()) is None
    with pytest.raises(KeyInUseError):
        kept.begin(claim())
    with pytest.raises(KeyReusedError):
        kept.begin(claim(request=b"y"))
    now[0] = 61.0  # this process is taken for dead
    assert kept.begin(claim()) is None
    kept.finish(claim(), Answer(status=201, body=b"{}", location="/there"))
    assert kept.begin(claim()) == Answer(status=201, body=b"{}", location="/there", repeated=True)
    people.answers.clear()
    with pytest.raises(AnswerErasedError):
        kept.begin(claim())
    now[0] = 24 * 3600.0 + 62
    assert kept.begin(claim()) is None


def entries(client: TestClient) -> list[dict[str, Any]]:
    audit = client.app.state.engine.audit  # type: ignore[attr-defined]
    return [json.loads(record.entry) for record in audit.records()]


def test_decisions_and_changes_are_logged_without_audio(
    ada: TestClient, clip: Any, form: Any, tmp_path: Path
) -> None:
    verified = ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()
    ada.post("/v1/speakers/ghost/verify", content=clip("ada", 3))
    ada.post("/v1/identify", content=clip("bert", 3))
    ada.post("/v1/speakers", data={"name": "ada"}, files=form("ada", 0))
    ada.delete("/v1/speakers/ada")
    log = entries(ada)
    assert [(entry["action"], entry.get("decision") or entry["outcome"]) for entry in log] == [
        ("enroll", "asked"),
        ("enroll", "done"),
        ("verify", "accepted"),
        ("verify", "not_enrolled"),
        ("identify", "unknown"),
        ("enroll", "asked"),
        ("enroll", "refused"),
        ("remove", "asked"),
        ("remove", "done"),
    ]
    accepted = log[2]
    assert accepted["request"] == verified["request_id"]
    assert accepted["score"] == verified["score"]
    assert (accepted["speaker"], accepted["model"]) == ("ada", verified["model"])
    assert sorted(accepted) == [
        "action", "address", "decision", "key", "model", "request", "score", "speaker", "threshold", "time",
    ]  # fmt: skip
    assert (tmp_path / "store/server" / STATE_NAME).stat().st_size < 100_000


def test_the_first_hash_by_hand(state: StateFile) -> None:
    record = AuditLog(state).append("verify", speaker="Zoë")
    assert record.hash == hashlib.sha256(bytes(32) + record.entry.encode()).hexdigest()
    assert record.entry.startswith('{"action":"verify","speaker":"Zoë","time":"20')


def tamper(state: StateFile, statement: str) -> None:
    with state.writing() as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("DROP TRIGGER audit_is_not_deleted")
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET entry = replace(entry, 'x2', 'x9') WHERE seq = 3", "entry 3 was changed"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing: 3 comes next"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1 is missing: 2 comes next"),
        ("UPDATE audit SET seq = 9 WHERE seq = 5", "entry 5 is missing: 9 comes next"),
        ("DELETE FROM audit WHERE seq = 5", "its end was cut off"),
    ],
)
def test_whatever_is_done_to_the_log_shows(state: StateFile, statement: str, fault: str) -> None:
    log = AuditLog(state)
    head = [log.append("verify", speaker=f"x{number}") for number in range(5)][-1].hash
    assert (log.verify(head=head).entries, log.verify(head=head).fault) == (5, "")
    tamper(state, statement)
    assert fault in log.verify(head=head).fault


@pytest.mark.parametrize("statement", ["UPDATE audit SET entry = ''", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_entries(state: StateFile, statement: str) -> None:
    log = AuditLog(state)
    log.append("verify")
    with pytest.raises(ServerError, match="append only"), state.writing() as connection:
        connection.execute(statement)
    assert log.verify().entries == 1


def append_many(folder: Path) -> None:
    file = StateFile(folder)
    log = AuditLog(file)
    for number in range(20):
        log.append("verify", number=number)
    file.close()


def test_processes_and_threads_append_to_one_chain(state: StateFile, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=append_many, args=(tmp_path / "server",)) for _ in range(2)]
    log = AuditLog(state)
    threads = [threading.Thread(target=lambda: [log.append("t") for _ in range(10)]) for _ in range(2)]
    started: list[Any] = [*workers, *threads]
    for each in started:
        each.start()
    for each in started:
        each.join()
    assert (log.verify().entries, log.verify().fault) == (60, "")


def test_what_comes_while_the_disk_is_at_work_is_written_in_one_go(
    state: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(state)
    batches: list[int] = []

    def append_all(entries: Any) -> Any:
        batches.append(len(entries))
        return AuditLog.append_all(log, entries)

    monkeypatch.setattr(log, "append_all", append_all)

    async def ask() -> list[int]:
        queue = AuditQueue(log)
        written = await asyncio.gather(*(queue.append("verify", number=number) for number in range(5)))
        later = await queue.append("verify", number=5)
        queue.close()
        return [record.seq for record in [*written, later]]

    assert asyncio.run(ask()) == [1, 2, 3, 4, 5, 6]
    assert batches == [5, 1]
    assert (log.verify().entries, log.verify().fault) == (6, "")


def test_an_entry_is_written_though_its_request_has_gone(state: StateFile) -> None:
    log = AuditLog(state)

    async def leave() -> None:
        queue = AuditQueue(log)
        request = asyncio.create_task(queue.append("verify"))
        await asyncio.sleep(0)
        request.cancel()
        await queue.append("verify")
        queue.close()

    asyncio.run(leave())
    assert log.verify().entries == 2


def test_a_disk_that_fails_is_told_to_everybody_and_the_next_entry_is_tried(
    state: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(state)

    async def ask() -> list[Any]:
        queue = AuditQueue(log)
        with monkeypatch.context() as failing:
            failing.setattr(log, "append_all", fail)
            refused = await asyncio.gather(queue.append("a"), queue.append("b"), return_exceptions=True)
        record = await queue.append("c")
        queue.close()
        return [*refused, record.seq]

    def fail(_: Any) -> Any:
        raise ServerError("the disk is full")

    first, second, seq = asyncio.run(ask())
    assert (str(first), str(second), seq) == ("the disk is full", "the disk is full", 1)


def test_a_decision_that_cannot_be_logged_is_not_told(
    ada: TestClient, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> Any:
        raise ServerError("the disk is full")

    monkeypatch.setattr(ada.app.state.engine.audit, "append_all", fail)  # type: ignore[attr-defined]
    answer = ada.post("/v1/speakers/ada/verify", content=clip("ada", 3))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:voiceprint:store-unavailable")


def test_the_log_on_the_command_line(ada: TestClient, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    checked = runner.invoke(app, ["audit", "verify", *store, "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)["entries"]) == (0, 2)
    copied = tmp_path / "audit.jsonl"
    copied.write_text(runner.invoke(app, ["audit", "export", *store]).stdout)
    assert check_chain(read_exported(copied.read_text().splitlines())).entries == 2
    assert runner.invoke(app, ["audit", "verify", "--file", str(copied)]).exit_code == 0
    copied.write_text(copied.read_text().replace("ada", "eve"))
    forged = runner.invoke(app, ["audit", "verify", "--file", str(copied)])
    assert (forged.exit_code, "was changed" in forged.stdout) == (1, True)
    copied.write_text("{}\n")
    assert runner.invoke(app, ["audit", "verify", "--file", str(copied)]).exit_code == 2


def test_a_log_that_is_not_there_is_not_found_in_order(tmp_path: Path) -> None:
    nowhere = tmp_path / "mistyped"
    for command in (["audit", "verify"], ["audit", "export"], ["keys", "list"], ["keys", "revoke", "x"]):
        result = runner.invoke(app, [*command, "--store", str(nowhere)])
        assert (result.exit_code, "holds no keys and no audit log" in result.stderr) == (2, True)
    assert not nowhere.exists()


def test_an_exported_line_is_json_that_holds_the_hashed_text(state: StateFile) -> None:
    record = AuditLog(state).append("verify", speaker='a"\n')
    assert json.loads(exported(record))["entry"] == record.entry
    assert list(read_exported([exported(record)])) == [record]


def test_keys_on_the_command_line(ada: TestClient, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "store")]
    made = runner.invoke(app, ["keys", "create", "--scope", "verify", "--label", "desk", *store])
    header = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert ada.get("/v1/model", headers=header).status_code == 200
    (_, listed) = json.loads(runner.invoke(app, ["keys", "list", *store, "--json"]).stdout)["keys"]
    assert (listed["label"], listed["scopes"], listed["revoked"]) == ("desk", ["verify"], None)
    assert runner.invoke(app, ["keys", "revoke", listed["id"], *store]).exit_code == 0
    assert ada.get("/v1/model", headers=header).status_code == 401
    assert runner.invoke(app, ["keys", "revoke", "nothing", *store]).exit_code == 2
    assert [entry["action"] for entry in entries(ada)][-3:] == ["key-created", "key-revoked", "refused"]
