"""How likely it is that words were said in an order: connectionist temporal classification.

Graves et al., "Connectionist temporal classification" (2006), equations 6 to 8, over several orders at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLANK = 0
"""The class of frames in which no word ends."""

_NEVER = -1e30


def order_scores(
    log_probabilities: NDArray[np.float32], orders: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Score orders of classes, over all ways in which the frames may be divided among them.

    Parameters
    ----------
    log_probabilities : ndarray of float32, shape (frames, classes)
    orders : sequence of sequences of int
        Of equal length, without `BLANK`.

    Returns
    -------
    ndarray of float64, shape (orders,)
        Natural log of the probability that the frames hold these classes in this order, and no others;
        very low where there are too few frames for them.

    Examples
    --------
    >>> two_frames = np.log(np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]) + 1e-12)
    >>> np.exp(order_scores(two_frames.astype(np.float32), [[1, 2], [2, 1]])).round(2).tolist()
    [0.25, 0.0]
    """
    labels = np.asarray(orders, dtype=np.intp)  # (n, k)
    states = np.full((len(labels), 2 * labels.shape[1] + 1), BLANK)
    states[:, 1::2] = labels
    # A blank may be passed over between two different labels.
    passing = np.zeros(states.shape, dtype=bool)
    passing[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    frames = log_probabilities.astype(np.float64)
    forward = np.full(states.shape, _NEVER)
    forward[:, :2] = frames[0, states[:, :2]]
    for frame in frames[1:]:
        one, two = np.full(states.shape, _NEVER), np.full(states.shape, _NEVER)
        one[:, 1:] = forward[:, :-1]
        two[:, 2:] = np.where(passing[:, 2:], forward[:, :-2], _NEVER)
        forward = np.logaddexp(np.logaddexp(forward, one), two) + frame[states]
    scores: NDArray[np.float64] = np.logaddexp(forward[:, -1], forward[:, -2])
    return scores
