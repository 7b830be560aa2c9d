"""Classification over the training speakers: softmax, and its additive and angular margins with sub-centres.

Rows of label -1 belong to no class and are left out. The margin losses are written here and not taken from
pytorch-metric-learning because theirs draw their centres from the global generator, differentiate ``acos``
(infinite at a cosine of 1) and cannot warm a margin up.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from voiceprint.classification import CosineHead, LinearHead
from voiceprint.training.losses.geometry import unit

# Keeps the slope of sin(theta) = sqrt(1 - cos(theta)^2) finite; a cosine of 1 is then off by at most 1e-3 in
# sine.
_SMALLEST_SQUARED_SINE = 1e-6


def softmax(embeddings: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Cross-entropy of a linear classifier on the embeddings as they come.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Not normalised.
    labels : Tensor, shape (N,)
        Classes; -1 is left out.
    weight, bias : Tensor, shapes (classes, dim) and (classes,)
        The classifier.

    Returns
    -------
    Tensor, shape ()
        Mean over the rows that have a class; zero when there are none.

    Examples
    --------
    >>> same = torch.zeros(2, 3)
    >>> float(softmax(same, torch.tensor([0, 1]), torch.zeros(2, 3), torch.zeros(2)))  # log 2
    0.693...
    """
    return _cross_entropy(F.linear(embeddings, weight, bias), labels)


def am_softmax(embeddings: Tensor, labels: Tensor, centres: Tensor, *, margin: float, scale: float) -> Tensor:
    """Additive margin softmax: the cosine to the own class counts as ``margin`` less than it is.

    Parameters
    ----------
    embeddings : Tensor, shape (N, dim)
        Of any length; their direction counts.
    labels : Tensor, shape (N,)
        Classes; -1 is left out.
    centres : Tensor, shape (classes, sub_centres, dim)
        Of any length; the nearest sub-centre stands for its class.
    margin : float
        In cosine.
    scale : float
        Factor of every cosine before the softmax.

    Returns
    -------
    Tensor, shape ()
        Mean over the rows that have a class; zero when there are none.

    References
    ----------
    Wang et al., "Additive margin softmax for face verification" (2018), eq. 6; sub-centres: Deng et al.,
    "Sub-center ArcFace" (2020).

    Examples
    --------
    >>> two, own, other = torch.eye(2), torch.tensor([0, 1]), torch.tensor([1, 0])
    >>> right = am_softmax(two, own, two[:, None], margin=0.2, scale=30.0)
    >>> bool(right < am_softmax(two, other, two[:, None], margin=0.2, scale=30.0))
    True
    """
    return _margin_softmax(embeddings, labels, centres, lambda target: target - margin, scale)


def aam_softmax(
    embeddings: Tensor, labels: Tensor, centres: Tensor, *, margin: float, scale: float
) -> Tensor:
    """Additive angular margin softmax: ``margin`` radians are added to the angle to the own class.

    Parameters and result are those of `am_softmax`, save that ``margin`` is an angle.

    References
    ----------
    Deng et al., "ArcFace: additive angular margin loss for deep face recognition" (2019), eq. 3.

    Examples
    --------
    >>> two, own, other = torch.eye(2), torch.tensor([0, 1]), torch.tensor([1, 0])
    >>> right = aam_softmax(two, own, two[:, None], margin=0.2, scale=30.0)
    >>> bool(right < aam_softmax(two, other, two[:, None], margin=0.2, scale=30.0))
    True
    """
    return _margin_softmax(
        embeddings, labels, centres, lambda target: additive_angular_margin(target, margin), scale
    )


def additive_angular_margin(cosine: Tensor, margin: float) -> Tensor:
    """Turn cos(theta) into cos(theta + margin), falling all the way from theta = 0 to pi.

    Past ``pi - margin`` the cosine would rise again, which would reward the worst rows; there the value goes
    on as ``cos(theta) - margin * sin(margin)``, which lies below.

    Parameters
    ----------
    cosine : Tensor
        Of the angle theta.
    margin : float
        Radians, from 0 to below pi / 2.

    Returns
    -------
    Tensor
        Of the same shape; its slope is finite everywhere.
    """
    sine = (1.0 - cosine.square()).clamp_min(_SMALLEST_SQUARED_SINE).sqrt()
    moved = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - margin * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), moved, beyond)


class SoftmaxLoss(nn.Module):
    """`softmax` with its classifier, drawn from ``generator``."""

    def __init__(self, *, dim: int, n_classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_classes, dim))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        nn.init.xavier_uniform_(self.weight, generator=generator)

    def head(self) -> LinearHead:
        """The classifier as it is now, a copy."""
        return LinearHead(weight=_array(self.weight), bias=_array(self.bias))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss () of embeddings (N, dim)."""
        return softmax(embeddings, labels, self.weight, self.bias)


class MarginSoftmaxLoss(nn.Module):
    """`am_softmax` or `aam_softmax` with its centres, drawn from ``generator``.

    ``margin_fraction`` is the share of the margin in force, for a warm-up; it is the schedule's and not part
    of the state dict.
    """

    def __init__(
        self,
        *,
        angular: bool,
        dim: int,
        n_classes: int,
        margin: float,
        scale: float,
        sub_centres: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(n_classes, sub_centres, dim))
        # Drawn as the matrix that it is, so that the spread does not depend on the number of sub-centres.
        nn.init.xavier_uniform_(self.centres.data.view(-1, dim), generator=generator)
        self.angular = angular
        self.margin = margin
        self.scale = scale
        self.margin_fraction = 1.0

    def head(self) -> CosineHead:
        """The classifier as it is now, without its margin, a copy."""
        return CosineHead(centres=_array(self.centres), scale=self.scale)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean loss () of embeddings (N, dim)."""
        loss = aam_softmax if self.angular else am_softmax
        margin = self.margin * self.margin_fraction
        return loss(embeddings, labels, self.centres, margin=margin, scale=self.scale)


def _array(parameter: nn.Parameter) -> NDArray[np.float32]:
    array: NDArray[np.float32] = parameter.detach().cpu().float().numpy().copy()
    return array


def _margin_softmax(
    embeddings: Tensor,
    labels: Tensor,
    centres: Tensor,
    with_margin: Callable[[Tensor], Tensor],
    scale: float,
) -> Tensor:
    cosines = _class_cosines(embeddings, centres)  # (N, classes)
    own = labels.clamp_min(0)[:, None]  # (N, 1); rows without a class are left out below
    logits = scale * cosines.scatter(1, own, with_margin(cosines.gather(1, own)))
    return _cross_entropy(logits, labels)


def _class_cosines(embeddings: Tensor, centres: Tensor) -> Tensor:
    classes, sub_centres, dim = centres.shape
    cosines = unit(embeddings) @ unit(centres.view(-1, dim)).T  # (N, classes * sub_centres)
    return cosines.view(len(embeddings), classes, sub_centres).amax(2)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the rows that have a class; zero, still with a gradient, where none has."""
    known = (labels >= 0).sum().clamp_min(1)
    return F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum") / known
