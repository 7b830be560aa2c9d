"""Who is nearest to an embedding, among everybody who is enrolled."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.errors import ArgumentError, StoreError
from voiceprint.store.open_store import OpenStore
from voiceprint.store.records import StoreHit, now
from voiceprint.store.tables import Tables

_SPARE = 4
"""For so many people wanted, one more is looked at, in the place of somebody whose voiceprint has expired."""


class Searching(OpenStore):
    """The part of a store that finds people by their voice."""

    def search(self, embedding: NDArray[np.float32], *, top: int, exact: bool = False) -> list[StoreHit]:
        """Find the enrolled people nearest to an embedding; those whose voiceprint has expired are left out.

        Parameters
        ----------
        embedding : ndarray of shape (dim,), float32
            Unit length.
        top : int
            How many, at least 1; fewer come back where fewer are enrolled.
        exact : bool
            Compare everybody, however many there are. Otherwise a large store asks an approximate index first
            and scores again whom it names; docs/explanation/growing.md says from which size on, and what it
            may miss. The environment variable ``VOICEPRINT_EXACT=1`` asks for it in a process's every search.

        Returns
        -------
        list of StoreHit
            Best first; equal scores in the order of names.

        Raises
        ------
        StoreError
            If the embedding does not fit the store.
        """
        check_count("top", top)
        with self._backend.reading() as tables:
            self._claim.check(tables)
            query = self._query(tables, embedding)
            if query is None:
                return []
            if self._claim.model_id not in (None, tables.header().model_id):
                mine = [who for who, model in tables.earlier().items() if model == self._claim.model_id]
                return tables.nearest(np.array(mine, dtype=np.int64), query, moment=now())[:top]
            exact = exact or os.environ.get("VOICEPRINT_EXACT", "0") not in ("", "0")
            moment, wanted = now(), top + top // _SPARE
            while True:
                candidates = tables.candidates(query, top=wanted, exact=exact)
                hits = tables.nearest(candidates, query, moment=moment)
                if len(hits) >= top or len(candidates) < wanted:
                    return hits[:top]
                wanted *= 4

    def _query(self, tables: Tables, embedding: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Check what is sought; None where nobody is enrolled who could be identified."""
        try:
            query = np.ascontiguousarray(embedding, dtype=np.float32)
        except (TypeError, ValueError, OverflowError) as error:
            raise ArgumentError("embedding", embedding, "an array of numbers") from error
        claim = self._claim
        dim = tables.header().dim if claim.model_id is None or tables.count() == 0 else claim.dim
        if dim is None or (query.shape != (dim,) and tables.count() == 0):
            return None
        if query.shape != (dim,) or not np.isfinite(query).all():
            raise StoreError(
                f"a search needs a finite embedding of shape ({dim},), got one of shape {query.shape}",
                path=str(self.path),
            )
        return query
