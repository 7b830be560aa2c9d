"""Resegmentation: the likeliest way through the speakers, step by step (Viterbi over a hidden Markov model).

As in VBx (Landini et al., "Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization",
2022) a state is a speaker, and changes cost; here what a step says of a speaker is the calibrated ratio.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode"]


def decode(emissions: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the likeliest speaker of each step.

    Parameters
    ----------
    emissions : ndarray of float64, shape (n, k)
        Log-likelihood of each step under each speaker, up to a constant a step.
    change : ndarray of float64, shape (n,)
        Log-probability that costs another speaker than in the step before; that of the first is not used.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> decode(np.array([[2.0, 0.0], [0.0, 0.5], [2.0, 0.0]]), np.array([0.0, -3.0, -3.0]))
    array([0, 0, 0])
    """
    count, speakers = emissions.shape
    best = emissions[0].copy()
    back = np.zeros((count, speakers), dtype=np.int64)
    stay = np.arange(speakers)
    for step in range(1, count):
        other = int(best.argmax())
        moved = best[other] + change[step]
        back[step] = np.where(best >= moved, stay, other)
        best = np.maximum(best, moved) + emissions[step]
    path = np.zeros(count, dtype=np.int64)
    path[-1] = int(best.argmax())
    for step in range(count - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
