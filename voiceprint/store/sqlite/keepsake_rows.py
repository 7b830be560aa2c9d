"""What faces keep about people: a sealed row each."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from voiceprint.store.sqlite.sealed import Sealed, seal
from voiceprint.store.sqlite.sealed_rows import SealedRows, to_time

KEEPSAKES = "SELECT id, speaker_id, until, content FROM kept"


class KeepsakeRows(SealedRows):
    """What keeps something for faces in one transaction."""

    def keep(self, speaker_id: int, key: str, content: bytes, until: datetime) -> None:
        """Store a keepsake."""
        for row, sealed in self._keepsakes(speaker_id):
            if sealed.key == key:
                self.run("DELETE FROM kept WHERE id = ?", row["id"])
        facts = self._next_id("kept"), speaker_id, to_time(until)
        sealed_content = seal(facts, key=key, text="", body=content, page_size=self._page_size)
        self.run(
            "INSERT INTO kept (id, speaker_id, until, content) VALUES (?, ?, ?, ?)", *facts, sealed_content
        )

    def keepsake(self, speaker_id: int, key: str, moment: datetime) -> bytes | None:
        """Return a keepsake."""
        for row, sealed in self._keepsakes(speaker_id):
            if sealed.key == key and row["until"] > to_time(moment):
                return bytes(sealed.body)
        for _ in self._unsealed(KEEPSAKES):  # a damaged row may be the one
            pass
        return None

    def forget_keepsakes(self, speaker_id: int) -> None:
        """Delete a person's keepsakes."""
        self.run("DELETE FROM kept NOT INDEXED WHERE speaker_id = ?", speaker_id)

    def sweep_keepsakes(self, moment: datetime) -> int:
        """Delete keepsakes whose time was over at a moment."""
        return int(self.run("DELETE FROM kept WHERE until <= ?", to_time(moment)).rowcount)

    def _keepsakes(self, speaker_id: int) -> list[tuple[sqlite3.Row, Sealed]]:
        return list(self._unsealed(f"{KEEPSAKES} WHERE speaker_id = ?", speaker_id))
