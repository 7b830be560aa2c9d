"""A key whose row was damaged is refused and told, never half understood."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from voiceprint.errors import ServerError
from voiceprint.server.keys import KeyRing
from voiceprint.server.state import StateFile


@pytest.mark.parametrize(
    "damage",
    ["created = '2026-13-45'", "revoked = 'nul'", "scopes = 'verify admim'", "scopes = ''"],
)
def test_a_damaged_row_is_told(tmp_path: Path, damage: str) -> None:
    with closing(StateFile(tmp_path)) as state:
        ring = KeyRing(state)
        key, secret = ring.create(["verify"])
        with state.writing() as connection:
            connection.execute(f"UPDATE api_keys SET {damage}")
        with pytest.raises(ServerError, match=f"{key.id}.* is damaged"):
            ring.all()
        if "revoked" not in damage:  # a key that seems to be revoked is refused without a look
            with pytest.raises(ServerError, match="is damaged"):
                ring.find(secret)
