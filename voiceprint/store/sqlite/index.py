"""The index of centroids: an answer to "who may be nearest?", derived from the database at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.store.candidates import candidates_of
from voiceprint.store.sqlite.index_file import IndexFile, write_index
from voiceprint.store.sqlite.rows import find_faiss, new_rows, read_rows
from voiceprint.store.sqlite.sketch import TRAIN_ON, Sketch

SKETCH_FROM = 50_000
"""People from whom on searches ask the sketch first; below, comparing everybody takes no longer
(``scripts/benchmark_store``, docs/explanation/growing.md)."""

_ERROR = 1e-3
"""How far the inner products of two vectors and a unit-length query may change places in half precision.

Each element is off by at most 2**-11 of itself, so by Cauchy-Schwarz each product by 2**-11, and two by
2**-10; the rest is for float32 sums.
"""

_SKETCHED_AT_A_TIME = 50_000
"""Centroids that a search sketches beside its work, so that no search waits for all of them."""

_FIRST_CANDIDATES = 2500
"""People whom the sketch names at first. More take little longer; asking twice takes twice as long."""

_SCORED_AT_FIRST = 400
"""Of these, so many are scored again at first: their errors tell how many more have to be."""

_SPREADS = 4.25
"""Standard deviations of the sketch's error by which whoever it does not name has to be away."""

_GONE = -1


class SpeakerIndex:
    """Unit-length centroids by speaker id, searched by inner product; in half precision where FAISS is there.

    It names candidates; the database's full-precision centroids decide among them, so the ranking is exact.
    Rows that were read from a file stay there, mapped; those that came since are in memory. A row whose
    speaker changed or was removed stays, without an id, until the index is written.

    Parameters
    ----------
    file : IndexFile or None
        Where most of the rows are.
    """

    def __init__(self, dim: int, *, file: IndexFile | None = None) -> None:
        self.dim = dim
        self._file = file
        self._parts: list[Any] = [new_rows(dim)] if file is None else [file.index, new_rows(dim)]
        self._ids = np.empty(0, dtype=np.int64) if file is None else file.ids.astype(np.int64)
        self._size = len(self._ids)
        self._live = self._size
        self._searches = 0
        self._sketch: Sketch | None = None
        self.last_id = int(self._ids.max(initial=0))

    def __len__(self) -> int:
        return self._live

    @property
    def worn(self) -> bool:
        """Whether so many rows are of nobody that a new index is better."""
        return self._size - self._live > max(1000, self._live // 4)

    def put(self, ids: NDArray[np.int64], centroids: NDArray[np.float32]) -> None:
        """Insert speakers, ids (n,) with centroids (n, dim); `discard` first who may be in the index."""
        if not len(ids):
            return
        sketched = self._sketch is not None and len(self._sketch) == self._size
        self._parts[-1].add(np.ascontiguousarray(centroids))
        end = self._size + len(ids)
        if end > len(self._ids):
            room = np.full(end + end // 4 - len(self._ids), _GONE, dtype=np.int64)
            self._ids = np.concatenate([self._ids, room])
        self._ids[self._size : end] = ids
        self._size = end
        self._live += len(ids)
        self.last_id = max(self.last_id, int(ids.max()))
        if sketched and self._sketch is not None:
            self._sketch.add(centroids)

    def discard(self, ids: NDArray[np.int64]) -> None:
        """Take speakers out; ids that are not there do not matter."""
        known = self._ids[: self._size]
        places = np.flatnonzero(np.isin(known, ids[ids != _GONE]))
        known[places] = _GONE
        self._live -= len(places)

    def candidates(self, query: NDArray[np.float32], *, top: int, exact: bool = False) -> NDArray[np.int64]:
        """Find the speakers among whom the nearest are.

        Parameters
        ----------
        query : ndarray of shape (dim,), float32
        top : int
            How many, at least 1.
        exact : bool
            Compare everybody, however many there are.

        Returns
        -------
        ndarray of shape (m,), int64
            The `top` nearest, those level with the last of them, and whoever is too close for half
            precision to tell; in no order. All if there are no more than `top`. For certain, unless the
            sketch answered: then each with the probability that docs/explanation/growing.md states.
        """
        error = _ERROR * float(np.linalg.norm(query))
        if not exact and self._live >= SKETCH_FROM and find_faiss() is not None:
            candidates = self._sketched(query, top=top, error=error)
            if candidates is not None:
                return candidates
        return candidates_of(
            lambda wanted: self._compare(query, wanted), size=self._live, top=top, error=error
        )

    def save(self, path: Path, *, store_id: bytes, generation: int, temporary: Path) -> None:
        """Write the index, without rows of nobody; raises OSError if it cannot."""
        places = np.flatnonzero(self._ids[: self._size] != _GONE)
        rows = new_rows(self.dim)
        for start in range(0, len(places), _SKETCHED_AT_A_TIME):
            rows.add(self._centroids(places[start : start + _SKETCHED_AT_A_TIME]))
        ids = self._ids[places]
        write_index(path, rows, ids, store_id=store_id, generation=generation, temporary=temporary)

    def _compare(
        self, query: NDArray[np.float32], wanted: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Compare everybody: scores and ids of the `wanted` nearest, best first; all if there are fewer."""
        asked = wanted
        while True:
            scores, ids = self._best_rows(query, asked)
            live = ids != _GONE
            if asked >= self._size or np.count_nonzero(live) >= wanted:
                return scores[live][:wanted], ids[live][:wanted]
            asked = min(2 * asked, self._size)

    def _best_rows(
        self, query: NDArray[np.float32], wanted: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and ids of the `wanted` best rows of all parts, best first; rows of nobody among them."""
        scores, places, first = [], [], 0
        for part in self._parts:
            part_scores, part_places = part.search(query[None], min(wanted, max(part.ntotal, 1)))
            there = part_places[0] >= 0
            scores.append(part_scores[0][there])
            places.append(part_places[0][there] + first)
            first += part.ntotal
        joined = np.concatenate(scores)
        order = np.argsort(-joined, kind="stable")[:wanted]
        return joined[order], self._ids[np.concatenate(places)[order]]

    def _sketched(self, query: NDArray[np.float32], *, top: int, error: float) -> NDArray[np.int64] | None:
        """Find candidates by the sketch; None where it is not complete, or cannot tell who they are."""
        self._searches += 1
        # Who searches only once is better off without one.
        if self._searches == 1 or not self._extend_sketch() or self._sketch is None:
            return None
        wanted = max(_FIRST_CANDIDATES, 4 * top)
        while wanted < self._size // 4:
            rough, places = self._sketch.search(query, wanted)
            candidates = self._nearest_of(query, rough, places, top=top, error=error)
            if candidates is not None:
                return candidates
            wanted *= 4
        return None

    def _nearest_of(
        self,
        query: NDArray[np.float32],
        rough: NDArray[np.float32],
        places: NDArray[np.int64],
        *,
        top: int,
        error: float,
    ) -> NDArray[np.int64] | None:
        """Score rows again, the best rough scores first, until nobody else can be among the nearest.

        None where somebody beyond all of these rows may be.
        """
        scores, ids = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)
        count = min(max(_SCORED_AT_FIRST, 2 * top), len(places))
        while True:
            more = slice(len(scores), count)
            scores = np.concatenate([scores, self._centroids(places[more]) @ query])
            ids = np.concatenate([ids, self._ids[places[more]]])
            live = ids != _GONE
            if np.count_nonzero(live) >= top:
                edge = np.partition(scores[live], -top)[-top] - error
                errors = scores - rough[:count]
                reach = edge - float(np.mean(errors)) - _SPREADS * float(np.std(errors))
                needed = int(np.count_nonzero(rough > reach))
                if needed <= count < len(places):
                    return np.asarray(ids[live & (scores >= edge)], dtype=np.int64)
            else:
                needed = 2 * count
            if count == len(places):
                return None
            count = min(max(needed, count + 1), len(places))

    def _extend_sketch(self) -> bool:
        """Sketch some more rows; returns whether all are."""
        if self._sketch is None:
            some = np.random.default_rng(0).choice(self._size, size=min(self._size, TRAIN_ON), replace=False)
            self._sketch = Sketch(self._centroids(some))
        done = len(self._sketch)
        if done < self._size:
            self._sketch.add(self._centroids(np.arange(done, min(done + _SKETCHED_AT_A_TIME, self._size))))
        return len(self._sketch) == self._size

    def _centroids(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read rows (n, dim) as float32."""
        stored = self._parts[0].ntotal
        if len(self._parts) == 1 or not len(places) or places.max() < stored:
            return read_rows(self._parts[0], places)
        rows = np.empty((len(places), self.dim), dtype=np.float32)
        later = places >= stored
        rows[~later] = read_rows(self._parts[0], places[~later])
        rows[later] = read_rows(self._parts[1], places[later] - stored)
        return rows
