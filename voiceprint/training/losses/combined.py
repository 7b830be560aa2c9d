"""`CombinedLoss`: the weighted sum of the losses that a recipe names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from voiceprint.classification import Head
from voiceprint.errors import ConfigError
from voiceprint.training.losses.classification import MarginSoftmaxLoss, SoftmaxLoss
from voiceprint.training.losses.config import LossConfig, require_distinct
from voiceprint.training.losses.distillation import DistillationLoss
from voiceprint.training.losses.pairs import contrastive, siamese
from voiceprint.training.losses.prototypes import angular_prototypical, ge2e, supervised_contrastive
from voiceprint.training.losses.triplet import TripletLoss, triplet


@dataclass(frozen=True, slots=True)
class LossParts:
    """A loss and what it is made of.

    Parameters
    ----------
    total : Tensor, shape ()
        The weighted sum, to call `backward` on.
    parts : dict of str to Tensor
        Each loss by name, weighted and detached; they add up to `total`.
    """

    total: Tensor
    parts: dict[str, Tensor]


class CombinedLoss(nn.Module):
    """The weighted sum of several losses of the same embeddings, in float32 even under autocast.

    Rows of label -1 are speakers of none of the classes: the classification losses leave them out,
    distillation counts them like any other, and for the rest they have no positives and are at most negatives
    of labelled rows.

    Under torch.distributed every process passes the gathered global batch.

    Parameters
    ----------
    configs : sequence of LossConfig
        At least one, and none twice.
    n_classes : int
        Training speakers; labels run from 0 to ``n_classes - 1``.
    teacher_dim : int, optional
        Of the teacher's embeddings; needed for distillation.
    seed : int
        Of the centres and projections, and of random triplets.

    Raises
    ------
    ConfigError
        There is no loss, one is listed twice, or distillation has no teacher.
    """

    def __init__(
        self,
        configs: Sequence[LossConfig],
        *,
        dim: int,
        n_classes: int,
        teacher_dim: int | None = None,
        seed: int,
    ) -> None:
        super().__init__()
        _check(configs, teacher_dim)
        self.configs = tuple(configs)
        generator = torch.Generator().manual_seed(seed)
        self.losses = nn.ModuleDict(
            {
                config.name: _build(
                    config, dim=dim, n_classes=n_classes, teacher_dim=teacher_dim, rng=generator
                )
                for config in configs
            }
        )

    def forward(self, embeddings: Tensor, labels: Tensor, teacher: Tensor | None = None) -> LossParts:
        """Sum the losses of one batch.

        Parameters
        ----------
        embeddings : Tensor, shape (N, dim)
            The encoder's output as it comes; each loss normalises where its definition says so.
        labels : Tensor, shape (N,), int64
            0 to ``n_classes - 1``, or -1.
        teacher : Tensor, shape (N, teacher_dim), optional
            The teacher's embeddings of the same utterances; only distillation looks at them.

        Raises
        ------
        ValueError
            Distillation is among the losses and ``teacher`` is missing.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.float()
            weighted = {
                config.name: config.weight * self._loss(config.name, embeddings, labels, teacher)
                for config in self.configs
            }
            total = torch.stack(list(weighted.values())).sum()
        return LossParts(total, {name: part.detach() for name, part in weighted.items()})

    def set_margin(self, fraction: float) -> None:
        """Put a share (0 to 1) of the classification margins in force; not part of the state dict."""
        for loss in self.losses.values():
            if isinstance(loss, MarginSoftmaxLoss):
                loss.margin_fraction = fraction

    def head(self) -> Head:
        """The classifier that was trained, as it is now; the first where several losses classify.

        Raises
        ------
        ConfigError
            None of the losses classifies.
        """
        for loss in self.losses.values():
            if isinstance(loss, SoftmaxLoss | MarginSoftmaxLoss):
                return loss.head()
        raise ConfigError("[[loss]]: none of the losses classifies; add one named softmax, for example")

    def _loss(self, name: str, embeddings: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor:
        if name != "distillation":
            loss: Tensor = self.losses[name](embeddings, labels)
            return loss
        if teacher is None:
            raise ValueError("distillation needs the teacher's embeddings of the batch, and none were passed")
        distilled: Tensor = self.losses[name](embeddings, teacher.float())
        return distilled


def _check(configs: Sequence[LossConfig], teacher_dim: int | None) -> None:
    require_distinct(configs)
    if teacher_dim is None and any(config.name == "distillation" for config in configs):
        raise ConfigError("loss: distillation needs a teacher's embeddings, and the recipe names none")


class _FunctionLoss(nn.Module):
    """A function with its settings, and the numbers that it learns beside the encoder, by their names."""

    def __init__(self, loss: Callable[..., Tensor], **learned: float) -> None:
        super().__init__()
        self.loss = loss
        for name, first in learned.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(first)))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.loss(embeddings, labels, **dict(self.named_parameters()))


def _build(
    config: LossConfig, *, dim: int, n_classes: int, teacher_dim: int | None, rng: torch.Generator
) -> nn.Module:
    loss: nn.Module
    match config.name:
        case "softmax":
            loss = SoftmaxLoss(dim=dim, n_classes=n_classes, generator=rng)
        case "am_softmax" | "aam_softmax":
            loss = MarginSoftmaxLoss(
                angular=config.name == "aam_softmax",
                dim=dim,
                n_classes=n_classes,
                margin=config.margin or 0.0,
                scale=config.scale or 1.0,
                sub_centres=config.sub_centres or 1,
                generator=rng,
            )
        case "distillation":
            loss = DistillationLoss(dim=dim, teacher_dim=teacher_dim or dim, generator=rng)
        case "contrastive":
            pairs = config.pairs or "all"
            loss = _FunctionLoss(partial(contrastive, margin=config.margin or 0.0, pairs=pairs))
        case "supervised_contrastive":
            loss = _FunctionLoss(partial(supervised_contrastive, temperature=config.temperature or 1.0))
        case "siamese":
            # The sign matters: drawn at random it may start below zero and first push one speaker apart.
            loss = _FunctionLoss(partial(siamese, pairs=config.pairs or "all"), weight=1.0, bias=0.0)
        case "triplet":
            of_batch = partial(
                triplet,
                mining=config.mining or "batch_hard",
                margin=config.margin,
                scale=config.scale or 1.0,
                distance=config.distance or "euclidean",
            )
            loss = TripletLoss(of_batch, random=config.mining == "random", seed=rng.initial_seed())
        case name:
            function = ge2e if name == "ge2e" else angular_prototypical
            loss = _FunctionLoss(function, scale=config.scale or 1.0)
    return loss
