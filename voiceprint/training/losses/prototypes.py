"""Losses against every speaker's prototype in the batch: GE2E, angular prototypical, supervised contrastive.

Speakers with one utterance in the batch, and rows of label -1, have no prototype and are left out; in the
supervised contrastive loss they still serve as negatives. That loss is pytorch-metric-learning's, which lacks
the other two.
"""

from __future__ import annotations

import torch
from pytorch_metric_learning.losses import SupConLoss
from torch import Tensor
from torch.nn import functional as F

from voiceprint.training.losses.geometry import no_loss, same_speaker, unit

# The learned factor must stay positive; this is where training would hold it.
_SMALLEST_SCALE = 1e-6


def ge2e(embeddings: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Generalised end-to-end loss, softmax variant: an utterance should be nearest to its own centroid.

    The centroid of its own speaker leaves the utterance out. The published bias cancels in the softmax and is
    omitted.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Of any length; their direction counts.
    labels : Tensor, shape (N,)
        Speakers, each of at least two rows; other rows are left out.
    scale : Tensor, shape ()
        Factor of the cosines, kept above zero.

    Returns
    -------
    Tensor, shape ()
        Mean over the utterances; zero, with a gradient, when no speaker has two.

    References
    ----------
    Wan et al., "Generalized end-to-end loss for speaker verification" (2018), eq. 5, 6 and 8.

    Examples
    --------
    >>> batch, scale = torch.eye(2).repeat_interleave(2, 0), torch.tensor(10.0)
    >>> right = ge2e(batch, torch.tensor([0, 0, 1, 1]), scale)
    >>> bool(right < ge2e(batch, torch.tensor([0, 1, 0, 1]), scale))
    True
    """
    kept = same_speaker(labels).any(1)
    if not bool(kept.any()):
        return no_loss(embeddings)
    rows = unit(embeddings[kept])
    members, speaker = _members(labels[kept], rows.dtype)
    sums = members.T @ rows  # (speakers, dim)
    own = (rows * unit(sums[speaker] - rows)).sum(1, keepdim=True)  # (n, 1)
    cosines = (rows @ unit(sums).T).scatter(1, speaker[:, None], own)  # (n, speakers)
    return F.cross_entropy(scale.clamp_min(_SMALLEST_SCALE) * cosines, speaker)


def angular_prototypical(embeddings: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Angular prototypical loss: each speaker's last utterance should be nearest to the mean of its others.

    The published bias cancels in the softmax and is omitted.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Averaged as they come; the cosine to the average counts.
    labels, scale
        As for `ge2e`.

    Returns
    -------
    Tensor, shape ()
        Mean over the speakers; zero, with a gradient, when no speaker has two utterances.

    References
    ----------
    Chung et al., "In defence of metric learning for speaker recognition" (2020), section 2.2.

    Examples
    --------
    >>> batch, scale = torch.eye(2).repeat_interleave(2, 0), torch.tensor(10.0)
    >>> right = angular_prototypical(batch, torch.tensor([0, 0, 1, 1]), scale)
    >>> bool(right < angular_prototypical(batch, torch.tensor([0, 1, 0, 1]), scale))
    True
    """
    kept = same_speaker(labels).any(1)
    if not bool(kept.any()):
        return no_loss(embeddings)
    rows = embeddings[kept]
    members, _ = _members(labels[kept], rows.dtype)
    order = torch.arange(1, len(rows) + 1, device=rows.device, dtype=rows.dtype)
    queries = rows[(members * order[:, None]).argmax(0)]  # (speakers, dim)
    # The length of a prototype does not matter, so the sum of the others serves as their mean.
    prototypes = members.T @ rows - queries
    cosines = unit(queries) @ unit(prototypes).T
    speakers = torch.arange(len(queries), device=rows.device)
    return F.cross_entropy(scale.clamp_min(_SMALLEST_SCALE) * cosines, speakers)


def supervised_contrastive(embeddings: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrastive loss: each utterance's positives against all other rows of the batch.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Of any length; their direction counts.
    labels : Tensor, shape (N,)
        Speakers; -1 is a speaker of none of the classes.
    temperature : float
        Divides the cosines.

    Returns
    -------
    Tensor, shape ()
        Mean over the rows that have a positive; zero, with a gradient, when none has one or there is one
        speaker only.

    References
    ----------
    Khosla et al., "Supervised contrastive learning" (2020), eq. 2.

    Examples
    --------
    >>> batch, labels = torch.eye(2).repeat_interleave(2, 0), torch.tensor([0, 0, 1, 1])
    >>> together = supervised_contrastive(batch, labels, temperature=0.1)
    >>> bool(together < supervised_contrastive(batch, torch.tensor([0, 1, 0, 1]), temperature=0.1))
    True
    """
    loss: Tensor = SupConLoss(temperature=temperature)(embeddings, _each_unknown_alone(labels))
    return loss


def _members(labels: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Membership (N, speakers) of rows in speakers as zeros and ones, and each row's speaker (N,)."""
    speaker: Tensor = torch.unique(labels, return_inverse=True)[1]
    return F.one_hot(speaker).to(dtype), speaker


def _each_unknown_alone(labels: Tensor) -> Tensor:
    """Give every row of label -1 a label of its own, so that no two of them are taken for one speaker."""
    alone = torch.arange(len(labels), device=labels.device) + labels.max() + 1
    return torch.where(labels < 0, alone, labels)
