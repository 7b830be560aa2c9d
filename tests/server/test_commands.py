"""What the command line changes stands in the audit log of the store's server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voiceprint.engine.tuning import TUNING_FILE, StoreTuning, write_tuning
from voiceprint.errors import ArgumentError, ServerError, SpeakerNotFoundError
from voiceprint.server.audit import AuditLog
from voiceprint.server.commands import write_down
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.store import EnrollmentStore, journal
from voiceprint.store.journal import Event


def entries(store: Path) -> list[dict[str, Any]]:
    state = StateFile(ServerSettings(store=str(store)).state_folder)
    found = [json.loads(record.entry) for record in AuditLog(state).records()]
    state.close()
    return found


def command(*arguments: str, store: Path) -> int:
    program = [sys.executable, "-c", "from voiceprint.cli import main; main()", *arguments]
    return subprocess.run([*program, "--store", str(store)], check=False, capture_output=True).returncode


def test_commands_stand_in_the_log_whether_done_or_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert command("keys", "create", "--scope", "verify", store=store) == 0
    assert command("consent", "opt-out", "ada", "--yes", store=store) == 0
    assert command("consent", "opt-in", "nobody", store=store) == 2
    told = [(e["action"], e["key"], e.get("speaker"), e.get("outcome")) for e in entries(store)]
    assert told == [
        ("key-created", "command line", None, None),
        ("opt-out", "command line", "ada", "asked"),
        ("opt-out", "command line", "ada", "done"),
        ("opt-in", "command line", "nobody", "asked"),
        ("opt-in", "command line", "nobody", "refused"),
    ]
    assert entries(store)[1]["user"]


def test_an_enrollment_by_command_stands_in_the_log(tmp_path: Path, model_folder: Path, people: Path) -> None:
    store = tmp_path / "store"
    StateFile(store / "server").close()
    options = ("--model", str(model_folder))
    shutil.copytree(people / "bert", tmp_path / "more/bert")
    assert command("enroll", "ada", str(people / "ada"), *options, store=store) == 0
    assert command("enroll", "--from", str(tmp_path / "more"), "--jobs", "1", *options, store=store) == 0
    told = [(e["action"], e["speaker"], e["outcome"]) for e in entries(store)]
    assert told == [("enroll", name, outcome) for name in ("ada", "bert") for outcome in ("asked", "done")]


def test_without_a_server_there_is_no_log(tmp_path: Path) -> None:
    assert command("consent", "opt-out", "ada", "--yes", store=tmp_path / "store") == 0
    assert not (tmp_path / "store/server").exists()


@pytest.fixture
def listening() -> Any:
    yield
    journal.listen(None)


def test_a_change_that_cannot_be_written_down_is_not_made(
    tmp_path: Path, listening: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    StateFile(tmp_path / "store/server").close()

    def fail(*_: Any, **__: Any) -> None:
        raise ServerError("the disk is full")

    monkeypatch.setattr(AuditLog, "append", fail)
    journal.listen(write_down)
    with EnrollmentStore.open(tmp_path / "store") as store:
        with pytest.raises(ServerError, match="the disk is full"):
            store.opt_out("ada")
        assert store.opted_out("ada") is None


def test_every_change_of_a_store_is_told_with_its_facts(tmp_path: Path, listening: None) -> None:
    told: list[Event] = []
    journal.listen(told.append)
    with EnrollmentStore.open(tmp_path / "store") as store:
        store.require_consent(True)
        store.opt_out(name="ada")
        store.opt_in("ada")
        store.remove_expired()
        with pytest.raises(ArgumentError):
            store.add("ada", [], mode="append")  # type: ignore[arg-type]
        with pytest.raises(SpeakerNotFoundError):
            store.rename("ada", new="eve")
    assert [(event.action, event.facts, event.outcome) for event in told if event.outcome != "asked"] == [
        ("require-consent", {"required": True}, "done"),
        ("opt-out", {"name": "ada"}, "done"),
        ("opt-in", {"name": "ada"}, "done"),
        ("purge", {}, "done"),
        ("enroll", {"name": "ada", "mode": "append"}, "refused"),
        ("rename", {"old": "ada", "new": "eve"}, "refused"),
    ]


def test_a_tuning_that_cannot_be_written_was_refused_not_cut_off(tmp_path: Path, listening: None) -> None:
    told: list[Event] = []
    journal.listen(told.append)
    numbers = dict.fromkeys(
        ("estimate", "low", "high", "rate", "found", "misses", "misses_tuned", "shift"), 0.5
    ) | dict.fromkeys(("n_people", "n_clips", "left_out", "generation"), 5)
    tuning = StoreTuning(model_id="m", calibration="c", **numbers)  # type: ignore[arg-type]
    with EnrollmentStore.open(tmp_path / "store") as store:
        (tmp_path / "store" / TUNING_FILE).mkdir()
        with pytest.raises(OSError, match="no ordinary file is there"):
            write_tuning(store, tuning)
    assert [event.outcome for event in told] == ["asked", "refused"]
