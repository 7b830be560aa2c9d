"""A store with a server's file, in a folder of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import clips, open_store

from voiceprint.engine.tuning import TUNING_FILE
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import StateFile
from voiceprint.store import Consent

AGREED = Consent(by="ada", purpose="calls", given=datetime(2026, 1, 31, 12, tzinfo=UTC))
LATER = datetime.now(UTC) + timedelta(days=365)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with ada, bert and cleo, an opt-out, a tuning, a key and a log."""
    folder = tmp_path / "store"
    with open_store(folder) as store:
        store.add("ada", clips(1, 3), notes="first", consent=AGREED, expires=LATER)
        store.add("bert", clips(2))
        store.add("cleo", clips(3))
        store.opt_out("nobody")
        store.write_document(TUNING_FILE, "shift = 0.1\n")
    state = StateFile(folder / "server")
    KeyRing(state).create(["verify"], label="calls")
    AuditLog(state).append("verify", speaker="ada")
    state.close()
    return folder
