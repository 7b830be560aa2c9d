"""The rows of an index: FAISS's, or plain ones where the extra ``search`` is not installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import StoreError


class PlainRows:
    """Centroids in memory, all of them compared by numpy; the part of a FAISS index that is needed here."""

    def __init__(self, dim: int) -> None:
        self.ntotal = 0
        self._rows = np.empty((0, dim), dtype=np.float32)

    def add(self, centroids: NDArray[np.float32]) -> None:
        """Append centroids (n, dim), float32."""
        end = self.ntotal + len(centroids)
        if end > len(self._rows):
            room = np.empty((end + end // 4, self._rows.shape[1]), dtype=np.float32)
            room[: self.ntotal] = self._rows[: self.ntotal]
            self._rows = room
        self._rows[self.ntotal : end] = centroids
        self.ntotal = end

    def search(
        self, queries: NDArray[np.float32], wanted: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and places (1, n) of the `wanted` nearest to a query (1, dim), best first."""
        scores = self._rows[: self.ntotal] @ queries[0]
        best = (
            np.argpartition(-scores, wanted - 1)[:wanted] if wanted < len(scores) else np.arange(len(scores))
        )
        best = best[np.argsort(-scores[best], kind="stable")]
        return scores[best][None], best[None]

    def read(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rows at some places (n, dim)."""
        return self._rows[places]


@cache
def find_faiss() -> ModuleType | None:
    """Import FAISS when it is first needed, because verifying a claim needs no index; None without it."""
    try:
        return import_module("faiss")
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        raise StoreError(
            f"faiss cannot be imported ({error})", advice="install or remove faiss-cpu", path="faiss"
        ) from error


def import_faiss() -> ModuleType:
    """Return FAISS where `find_faiss` found it."""
    return cast("ModuleType", find_faiss())


def new_rows(dim: int) -> Any:
    """Return FAISS's rows in half precision, or plain ones: half the memory is read in half the time."""
    faiss = find_faiss()
    if faiss is None:
        return PlainRows(dim)
    return faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def read_rows(rows: Any, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read rows (n, dim) as float32."""
    if isinstance(rows, PlainRows):
        return rows.read(places)
    # FAISS converts half precision faster than numpy does.
    return np.asarray(rows.sa_decode(np.take(row_bytes(rows), places, axis=0)))


def row_bytes(rows: Any) -> NDArray[np.uint8]:
    """Return the rows (n, 2 * dim) of an `IndexScalarQuantizer` where they lie, until it is added to."""
    stored = import_faiss().rev_swig_ptr(rows.codes.data(), rows.ntotal * rows.code_size)
    return np.asarray(stored, dtype=np.uint8).reshape(rows.ntotal, rows.code_size)
