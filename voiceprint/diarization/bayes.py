"""Speakers of a sequence of embeddings by variational Bayes: a hidden Markov model, each state a voice.

Landini et al., "Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization" (Computer Speech
and Language, 2022), with the same spread in every direction. It begins with too many speakers: those who
explain nothing that others do not lose what they say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["infer_voices"]

_BETWEEN = 0.5  # of the variance of embeddings lies between people, the rest within one
_EVIDENCE = 0.9  # weight of an embedding: neighbours share their sound
_CAUTION = 8.0  # weight of the prior against more speakers
_STAY = 0.9  # probability that the same person goes on
_ROUNDS = 10
_BEGIN = 0.9  # probability of the speaker that it begins with


def infer_voices(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    """Improve who says what, and drop speakers that are not needed.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dim)
        Of unit length, in order of time.
    labels : ndarray of int64, shape (n,)
        The speaker of each to begin with, from 0 on.

    Returns
    -------
    labels : ndarray of int64, shape (n,)
        The likeliest speaker of each; not every number need be there.
    evidence : float
        Bound of the log-likelihood, by which answers from several beginnings compare.

    Examples
    --------
    >>> rows = np.eye(8, dtype=np.float32)[[0] * 20 + [1] * 20]
    >>> infer_voices(rows, np.array([0] * 16 + [1] * 4 + [2] * 20))[0][[0, 19, 20, 39]].tolist()
    [0, 0, 2, 2]
    """
    count = int(labels.max()) + 1
    dim = embeddings.shape[1]
    spread = _BETWEEN / (1.0 - _BETWEEN)
    rows = (embeddings - embeddings.mean(axis=0)) * np.sqrt(dim * spread / (1.0 - _BETWEEN))
    shares = np.eye(count)[labels] * _BEGIN + (1.0 - _BEGIN) / count
    priors = np.full(count, 1.0 / count)
    weight, evidence = _EVIDENCE / _CAUTION, -np.inf
    for _ in range(_ROUNDS):
        precision = 1.0 + weight * spread * shares.sum(axis=0)
        voices = weight * (shares.T @ rows) / precision[:, None]
        uncertainty = spread * (dim / precision + (voices**2).sum(axis=1))
        shares, priors, evidence = _smoothed(_EVIDENCE * (rows @ voices.T - 0.5 * uncertainty), priors)
        complexity = dim * (np.log(precision) + 1.0 / precision - 1.0) + (voices**2).sum(axis=1)
        evidence -= 0.5 * _CAUTION * float(complexity.sum())
    return np.asarray(shares.argmax(axis=1), dtype=np.int64), evidence


def _smoothed(
    likelihoods: NDArray[np.float64], priors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Run forward and backward: probabilities of the states (n, k), new priors of them, log-likelihood."""
    highest = likelihoods.max(axis=1, keepdims=True)
    given = np.exp(likelihoods - highest)
    change = (1.0 - _STAY) * priors
    forward, scale = np.empty_like(given), np.empty(len(given))
    before = priors
    for place, each in enumerate(given):
        forward[place] = each * (before if place == 0 else _STAY * before + change)
        scale[place] = max(forward[place].sum(), 1e-300)
        forward[place] /= scale[place]
        before = forward[place]
    backward = np.ones_like(given)
    for place in range(len(given) - 2, -1, -1):
        ahead = given[place + 1] * backward[place + 1] / scale[place + 1]
        backward[place] = _STAY * ahead + change @ ahead
    shares = forward * backward
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    begun = shares[0] + change * (given[1:] * backward[1:] / scale[1:, None]).sum(axis=0)
    return shares, begun / begun.sum(), float(np.log(scale).sum() + highest.sum())
