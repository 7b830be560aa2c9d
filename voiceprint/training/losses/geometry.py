"""What the losses share: unit vectors, distances between them, and who counts as the same speaker."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Below this squared distance the square root's slope is cut to zero instead of growing without bound.
_SMALLEST_SQUARE = 1e-8


def unit(embeddings: Tensor) -> Tensor:
    """Scale each row to length one; a zero row stays zero."""
    return F.normalize(embeddings, dim=-1)


def unit_distances(embeddings: Tensor) -> Tensor:
    """Euclidean distances (N, N), 0 to 2, between the rows of (N, dim) after scaling them to length one."""
    rows = unit(embeddings)
    return (2.0 - 2.0 * rows @ rows.T).clamp_min(_SMALLEST_SQUARE).sqrt()


def cosine_distances(embeddings: Tensor) -> Tensor:
    """One minus the cosine, (N, N), 0 to 2, between the rows of (N, dim)."""
    rows = unit(embeddings)
    return 1.0 - rows @ rows.T


def same_speaker(labels: Tensor) -> Tensor:
    """Mask (N, N) of the pairs of two rows of one speaker; rows of label -1 have no partner."""
    same = (labels[:, None] == labels[None, :]) & (labels >= 0)[:, None]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def different_speaker(labels: Tensor) -> Tensor:
    """Mask (N, N) of the pairs of two speakers; two rows of label -1 may be anyone."""
    return labels[:, None] != labels[None, :]


def no_loss(embeddings: Tensor) -> Tensor:
    """A zero that reaches back to the embeddings, so that `backward` works on a batch without a case."""
    return embeddings.sum() * 0.0
