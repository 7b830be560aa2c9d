"""A server goes on while its store is saved and restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from voiceprint.backup import restore_backup, write_backup
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import StateFile


def test_a_server_goes_on_while_its_store_is_saved_and_restored(
    ada: TestClient, clip: Any, form: Any, tmp_path: Path
) -> None:
    path, place = tmp_path / "a", tmp_path / "store"
    write_backup(path, store=place)
    ada.post("/v1/speakers", data={"name": "bert"}, files=form("bert", 0, 1, 2))
    ada.delete("/v1/speakers/ada")
    restore_backup(path, store=place, overwrite=True, removed_too=True)
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).json()["accepted"]
    assert ada.post("/v1/identify", content=clip("ada", 3)).json()["name"] == "ada"
    assert ada.post("/v1/speakers/bert/verify", content=clip("bert", 3)).json()["decision"] == "not_enrolled"
    state = StateFile(place / "server")
    ring = KeyRing(state)
    ring.revoke(ring.all()[0].id)
    state.close()
    restore_backup(path, store=place, overwrite=True)
    assert ada.post("/v1/speakers/ada/verify", content=clip("ada", 3)).status_code == 401
