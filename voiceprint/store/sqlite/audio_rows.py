"""The kept speech of enrolled clips: a sealed row each, which goes with the person's row or the clip."""

from __future__ import annotations

from collections.abc import Sequence

from voiceprint.store.records import MAX_KEPT_BYTES, VoiceprintRecord
from voiceprint.store.sqlite.sealed import seal
from voiceprint.store.sqlite.sealed_rows import SealedRows

AUDIO = "SELECT id, speaker_id, size, content FROM audio"


class AudioRows(SealedRows):
    """What keeps speech in one transaction."""

    def audio(self, speaker_id: int) -> dict[str, bytes]:
        """Return a person's kept speech by the SHA-256 of the clip."""
        rows = self._unsealed(f"{AUDIO} WHERE speaker_id = ? ORDER BY id", speaker_id)
        return {sealed.key: bytes(sealed.body) for _, sealed in rows}

    def forget_audio(self, speaker_id: int) -> bool:
        """Delete a person's kept speech; returns whether there was any."""
        return bool(self.run("DELETE FROM audio WHERE speaker_id = ?", speaker_id).rowcount)

    def audio_totals(self) -> tuple[int, int]:
        """Return for how many clips speech is kept, and its bytes."""
        row = self.run("SELECT count(*) AS clips, coalesce(sum(size), 0) AS bytes FROM audio").fetchone()
        return int(row["clips"]), int(row["bytes"])

    def _write_audio(self, speaker_ids: Sequence[int], records: Sequence[VoiceprintRecord]) -> None:
        """Keep the speech that comes with clips, and that of clips that are still there, and no other."""
        for speaker_id, record in zip(speaker_ids, records, strict=True):
            clips = {clip.clip_sha256: clip.audio for clip in record.utterances}
            held: dict[str, int] = {}
            for row, sealed in self._unsealed(f"{AUDIO} WHERE speaker_id = ?", speaker_id):
                if sealed.key in clips:
                    held[sealed.key] = row["size"]
                else:
                    self.run("DELETE FROM audio WHERE id = ?", row["id"])
            room = MAX_KEPT_BYTES - sum(held.values())
            for digest, content in clips.items():
                if content is not None and digest not in held and len(content) <= room:
                    self._insert_audio(speaker_id, digest, content)
                    room -= len(content)

    def _insert_audio(self, speaker_id: int, digest: str, content: bytes) -> None:
        facts = self._next_id("audio"), speaker_id, len(content)
        sealed = seal(facts, key=digest, text="", body=content, page_size=self._page_size)
        self.run("INSERT INTO audio (id, speaker_id, size, content) VALUES (?, ?, ?, ?)", *facts, sealed)
