"""A row of the server's file that was damaged is refused and reported, never half understood."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import ServerError
from voiceprint.server.idempotency import Answer, ClaimedKey, Idempotency
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import _VERSION_1, _VERSION_2, STATE_NAME, StateFile

runner = CliRunner()

KEY_DAMAGE = [
    "created = '2026-13-45'",
    "created = '2020-01-01T00:00:00+00:00'",
    "revoked = 'nul'",
    "revoked = NULL",
    "revoked = '2020-01-01T00:00:00+00:00'",
    "scopes = 'verify admim'",
    "scopes = 'verify admin'",
    "scopes = ''",
    "label = 'another'",
    "checksum = x''",
]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    with closing(StateFile(tmp_path / "server")) as file:
        yield file


def damage(state: StateFile, change: str) -> None:
    with state.writing() as connection:
        connection.execute(change)


@pytest.mark.parametrize("revoked", [False, True], ids=["valid", "revoked"])
@pytest.mark.parametrize("change", KEY_DAMAGE)
def test_a_damaged_key_is_refused_and_told(state: StateFile, change: str, revoked: bool) -> None:
    ring = KeyRing(state)
    ring.create(["verify"], label="sound")
    key, secret = ring.create(["verify"])
    if revoked:
        ring.revoke(key.id)
    if change == "revoked = NULL" and not revoked:
        change = "revoked = ''"
    damage(state, f"UPDATE api_keys SET {change} WHERE id = '{key.id}'")
    assert ring.damaged() == [key.id]
    with pytest.raises(ServerError, match=f"{key.id}.* is damaged"):
        ring.all()
    with pytest.raises(ServerError, match=f"{key.id}.* is damaged"):
        ring.find(secret)


@pytest.mark.parametrize("change", ["id = '0123456789ab'", "secret_sha256 = zeroblob(32)"])
def test_a_secret_that_fits_no_row_any_more_is_unknown(state: StateFile, change: str) -> None:
    ring = KeyRing(state)
    _, secret = ring.create(["verify"])
    damage(state, f"UPDATE api_keys SET {change}")
    assert len(ring.damaged()) == 1
    assert ring.find(secret) is None


def test_revoking_a_damaged_key_makes_it_unknown(state: StateFile) -> None:
    ring = KeyRing(state)
    key, secret = ring.create(["verify"])
    damage(state, "UPDATE api_keys SET scopes = 'verify admin'")
    ring.revoke(key.id)
    assert (ring.find(secret), ring.all()) == (None, [])


def test_commands_and_metrics_report_a_damaged_key(client: TestClient, tmp_path: Path) -> None:
    engine: Any = client.app.state.engine  # type: ignore[attr-defined]
    assert "\nvoiceprint_damaged_keys 0\n" in client.get("/metrics").text
    key, secret = engine.keys.create(["verify"])
    damage(engine.files[0], f"UPDATE api_keys SET revoked = '2020' WHERE id = '{key.id}'")
    assert "\nvoiceprint_damaged_keys 1\n" in client.get("/metrics").text
    refused = client.get("/v1/model", headers={"Authorization": f"Bearer {secret}"})
    assert refused.status_code == 503
    assert client.get("/v1/model").status_code == 200  # another key
    store = ["--store", str(tmp_path / "store")]
    listed = runner.invoke(app, ["keys", "list", *store])
    assert listed.exit_code == 2
    assert f"the row of key '{key.id}' is damaged" in listed.output
    assert f"the row of key '{key.id}' is damaged" in runner.invoke(app, ["doctor", *store]).output
    assert runner.invoke(app, ["keys", "revoke", key.id, *store]).exit_code == 0
    assert "1 key, " in runner.invoke(app, ["doctor", *store]).output


def test_doctor_leaves_no_server_behind(tmp_path: Path) -> None:
    runner.invoke(app, ["doctor", "--store", str(tmp_path / "store")])
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "change",
    [
        "fingerprint = x'00'",
        "started = 0.0",
        "status = 500",
        "status = NULL",
        "has_body = 1",
        "checksum = x''",
    ],
)
def test_a_damaged_row_of_a_request_never_answers_it_or_lets_it_be_made_again(
    state: StateFile, change: str
) -> None:
    kept = Idempotency(state, lambda: None)  # type: ignore[arg-type,return-value]
    claim = ClaimedKey.of("a", "k", b"x", speaker="ada")
    kept.begin(claim)
    kept.finish(claim, Answer(status=204))
    damage(state, f"UPDATE requests SET {change}")
    for _ in range(2):
        with pytest.raises(ServerError, match="is damaged"):
            kept.begin(claim)
        kept.finish(claim, Answer(status=204))  # does not make it sound again


def test_a_schema_that_is_no_text_is_told(tmp_path: Path) -> None:
    StateFile(tmp_path).close()
    file = tmp_path / STATE_NAME
    content = file.read_bytes().replace(b"tableapi_keys", b"table\xa0pi_keys")
    file.write_bytes(content.replace(b"CREATE TABLE api_keys", b"CREATE TABLX api_keys"))
    with pytest.raises(ServerError, match="cannot be used: its schema is damaged"):
        StateFile(tmp_path)


def older(folder: Path, version: int) -> None:
    """Write the file of an older version: a valid key, a revoked one, and from version 2 on a request."""
    folder.mkdir()
    old = sqlite3.connect(folder / STATE_NAME)
    old.executescript("PRAGMA journal_mode = WAL;" + "".join((_VERSION_1, _VERSION_2)[:version]))
    for number, revoked in (("a", None), ("b", "2026-01-31T12:00:00+00:00")):
        row = (number * 12, bytes(32), "verify", number, "2026-01-01T12:00:00+00:00", revoked)
        old.execute("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?)", row)
    if version == 2:
        old.execute("INSERT INTO requests VALUES ('a', 'k', x'00', 1e12, 204, 0)")
    old.commit()
    old.close()


@pytest.mark.parametrize("version", [1, 2])
def test_the_keys_of_an_older_file_stay_what_they_were(tmp_path: Path, version: int) -> None:
    older(tmp_path / "server", version)
    for _ in range(2):
        with closing(StateFile(tmp_path / "server")) as state:
            ring = KeyRing(state)
            assert [(key.label, key.revoked is None) for key in ring.all()] == [("a", True), ("b", False)]
            with state.reading() as connection:
                assert connection.execute("PRAGMA user_version").fetchone()[0] == 4


def test_processes_that_open_an_older_file_at_once_agree(tmp_path: Path) -> None:
    older(tmp_path / "server", 2)
    program = (
        "import sys; from pathlib import Path; from voiceprint.server.keys import KeyRing; "
        "from voiceprint.server.state import StateFile; sys.stdin.read(); "
        "print(len(KeyRing(StateFile(Path(sys.argv[1]))).all()))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "server")]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate("")[0] for process in running] == ["2\n"] * 3


def test_what_an_older_process_writes_after_that_is_refused(tmp_path: Path) -> None:
    older(tmp_path / "server", 2)
    process = sqlite3.connect(tmp_path / "server" / STATE_NAME, isolation_level=None)
    with closing(process), closing(StateFile(tmp_path / "server")) as state:
        process.execute("UPDATE api_keys SET revoked = '2026-02-01T12:00:00+00:00' WHERE label = 'a'")
        assert KeyRing(state).damaged() == ["a" * 12]


def test_a_sound_file_is_never_migrated_twice(tmp_path: Path) -> None:
    """A version that damage lowered would have what is damaged sealed anew."""
    with closing(StateFile(tmp_path)) as state:
        KeyRing(state).create(["verify"])
        for version in range(4):
            damage(state, f"PRAGMA user_version = {version}")
            with pytest.raises(ServerError, match="cannot be used"):
                StateFile(tmp_path)
