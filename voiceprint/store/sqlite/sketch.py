"""Every centroid in four bits for each two dimensions: who may be near a query, in a fraction of the time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voiceprint.store.sqlite.rows import import_faiss

TRAIN_ON = 8192
"""Centroids from which the codes are learned: 500 for each of the 16 codes of a pair of dimensions."""


class Sketch:
    """Centroids as product-quantised codes of four bits, all of them compared by FAISS's fast scan.

    A random rotation spreads what distinguishes voices over all dimensions alike; then each pair of
    dimensions has 16 codes. A score comes out with an error of some 0.025, so the sketch names candidates,
    and the caller scores them again. It lives in memory only: nothing of it has to be erased from a disk.

    Parameters
    ----------
    sample : ndarray of shape (n, dim), float32
        Centroids to learn the codes from, at least 16; more than `TRAIN_ON` do not help.
    """

    def __init__(self, sample: NDArray[np.float32]) -> None:
        faiss = import_faiss()
        dim = sample.shape[1]
        pairs = (dim + 1) // 2
        gaussian = np.random.default_rng(0).standard_normal((2 * pairs, 2 * pairs))
        self._rotation = np.linalg.qr(gaussian)[0][:dim].astype(np.float32)
        self._codes = faiss.IndexPQFastScan(2 * pairs, pairs, 4, faiss.METRIC_INNER_PRODUCT)
        self._codes.train(sample @ self._rotation)

    def __len__(self) -> int:
        return int(self._codes.ntotal)

    def add(self, centroids: NDArray[np.float32]) -> None:
        """Append centroids (n, dim), float32."""
        if len(centroids):
            self._codes.add(centroids @ self._rotation)

    def search(
        self, query: NDArray[np.float32], wanted: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return rough scores (n,) and places (n,) of the `wanted` nearest to a query (dim,), best first."""
        scores, places = self._codes.search((query @ self._rotation)[None], wanted)
        present = places[0] >= 0
        return scores[0][present], places[0][present]
