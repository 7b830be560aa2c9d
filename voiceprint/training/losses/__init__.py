"""What the encoder is asked for: losses of embeddings and labels, and their weighted sum.

Every loss is a pure function of tensors. What learns beside the encoder (class centres, a scale, a
projection) lives in a small module around it, and `CombinedLoss` sums the modules that a recipe names.
"""

from voiceprint.training.losses.classification import aam_softmax, am_softmax, softmax
from voiceprint.training.losses.combined import CombinedLoss, LossParts
from voiceprint.training.losses.config import LossConfig
from voiceprint.training.losses.distillation import distillation
from voiceprint.training.losses.pairs import contrastive, siamese
from voiceprint.training.losses.prototypes import angular_prototypical, ge2e, supervised_contrastive
from voiceprint.training.losses.spread import EmbeddingSpread, embedding_spread
from voiceprint.training.losses.triplet import triplet

__all__ = [
    "CombinedLoss",
    "EmbeddingSpread",
    "LossConfig",
    "LossParts",
    "aam_softmax",
    "am_softmax",
    "angular_prototypical",
    "contrastive",
    "distillation",
    "embedding_spread",
    "ge2e",
    "siamese",
    "softmax",
    "supervised_contrastive",
    "triplet",
]
