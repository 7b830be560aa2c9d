"""The guard against collapse: how far embeddings spread, and when they have shrunk to a point or a line."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from voiceprint.training.losses.geometry import different_speaker, same_speaker, unit

COLLAPSED_DISTANCE = 0.1
"""Mean cosine distance between speakers below which they are one point; a fresh default encoder has 1.0."""

COLLAPSED_RANK = 2.0
"""Effective rank below which embeddings are one line; a fresh default encoder has 56 over 16 x 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSpread:
    """How embeddings of a batch are spread.

    Parameters
    ----------
    within : float or None
        Mean cosine distance of two rows of one speaker, 0 to 2; None when no speaker has two.
    between : float or None
        Mean cosine distance of two rows of different speakers, 0 to 2; None when there is one speaker.
    effective_rank : float
        How many dimensions the unit-length rows use about their mean, from 1 up; 0 when all rows are equal.
    """

    within: float | None
    between: float | None
    effective_rank: float

    @property
    def collapsed(self) -> bool:
        """Whether embeddings are near a point or a line: `COLLAPSED_DISTANCE`, `COLLAPSED_RANK`.

        Then the loss has found the trivial answer: lower the learning rate or add a classification loss.
        """
        near = self.between is not None and self.between < COLLAPSED_DISTANCE
        return near or self.effective_rank < COLLAPSED_RANK


@torch.no_grad()
def embedding_spread(embeddings: Tensor, labels: Tensor) -> EmbeddingSpread:
    """Measure the spread of a batch; a dozen speakers or more make it meaningful.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Of any length; their direction counts.
    labels : Tensor, shape (N,)
        Speakers; -1 is a speaker of none of the classes.

    References
    ----------
    Roy and Vetterli, "The effective rank: a measure of effective dimensionality" (2007).

    Examples
    --------
    >>> batch, labels = torch.eye(2).repeat_interleave(2, 0), torch.tensor([0, 0, 1, 1])
    >>> spread = embedding_spread(batch, labels)
    >>> spread.within < spread.between
    True
    """
    rows = unit(embeddings.float())
    distances = 1.0 - rows @ rows.T
    return EmbeddingSpread(
        within=_mean(distances[same_speaker(labels)]),
        between=_mean(distances[different_speaker(labels)]),
        effective_rank=_effective_rank(rows - rows.mean(0)),
    )


def _mean(values: Tensor) -> float | None:
    return float(values.mean()) if len(values) else None


def _effective_rank(rows: Tensor) -> float:
    """Exponential of the entropy of the singular values' shares."""
    singular = torch.linalg.svdvals(rows)
    total = singular.sum()
    if float(total) < 1e-6 * len(rows):
        return 0.0
    return float(torch.special.entr(singular / total).sum().exp())
