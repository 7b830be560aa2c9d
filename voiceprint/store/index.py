"""The FAISS index of centroids: an answer to "who is nearest?", derived from the database at any time."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import StoreError
from voiceprint.scoring import cosine
from voiceprint.store.files import write_atomic

__all__ = ["SpeakerIndex"]

_HEADER = struct.Struct("<8s16sq32s")
"""Magic, the store's id, its generation, SHA-256 of the rest."""
_MAGIC = b"VPINDEX1"

_ROUNDING = 4e-6
"""FAISS's float32 sums may order scores that are this close, or equal, either way."""
_SPARE = 8
"""Candidates beyond those asked for, so that a tie at the edge seldom needs a second search."""


class SpeakerIndex:
    """Unit-length centroids by speaker id, exactly searched by inner product.

    Parameters
    ----------
    dim : int
        Dimensions of a centroid.
    """

    def __init__(self, dim: int) -> None:
        faiss = _faiss()
        # FAISS hands batches over 20 queries to BLAS, which for vectors this short is ten times slower.
        faiss.cvar.distance_compute_blas_threshold = 20 * dim
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        """Dimensions of a centroid."""
        return int(self._index.d)

    def put(self, ids: NDArray[np.int64], centroids: NDArray[np.float32]) -> None:
        """Insert speakers who are not in the index; `discard` them first where they may be.

        Parameters
        ----------
        ids : ndarray of shape (n,), int64
        centroids : ndarray of shape (n, dim), float32
        """
        self._index.add_with_ids(np.ascontiguousarray(centroids), ids)

    def discard(self, ids: NDArray[np.int64]) -> None:
        """Take speakers out; ids that are not there do not matter."""
        if len(ids) and len(self):
            self._index.remove_ids(ids)

    def search(
        self, query: NDArray[np.float32], *, top: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest speakers.

        Parameters
        ----------
        query : ndarray of shape (dim,), float32
            Unit length.
        top : int
            How many, at least 1.

        Returns
        -------
        ids : ndarray of shape (m,), int64
            The `top` nearest and those level with the last of them, in no order; all if there are fewer.
        scores : ndarray of shape (m,), float32
            Their cosines, exactly as `voiceprint.scoring.cosine` gives them.
        """
        ids = self._candidates(query, top)
        return ids, cosine(self._index.reconstruct_batch(ids), query)

    def save(self, path: Path, *, store_id: bytes, generation: int, temporary: Path) -> None:
        """Write the index such that no half-written one is ever at `path`; raises OSError if it cannot."""
        content = _faiss().serialize_index(self._index)
        header = _HEADER.pack(_MAGIC, store_id, generation, hashlib.sha256(content).digest())
        write_atomic(path, [header, memoryview(content)], temporary=temporary)

    @classmethod
    def load(cls, path: Path, *, store_id: bytes, dim: int) -> tuple[SpeakerIndex, int] | None:
        """Read an index and its generation; None if it is missing, damaged or of another store."""
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        if len(raw) < _HEADER.size:
            return None
        magic, owner, generation, digest = _HEADER.unpack_from(raw)
        content = memoryview(raw)[_HEADER.size :]
        if (magic, owner) != (_MAGIC, store_id) or hashlib.sha256(content).digest() != digest:
            return None
        loaded = cls(dim)
        loaded._index = _faiss().deserialize_index(np.frombuffer(content, dtype=np.uint8))
        return (loaded, generation) if loaded.dim == dim else None

    def _candidates(self, query: NDArray[np.float32], top: int) -> NDArray[np.int64]:
        wanted = min(top + _SPARE, len(self))
        while True:
            scores, ids = self._index.search(query[None], wanted)
            edge = scores[0, min(top, wanted) - 1] - _ROUNDING
            if wanted == len(self) or scores[0, -1] < edge:
                return np.asarray(ids[0][scores[0] >= edge], dtype=np.int64)
            wanted = min(2 * wanted, len(self))


def _faiss() -> Any:
    # Imported when first needed: verifying a claim reads one centroid and needs no index.
    try:
        import faiss  # noqa: PLC0415
    except ImportError as error:
        raise StoreError(
            f"faiss cannot be imported ({error}); install it with `pip install faiss-cpu`", path="faiss"
        ) from error
    return faiss
