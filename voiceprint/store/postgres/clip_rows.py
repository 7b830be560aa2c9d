"""Rows of clips with their embeddings, in the table of those in force or of those that wait."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pgvector import Vector
from psycopg import errors

from voiceprint.audio.quality import ClipQuality
from voiceprint.store.postgres.database import Rows
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord, file_name, quality_numbers
from voiceprint.store.tables import Tables

ClipTable = Literal["utterances", "staged"]


class ClipRows(Tables, ABC):
    """What reads and writes embeddings in one transaction of a connection."""

    damage: ClassVar[type[Exception]] = errors.DataCorrupted

    def __init__(self, connection: Rows) -> None:
        super().__init__()
        self._connection = connection

    def run(self, statement: str, *values: Any) -> Any:
        """Run a statement."""
        return self._connection.execute(statement.replace("?", "%s"), values, binary=True)

    def _run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows)

    def _insert_clips(self, people: Iterable[tuple[int, VoiceprintRecord]], *, into: ClipTable) -> None:
        self._run_many(
            f"INSERT INTO {into} (speaker_id, clip_sha256, source, seconds, seconds_of_speech, level_dbfs, "
            "clipped, snr_db, added, embedding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    speaker_id,
                    bytes.fromhex(clip.clip_sha256),
                    file_name(clip.source),
                    *quality_numbers(clip.quality),
                    clip.added or record.updated,
                    to_vector(clip.embedding),
                )
                for speaker_id, record in people
                for clip in record.utterances
            ),
        )

    def _read_clips(
        self, dims: Mapping[int, int], *, table: ClipTable
    ) -> dict[int, tuple[EnrolledUtterance, ...]]:
        """Return people's clips in the order they were added; `dims` are those of each one's embeddings."""
        clips: dict[int, list[EnrolledUtterance]] = {speaker_id: [] for speaker_id in dims}
        rows = self.run(f"SELECT * FROM {table} WHERE speaker_id = ANY(?) ORDER BY id", list(dims))
        for row in rows:
            clips[row["speaker_id"]].append(self._utterance(row, dims[row["speaker_id"]]))
        return {speaker_id: tuple(of_one) for speaker_id, of_one in clips.items()}

    def _delete_clips(self, speaker_ids: Sequence[int], *, table: ClipTable) -> None:
        self.run(f"DELETE FROM {table} WHERE speaker_id = ANY(?)", list(speaker_ids))

    def _embedding(self, value: Any, dim: int) -> NDArray[np.float32]:
        embedding: NDArray[np.float32] = value.to_numpy()
        if embedding.shape != (dim,):
            raise self.damage(f"an embedding has {len(embedding)} dimensions, not {dim}")
        return self.checked(embedding)

    def _utterance(self, row: Mapping[str, Any], dim: int) -> EnrolledUtterance:
        return EnrolledUtterance(
            embedding=self._embedding(row["embedding"], dim),
            clip_sha256=bytes(row["clip_sha256"]).hex(),
            source=row["source"],
            quality=ClipQuality(**{field: row[field] for field in ClipQuality.__slots__}),
            added=row["added"],
        )


def to_vector(embedding: NDArray[np.float32]) -> Vector:
    """Return an embedding (dim,) as pgvector takes it."""
    return Vector(np.ascontiguousarray(embedding, dtype=np.float32))
