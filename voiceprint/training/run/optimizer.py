"""AdamW and its learning rate over the steps of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from voiceprint.config import require_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The ``[optimizer]`` table of a recipe: AdamW with warm-up and a schedule.

    Parameters
    ----------
    lr : float
        Highest learning rate.
    weight_decay : float
        Decoupled weight decay, of matrices only.
    warmup : int
        Steps over which the rate rises linearly from 0.
    schedule : {"cosine", "plateau", "constant"}
        ``cosine`` falls to ``lr * floor`` at the last step; ``plateau`` halves the rate after ``patience``
        validations without improvement.
    floor : float
        Lowest rate, as a fraction of ``lr``.
    patience : int
        Validations that ``plateau`` waits.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 500
    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    floor: float = 0.01
    patience: int = 2

    def __post_init__(self) -> None:
        require_positive("optimizer", self, "lr", "patience")
        require_positive("optimizer", self, "weight_decay", "warmup", "floor", or_zero=True)


def make_optimizer(modules: Sequence[nn.Module], config: OptimizerConfig) -> torch.optim.AdamW:
    """An optimiser of all parameters: matrices decay; biases and the gains of normalisations do not."""
    parameters = [p for module in modules for p in module.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr)


def learning_rate(config: OptimizerConfig, step: int, *, steps: int, factor: float = 1.0) -> float:
    """The rate of the step numbered ``step`` from 0.

    Parameters
    ----------
    factor : float
        What ``plateau`` has made of the rate so far.
    """
    rate = config.lr * factor
    if step < config.warmup:
        return rate * (step + 1) / config.warmup
    if config.schedule == "cosine":
        progress = (step - config.warmup) / max(1, steps - config.warmup)
        rate *= config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * progress))
    return rate
