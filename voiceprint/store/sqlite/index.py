"""The FAISS index of centroids: an answer to "who may be nearest?", derived from the database at any time."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import StoreError
from voiceprint.store.candidates import candidates_of
from voiceprint.store.files import write_private

__all__ = ["SpeakerIndex"]

_HEADER = struct.Struct("<8s16sq32s")
"""Magic, the store's id, its generation, SHA-256 of the rest."""
_MAGIC = b"VPINDEX1"

_ERROR = 1e-3
"""How far the inner products of two vectors and a unit-length query may change places in half precision.

Each element is off by at most 2**-11 of itself, so by Cauchy-Schwarz each product by 2**-11, and two by
2**-10; the rest is for float32 sums.
"""


class SpeakerIndex:
    """Unit-length centroids by speaker id, in half precision, searched by inner product.

    It names candidates; the database's full-precision centroids decide among them, so the ranking is exact.

    Parameters
    ----------
    dim : int
        Dimensions of a centroid.
    """

    def __init__(self, dim: int) -> None:
        faiss = _faiss()
        # Searching is bound by memory: half precision is twice as fast, and as right after the second look.
        halves = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index = faiss.IndexIDMap2(halves)

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

    def candidates(self, query: NDArray[np.float32], *, top: int) -> NDArray[np.int64]:
        """Find the speakers among whom the nearest are for certain.

        Parameters
        ----------
        query : ndarray of shape (dim,), float32
        top : int
            How many, at least 1.

        Returns
        -------
        ndarray of shape (m,), int64
            The `top` nearest, those level with the last of them, and whoever is too close for half
            precision to tell; in no order. All if there are no more than `top`.
        """

        def search(wanted: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            scores, ids = self._index.search(query[None], wanted)
            return scores[0], ids[0]

        error = _ERROR * float(np.linalg.norm(query))
        return candidates_of(search, size=len(self), top=top, error=error)

    def save(self, path: Path, *, store_id: bytes, generation: int, temporary: Path) -> None:
        """Write the index such that no half-written one is ever at `path`; raises OSError if it cannot."""
        content = _faiss().serialize_index(self._index)
        header = _HEADER.pack(_MAGIC, store_id, generation, hashlib.sha256(content).digest())
        write_private(path, header, memoryview(content), temporary=temporary)

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


def _faiss() -> Any:
    # Imported when first needed: verifying a claim reads one centroid and needs no index.
    try:
        import faiss  # noqa: PLC0415
    except ImportError as error:
        raise StoreError(
            f"faiss cannot be imported ({error}); install it with `pip install faiss-cpu`", path="faiss"
        ) from error
    return faiss
