"""Which model a store belongs to: checked whenever it is used, taken by whoever enrolls first."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from voiceprint.errors import ModelMismatchError, StoreError
from voiceprint.store import rows

__all__ = ["ModelClaim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """The model in use, or None for uses that compare no voices.

    Parameters
    ----------
    store : Path
        The store's folder, for messages.
    model_id : str or None
    dim : int or None
        Dimensions of the model's embeddings.
    """

    store: Path
    model_id: str | None
    dim: int | None

    def check(self, connection: sqlite3.Connection) -> None:
        """Raise `ModelMismatchError` if anybody is enrolled with another model."""
        if self.model_id is None:
            return
        header = rows.read_header(connection)
        if (header.model_id, header.dim) != (self.model_id, self.dim) and rows.count(connection) > 0:
            raise self._mismatch(header, self.model_id, "the model in use is")

    def take(self, connection: sqlite3.Connection) -> int:
        """Make an empty store one of this model, or check that it is; returns the dimensions."""
        if self.model_id is None or self.dim is None:
            raise StoreError(
                f"the store {self.store} was opened without a model, so nobody can be enrolled",
                path=str(self.store),
            )
        self.check(connection)
        rows.claim(connection, self.model_id, self.dim)
        return self.dim

    def take_for_import(self, connection: sqlite3.Connection, model_id: str, dim: int) -> None:
        """Make an empty store one of the imported voiceprints' model, or check that it is."""
        imported = ModelClaim(store=self.store, model_id=model_id, dim=dim)
        if self.model_id is not None and imported != self:
            in_use = rows.Header(id=b"", generation=0, model_id=self.model_id, dim=self.dim)
            raise self._mismatch(in_use, model_id, "those to import are")
        imported.take(connection)

    def _mismatch(self, holds: rows.Header, given: str, what: str) -> ModelMismatchError:
        return ModelMismatchError(
            f"the voiceprints in {self.store} are of model {(holds.model_id or '')[:12]}, {what} of "
            f"{given[:12]}; name the right one with --model, or enroll everybody again from their clips "
            "into another --store",
            path=str(self.store),
        )
