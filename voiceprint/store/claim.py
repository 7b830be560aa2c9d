"""Which model a store belongs to: checked whenever it is used, taken by whoever enrolls first."""

from __future__ import annotations

from dataclasses import dataclass

from voiceprint.errors import ModelMismatchError, StoreError
from voiceprint.store.tables import Header, Tables

__all__ = ["ModelClaim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """The model in use, or None for uses that compare no voices.

    Parameters
    ----------
    store : str
        What messages call the store.
    dim : int or None
        Dimensions of the model's embeddings.
    """

    store: str
    model_id: str | None
    dim: int | None

    def check(self, tables: Tables) -> None:
        """Raise `ModelMismatchError` if anybody is enrolled with another model."""
        if self.model_id is None:
            return
        header = tables.header()
        if (header.model_id, header.dim) != (self.model_id, self.dim) and tables.count() > 0:
            raise self._mismatch(header, self.model_id, "the model in use is")

    def take(self, tables: Tables) -> int:
        """Make an empty store one of this model, or check that it is; returns the dimensions."""
        if self.model_id is None or self.dim is None:
            raise StoreError(
                f"the store {self.store} was opened without a model, so nobody can be enrolled",
                path=self.store,
            )
        self.check(tables)
        tables.claim(self.model_id, self.dim)
        return self.dim

    def take_for_import(self, tables: Tables, model_id: str, dim: int) -> None:
        """Make an empty store one of the imported voiceprints' model, or check that it is."""
        imported = ModelClaim(store=self.store, model_id=model_id, dim=dim)
        if self.model_id is not None and imported != self:
            in_use = Header(id=b"", generation=0, model_id=self.model_id, dim=self.dim, n_speakers=0)
            raise self._mismatch(in_use, model_id, "those to import are")
        imported.take(tables)

    def _mismatch(self, holds: Header, given: str, what: str) -> ModelMismatchError:
        return ModelMismatchError(
            f"the voiceprints in {self.store} are of model {(holds.model_id or '')[:12]}, {what} of "
            f"{given[:12]}",
            advice="name the right one, or enroll everybody again from their clips into another store",
            path=self.store,
        )
