"""Where what a backup holds lies in a store's folder, and what it is called in the file."""

from __future__ import annotations

from pathlib import Path

from voiceprint.engine.tuning import TUNING_FILE
from voiceprint.errors import StoreError
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import STATE_NAME
from voiceprint.store import StoreAddress, default_store_path, is_url, shown
from voiceprint.store.sqlite.faults import DATABASE_NAME

SERVER = f"server/{STATE_NAME}"
"""The server's file in a backup."""

ALLOWED = frozenset({DATABASE_NAME, TUNING_FILE, SERVER})
"""The files that a backup may hold."""


def store_folder(store: StoreAddress | None) -> Path:
    """Return a store's folder; StoreError where it is a database, which has tools of its own."""
    address = default_store_path() if store is None else store
    if is_url(address):
        raise StoreError(
            f"{shown(address)} is a database",
            advice="back it up and restore it with pg_dump and pg_restore, and copy the server's folder",
            path=shown(address),
        )
    return Path(address)


def state_folder_of(folder: Path, state: Path | None) -> Path:
    """Return where the keys and the audit log of a store's server lie."""
    return ServerSettings(store=str(folder), state=None if state is None else str(state)).state_folder
