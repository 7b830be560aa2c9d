"""What the encoder is asked for: losses of embeddings and labels, and their weighted sum.

Every loss is a pure function of tensors. What learns beside the encoder (class centres, a scale, a
projection) lives in a small module around it, and `CombinedLoss` sums the modules that a recipe names.
"""

from voiceprint.training.losses.classification import (
    aam_softmax,
    additive_angular_margin,
    am_softmax,
    softmax,
)
from voiceprint.training.losses.combined import CombinedLoss, LossParts
from voiceprint.training.losses.config import LOSS_NAMES, LossConfig
from voiceprint.training.losses.distillation import distillation
from voiceprint.training.losses.triplet import triplet

__all__ = [
    "LOSS_NAMES",
    "CombinedLoss",
    "LossConfig",
    "LossParts",
    "aam_softmax",
    "additive_angular_margin",
    "am_softmax",
    "distillation",
    "softmax",
    "triplet",
]
