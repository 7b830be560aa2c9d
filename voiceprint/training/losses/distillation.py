"""Distillation: the student's embedding should point where a teacher's does."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine distance between each student embedding and its teacher's.

    Parameters
    ----------
    student, teacher : Tensor, shape (N, dim)
        Of any length; their direction counts. No gradient reaches the teacher's.

    Returns
    -------
    Tensor, shape ()
        Mean of ``1 - cos(student, teacher)``, from 0 to 2.

    Examples
    --------
    >>> float(distillation(torch.eye(2), torch.eye(2)))
    0.0
    """
    return (1.0 - F.cosine_similarity(student, teacher.detach(), dim=1)).mean()


class DistillationLoss(nn.Module):
    """`distillation`, with a learned projection of the student where the teacher has another dimension."""

    def __init__(self, *, dim: int, teacher_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.projection: nn.Parameter | None = None
        if dim != teacher_dim:
            self.projection = nn.Parameter(torch.empty(teacher_dim, dim))
            nn.init.xavier_uniform_(self.projection, generator=generator)

    def forward(self, embeddings: Tensor, teacher: Tensor) -> Tensor:
        """Mean loss () of embeddings (N, dim) against teacher embeddings (N, teacher_dim)."""
        if self.projection is not None:
            embeddings = F.linear(embeddings, self.projection)
        return distillation(embeddings, teacher)
