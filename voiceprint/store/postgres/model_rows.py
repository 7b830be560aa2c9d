"""Which model made whose voiceprint, and voiceprints of another model that wait to take their place."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import replace

from voiceprint.store.postgres.clip_rows import ClipRows
from voiceprint.store.postgres.database import Rows
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord
from voiceprint.store.tables import StoreModel

_NOTE = (
    "INSERT INTO models (model_id, dim, folder, upcoming) VALUES (?, ?, ?, ?) ON CONFLICT (model_id) "
    "DO UPDATE SET dim = excluded.dim, folder = excluded.folder, upcoming = excluded.upcoming"
)


class ModelRows(ClipRows, ABC):
    """What knows the models of one store in one transaction.

    A person whose voiceprint the present model made is in no table here.

    Parameters
    ----------
    knows_models : bool
        Whether the tables are there: an older store that is only read lacks them.
    """

    def __init__(self, connection: Rows, *, knows_models: bool) -> None:
        super().__init__(connection)
        self._knows_models = knows_models

    def noted_models(self) -> list[StoreModel]:
        """Return the models that were noted when the store was moved, the oldest first."""
        if not self._knows_models:
            return []
        rows = self.run("SELECT model_id, dim, folder, upcoming FROM models ORDER BY number")
        return [StoreModel(**row) for row in rows]

    def note_model(self, model: StoreModel) -> None:
        """Note a model, or what is known of it now."""
        self.run(_NOTE, model.model_id, model.dim, model.folder, model.upcoming)

    def forget_model(self, model_id: str) -> None:
        """Forget a model that is no longer upcoming; one that made somebody's voiceprint stays noted."""
        (model,) = (each for each in self.noted_models() if each.model_id == model_id)
        if model_id in self.earlier().values():
            self.note_model(replace(model, upcoming=False))
        else:
            self.run("DELETE FROM models WHERE model_id = ?", model_id)

    def earlier(self) -> dict[int, str]:
        """Return whose voiceprints earlier models made: ids of models by ids of people."""
        if not self._knows_models:
            return {}
        rows = self.run("SELECT speaker_id, model_id FROM earlier JOIN models ON number = model")
        return {row["speaker_id"]: row["model_id"] for row in rows}

    def earlier_count(self) -> int:
        """Return how many voiceprints earlier models made."""
        if not self._knows_models:
            return 0
        return int(self.run("SELECT count(*) AS n FROM earlier").fetchone()["n"])

    def write_as_earlier(self, speaker_id: int, record: VoiceprintRecord, model_id: str) -> None:
        """Note whose voiceprint will be that of an earlier model; their other rows stay as they are."""
        self.run(
            "INSERT INTO earlier SELECT ?, number FROM models WHERE model_id = ? "
            "ON CONFLICT (speaker_id) DO UPDATE SET model = excluded.model",
            speaker_id,
            model_id,
        )

    def staged(self) -> set[int]:
        """Return the ids of the people whose voiceprints of the upcoming model wait."""
        if not self._knows_models:
            return set()
        return {row["speaker_id"] for row in self.run("SELECT DISTINCT speaker_id FROM staged")}

    def stage(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Let a person's clips, embedded by the upcoming model, wait; of the record only those count."""
        self.unstage([speaker_id])
        self._insert_clips([(speaker_id, record)], into="staged")

    def unstage(self, speaker_ids: Sequence[int] | None) -> None:
        """Delete what waits of people; None: of everybody."""
        if speaker_ids is None:
            self.run("DELETE FROM staged")
        else:
            self._delete_clips(speaker_ids, table="staged")

    def staged_clips(self, speaker_id: int, *, dim: int) -> tuple[EnrolledUtterance, ...]:
        """Return the clips that wait of a person."""
        return self._read_clips({speaker_id: dim}, table="staged")[speaker_id]

    def _forget_generation(self, speaker_id: int) -> None:
        """Make a person's voiceprint one of the present model, for whom nothing waits."""
        self.run("DELETE FROM earlier WHERE speaker_id = ?", speaker_id)
        self.unstage([speaker_id])
