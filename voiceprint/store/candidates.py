"""Who must be looked at a second time after an inexact search, so that the ranking comes out exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Search = Callable[[int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""``search(n) -> scores (n,), ids (n,)``: the `n` best, best first."""

_SPARE = 8
"""Candidates beyond those asked for, so that a tie at the edge seldom needs a second search."""


def candidates_of(search: Search, *, size: int, top: int, error: float) -> NDArray[np.int64]:
    """Find the speakers among whom the nearest are for certain, given how wrong the scores may be.

    Parameters
    ----------
    search : callable
        ``search(n) -> scores (n,), ids (n,)``, best first; fewer where fewer are enrolled.
    top : int
        How many are wanted, at least 1.
    error : float
        By how much a difference of two scores may be off.

    Returns
    -------
    ndarray of shape (m,), int64
        The `top` best, those level with the last of them, and whoever is too close to tell; in no order.
        All if there are no more than `top`.
    """
    wanted = min(top + _SPARE, size)
    while wanted:
        scores, ids = search(wanted)
        if not len(scores):
            break
        edge = scores[min(top, len(scores)) - 1] - error
        if wanted == size or len(scores) < wanted or scores[-1] < edge:
            return np.asarray(ids[scores >= edge], dtype=np.int64)
        wanted = min(2 * wanted, size)
    return np.empty(0, dtype=np.int64)
