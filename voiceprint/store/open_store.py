"""What all parts of an open store share: database, model, and how a person is looked up and changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from voiceprint.errors import ModelMismatchError, SpeakerNotFoundError, StoreError
from voiceprint.store.backend import Backend
from voiceprint.store.records import VoiceprintRecord
from voiceprint.store.tables import Header, StoreModel, Tables


class OpenStore:
    """An open database of voiceprints, and the model that it is used with."""

    def __init__(
        self, backend: Backend, *, model_id: str | None, dim: int | None, model_folder: str = ""
    ) -> None:
        self.path: Path | str = backend.place
        self._backend = backend
        self._claim = ModelClaim(store=str(self.path), model_id=model_id, dim=dim, folder=model_folder)

    def check_model(self) -> None:
        """Raise `ModelMismatchError` if the store is of another model than the one in use."""
        with self._backend.reading() as tables:
            self._claim.check(tables)

    def read_document(self, name: str) -> str | None:
        """Return a text stored beside the voiceprints, such as a tuning; None if there is none.

        Raises
        ------
        OSError, UnicodeDecodeError
            If a folder's file cannot be read.
        """
        return self._backend.read_document(name)

    def write_document(self, name: str, text: str | None) -> None:
        """Store a text beside the voiceprints, for the owner's eyes; None removes it.

        Raises
        ------
        StoreReadOnlyError, OSError
            If changes are refused, or a folder's file cannot be written.
        """
        self._backend.write_document(name, text)

    def document_stamp(self, name: str) -> tuple[int, ...]:
        """Return what changes when a text does, so that a reader knows when to read it again."""
        return self._backend.document_stamp(name)

    def _delete(self, tables: Tables, speaker_ids: Collection[int]) -> None:
        """Take people out of the database; the caller erases when this is committed."""
        tables.delete(speaker_ids)
        if speaker_ids:
            tables.log_changes(speaker_ids)

    def _rewrite(self, tables: Tables, speaker_id: int, person: VoiceprintRecord) -> None:
        """Write other facts about a person in the place of the old ones; the caller erases those."""
        tables.write(speaker_id, person, same_clips=True)
        tables.forget_keepsakes(speaker_id)
        tables.log_changes([speaker_id])

    def _find(self, tables: Tables, name: str) -> int:
        speaker_id = tables.find(name)
        if speaker_id is None:
            raise self._unknown(name)
        return speaker_id

    def _unknown(self, name: str) -> SpeakerNotFoundError:
        return SpeakerNotFoundError(
            f"nobody named {name!r} is enrolled in {self.path}", advice="check the name", name=name
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """The model in use, or None for uses that compare no voices."""

    store: str
    model_id: str | None
    dim: int | None
    folder: str = ""

    def check(self, tables: Tables) -> None:
        """Raise `ModelMismatchError` if anybody is enrolled with another model."""
        if self.model_id is None:
            return
        header = tables.header()
        if (header.model_id, header.dim) == (self.model_id, self.dim) or tables.count() == 0:
            return
        former = {model.model_id for model in tables.noted_models() if not model.upcoming}
        if self.model_id not in former:
            raise self._mismatch(header, self.model_id, "the model in use is")

    def check_present(self, tables: Tables) -> None:
        """Raise `ModelMismatchError` if anybody is enrolled, and with another model by now."""
        header = tables.header()
        if (header.model_id, header.dim) != (self.model_id, self.dim) and tables.count() > 0:
            raise self._mismatch(header, self.model_id or "", "the model in use is")

    def take(self, tables: Tables) -> int:
        """Make an empty store one of this model, or check that it is; returns the dimensions."""
        if self.model_id is None or self.dim is None:
            raise StoreError(
                f"the store {self.store} was opened without a model, so nobody can be enrolled",
                path=self.store,
            )
        self.check_present(tables)
        tables.claim(self.model_id, self.dim)
        present = StoreModel(model_id=self.model_id, dim=self.dim, folder=self.folder)
        if self.folder and present not in tables.noted_models():
            tables.note_model(present)
        return self.dim

    def take_for_import(self, tables: Tables, model_id: str, dim: int) -> None:
        """Make an empty store one of the imported voiceprints' model, or check that it is."""
        imported = ModelClaim(store=self.store, model_id=model_id, dim=dim)
        if self.model_id is not None and imported != replace(self, folder=""):
            in_use = Header(id=b"", generation=0, model_id=self.model_id, dim=self.dim, n_speakers=0)
            raise self._mismatch(in_use, model_id, "those to import are")
        imported.take(tables)

    def _mismatch(self, holds: Header, given: str, what: str) -> ModelMismatchError:
        return ModelMismatchError(
            f"the voiceprints in {self.store} are of model {(holds.model_id or '')[:12]}, {what} of "
            f"{given[:12]}",
            advice="name the right one, or move the store to the other with `move_store`",
            path=self.store,
        )
