"""Losses of pairs: Hadsell's contrastive loss, and the siamese network's cross-entropy on a learned distance.

Both look at Euclidean distances between embeddings as they come, not scaled to length one, as published. The
pairs of one speaker and those of two count half each, because a batch of P x K holds far more of the latter.
Written here because pytorch-metric-learning has no learned distance, and its contrastive loss is linear in
the distance where Hadsell's is quadratic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from voiceprint.training.losses.geometry import different_speaker, no_loss, same_speaker


class Pairs(NamedTuple):
    """Rows (T,) of a batch that are compared, and whether each two are of one speaker."""

    first: Tensor
    second: Tensor
    same: Tensor


def contrastive(embeddings: Tensor, labels: Tensor, *, margin: float = 1.0, pairs: str = "all") -> Tensor:
    """Pull the pairs of one speaker together and push those of two at least ``margin`` apart.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Taken as they come.
    labels : Tensor, shape (N,)
        Speakers; -1 is a speaker of none of the classes.
    margin : float
        Euclidean distance from which a pair of two speakers costs nothing.
    pairs : str
        As for `select_pairs`.

    Returns
    -------
    Tensor, shape ()
        ``d^2 / 2`` of a pair of one speaker, ``max(0, margin - d)^2 / 2`` of two: the mean of the two kinds'
        means. Zero, with a gradient, when the batch has no pair.

    References
    ----------
    Hadsell et al., "Dimensionality reduction by learning an invariant mapping" (2006), eq. 4.

    Examples
    --------
    >>> pair = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> float(contrastive(pair, torch.tensor([0, 0])))
    0.0
    """

    def losses(distances: Tensor, same: Tensor) -> Tensor:
        return torch.where(same, distances, F.relu(margin - distances)).square() / 2

    return _pair_loss(embeddings, labels, losses, pairs)


def siamese(
    embeddings: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, *, pairs: str = "all"
) -> Tensor:
    """Cross-entropy of ``sigmoid(weight * distance + bias)`` as the probability of two different speakers.

    Parameters
    ----------
    embeddings, labels, pairs
        As for `contrastive`.
    weight, bias : Tensor, shape ()
        Of the learned distance.

    Returns
    -------
    Tensor, shape ()
        Binary cross-entropy with target 0 for one speaker and 1 for two: the mean of the two kinds' means.
        Zero, with a gradient, when the batch has no pair.

    References
    ----------
    Koch et al., "Siamese neural networks for one-shot image recognition" (2015), with the Euclidean distance
    and the labels of the voicemap project.
    """

    def losses(distances: Tensor, same: Tensor) -> Tensor:
        logits = weight * distances + bias
        return F.binary_cross_entropy_with_logits(logits, (~same).to(logits.dtype), reduction="none")

    return _pair_loss(embeddings, labels, losses, pairs)


def select_pairs(labels: Tensor, pairs: str) -> Pairs:
    """Say which rows of a batch are compared.

    Parameters
    ----------
    labels : Tensor, shape (N,)
        Speakers; two rows of label -1 may be anyone and are no pair.
    pairs : str
        ``"all"``: every two rows. ``"adjacent"``: rows 2i and 2i + 1, as the pair sampler lays them out.

    Raises
    ------
    ValueError
        ``"adjacent"`` of an odd number of rows, or an unknown word.
    """
    same = same_speaker(labels)
    known = same | different_speaker(labels)
    if pairs == "all":
        first, second = known.triu(1).nonzero(as_tuple=True)
    elif pairs == "adjacent" and len(labels) % 2 == 0:
        first = torch.arange(0, len(labels), 2, device=labels.device)
        first = first[known[first, first + 1]]
        second = first + 1
    else:
        raise ValueError(
            f"pairs {pairs!r} of {len(labels)} rows: use 'all', or 'adjacent' with an even number"
        )
    return Pairs(first, second, same[first, second])


def _pair_loss(
    embeddings: Tensor, labels: Tensor, losses: Callable[[Tensor, Tensor], Tensor], pairs: str
) -> Tensor:
    first, second, same = select_pairs(labels, pairs)
    if not len(first):
        return no_loss(embeddings)
    # The norm of the difference, unlike a product of matrices, is exact for near rows and has slope 0 at
    # distance 0.
    distances = torch.linalg.vector_norm(embeddings[first] - embeddings[second], dim=1)
    each = losses(distances, same)
    kinds = [each[kind].mean() for kind in (same, ~same) if bool(kind.any())]
    return torch.stack(kinds).mean()
