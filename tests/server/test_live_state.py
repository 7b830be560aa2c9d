"""What changes under a running server: tuning, the server's own file, the store."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import ServerError
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import STATE_NAME, StateFile

runner = CliRunner()


def copied(folder: Path, to: Path) -> Path:
    """Copy the server's file as a backup would."""
    to.mkdir()
    with sqlite3.connect(folder / STATE_NAME) as source, sqlite3.connect(to / STATE_NAME) as target:
        source.backup(target)
    source.close()
    target.close()
    return to / STATE_NAME


def test_a_file_that_was_moved_away_refuses_everybody_and_comes_back(
    ada: TestClient, clip: Any, tmp_path: Path
) -> None:
    folder, away = tmp_path / "store/server", tmp_path / "store/away"
    folder.rename(away)
    for answer in (
        ada.get("/v1/model"),
        ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)),
        ada.get("/readyz"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:voiceprint:store-unavailable")
    assert not folder.exists()
    away.rename(folder)
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["accepted"]


def test_a_restored_file_is_read_and_its_log_goes_on(ada: TestClient, clip: Any, tmp_path: Path) -> None:
    folder = tmp_path / "store/server"
    backup = copied(folder, tmp_path / "backup")
    ada.post("/v1/speakers/ada/verify", content=clip("ada", 3))
    # Restored: in the backup this key is revoked.
    state = StateFile(backup.parent)
    ring = KeyRing(state)
    (key,) = ring.all()
    ring.revoke(key.id)
    _, secret = ring.create(["verify"])
    before = AuditLog(state).verify().entries
    state.close()
    shutil.rmtree(folder)
    shutil.copytree(backup.parent, folder)
    assert ada.get("/v1/model").status_code == 401
    header = {"Authorization": f"Bearer {secret}"}
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3), headers=header).status_code == 200
    state = StateFile(folder)
    log = [json.loads(record.entry)["action"] for record in AuditLog(state).records(after=before)]
    assert (AuditLog(state).verify().fault, log) == ("", ["refused", "verify"])
    state.close()


def test_a_file_that_goes_away_within_a_change_takes_none_along(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "server")
    (tmp_path / "server").rename(tmp_path / "away")
    with pytest.raises(ServerError, match="was moved away or replaced"):
        AuditLog(state).append("verify")
    state.close()
    state = StateFile(tmp_path / "away")
    assert AuditLog(state).verify().entries == 0
    state.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    StateFile(tmp_path / "server").close()
    newer = sqlite3.connect(tmp_path / "server" / STATE_NAME)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ServerError, match="made by a newer voiceprint"):
        StateFile(tmp_path / "server")


def test_a_restored_store_is_refused_once_and_then_opened(
    ada: TestClient, form: Any, clip: Any, tmp_path: Path
) -> None:
    exported = str(tmp_path / "all.npz")
    assert runner.invoke(app, ["export", exported, "--store", str(tmp_path / "store")]).exit_code == 0
    other = tmp_path / "other"
    assert runner.invoke(app, ["import", exported, "--store", str(other)]).exit_code == 0
    ada.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1))
    for path in (tmp_path / "store").glob("voiceprints.*"):
        path.unlink()
    for path in other.glob("voiceprints.*"):
        shutil.copy(path, tmp_path / "store")
    refused = ada.get("/v1/speakers")
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:voiceprint:store-unavailable")
    assert [person["name"] for person in ada.get("/v1/speakers").json()["speakers"]] == ["ada"]
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["accepted"]


@pytest.mark.parametrize(
    "command",
    [["keys", "create", "--scope", "verify"], ["consent", "opt-out", "ada", "--yes"]],
    ids=" ".join,
)
def test_the_stores_folder_is_its_owners_whichever_command_makes_it(
    tmp_path: Path, command: list[str]
) -> None:
    store = tmp_path / "new" / "store"
    assert runner.invoke(app, [*command, "--store", str(store)]).exit_code == 0
    made = [store.parent, store, *(path for path in store.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}
