"""Which model made whose voiceprint, and voiceprints of another model that wait to take their place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from voiceprint.files.checksum import checksum
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord
from voiceprint.store.sqlite import voice
from voiceprint.store.sqlite.sealed import Sealed, seal
from voiceprint.store.sqlite.sealed_rows import AMONG, SealedRows
from voiceprint.store.tables import StoreModel

STAGED = "SELECT id, speaker_id, content FROM staged"


class GenerationRows(SealedRows):
    """What knows the models of one store in one transaction.

    A model has a number. A person whose voiceprint the present model made is in no table here; of the others
    ``earlier`` has the number, which the checksum of their row covers, too.
    """

    @cached_property
    def _noted(self) -> dict[int, StoreModel]:
        """The models that were noted when the store was moved, by number."""
        models = {}
        for row in self.run("SELECT number, model_id, dim, folder, upcoming, checksum FROM models"):
            if row["checksum"] != checksum(list(row)[:-1]):
                raise self.damage("the checksum of a model's row is wrong")
            models[int(row["number"])] = StoreModel(
                model_id=row["model_id"], dim=row["dim"], folder=row["folder"], upcoming=bool(row["upcoming"])
            )
        return models

    def noted_models(self) -> list[StoreModel]:
        """Return the models that were noted when the store was moved, the oldest first."""
        return list(self._noted.values())

    def note_model(self, model: StoreModel) -> None:
        """Note a model, or what is known of it now."""
        numbers = {noted.model_id: number for number, noted in self._noted.items()}
        number = numbers.get(model.model_id, max(self._noted, default=0) + 1)
        facts = [number, model.model_id, model.dim, model.folder, int(model.upcoming)]
        self.run("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?)", *facts, checksum(facts))
        self.__dict__.pop("_noted", None)

    def forget_model(self, model_id: str) -> None:
        """Forget a model that is no longer upcoming; one that made somebody's voiceprint stays noted."""
        ((number, model),) = ((n, model) for n, model in self._noted.items() if model.model_id == model_id)
        if self.run("SELECT 1 FROM earlier WHERE model = ?", number).fetchone():
            self.note_model(replace(model, upcoming=False))
            return
        self.run("DELETE FROM models WHERE number = ?", number)
        self.__dict__.pop("_noted", None)

    def earlier(self) -> dict[int, str]:
        """Return whose voiceprints earlier models made: ids of models by ids of people."""
        rows = self.run("SELECT speaker_id, model FROM earlier")
        return {row["speaker_id"]: self._model(row["model"]).model_id for row in rows}

    def earlier_count(self) -> int:
        """Return how many voiceprints earlier models made."""
        return int(self.run("SELECT count(*) FROM earlier").fetchone()[0])

    def staged(self) -> set[int]:
        """Return the ids of the people whose voiceprints of the upcoming model wait."""
        return {row["speaker_id"] for row in self.run("SELECT speaker_id FROM staged")}

    def stage(self, speaker_id: int, record: VoiceprintRecord) -> None:
        """Let a person's clips, embedded by the upcoming model, wait; of the record only those count."""
        self.unstage([speaker_id])
        facts = self._next_id("staged"), speaker_id
        vectors = [clip.embedding for clip in record.utterances]
        content = seal(
            facts,
            key="",
            text=voice.to_text(record),
            body=b"".join(np.asarray(vector, dtype=voice.FLOAT32).tobytes() for vector in vectors),
            page_size=self._page_size,
        )
        self.run("INSERT INTO staged (id, speaker_id, content) VALUES (?, ?, ?)", *facts, content)

    def unstage(self, speaker_ids: Sequence[int] | None) -> None:
        """Delete what waits of people; None: of everybody."""
        if speaker_ids is None:
            self.run("DELETE FROM staged")
        else:
            self.run(f"DELETE FROM staged WHERE speaker_id {AMONG}", json.dumps(list(speaker_ids)))

    def staged_clips(self, speaker_id: int, *, dim: int) -> tuple[EnrolledUtterance, ...]:
        """Return the clips that wait of a person."""
        ((_, sealed),) = self._unsealed(f"{STAGED} WHERE speaker_id = ?", speaker_id)
        return voice.to_record(sealed, self._vectors(sealed, dim)).utterances

    def _model(self, number: int) -> StoreModel:
        if number not in self._noted:
            raise self.damage(f"model {number} of a voiceprint is not known")
        return self._noted[number]

    def _vectors(self, sealed: Sealed, dim: int) -> NDArray[np.float32]:
        if not dim or len(sealed.body) % (dim * voice.FLOAT32.itemsize):
            raise self.damage(f"a voiceprint is not of {dim} dimensions")
        # Of length 1 when they were written, which their checksum still says.
        return np.frombuffer(sealed.body, dtype=voice.FLOAT32).reshape(-1, dim).astype(np.float32, copy=False)
