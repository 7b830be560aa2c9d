"""An audit log whose rows were damaged: the check names the entry, and nothing is written behind it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from voiceprint.errors import ServerError
from voiceprint.server.audit import AuditLog
from voiceprint.server.state import StateFile


def damage(state: StateFile, change: str) -> None:
    with state.writing() as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE audit SET {change}")


@pytest.mark.parametrize("seq", [1, 2])
def test_a_damaged_hash_is_a_fault_of_the_log(tmp_path: Path, seq: int) -> None:
    with closing(StateFile(tmp_path)) as state:
        log = AuditLog(state)
        log.append_all([{"action": "verify"}, {"action": "remove"}])
        damage(state, f"hash = x'00' WHERE seq = {seq}")
        found = log.verify()
        assert (found.entries, found.fault) == (seq - 1, f"entry {seq} was changed: its hash does not fit")
        with pytest.raises(ServerError, match=f"entry {seq} of the audit log is damaged"):
            list(log.records())


def test_nothing_is_chained_to_a_damaged_entry(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path)) as state:
        log = AuditLog(state)
        log.append("verify")
        damage(state, "hash = x'00'")
        with pytest.raises(ServerError, match="entry 1 of the audit log is damaged: restore"):
            log.append("remove")


def test_text_that_is_none_is_an_error_of_the_server(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path)) as state:
        log = AuditLog(state)
        log.append("verify")
        damage(state, "entry = CAST(x'ff' AS TEXT)")
        with pytest.raises(ServerError):
            log.verify()
