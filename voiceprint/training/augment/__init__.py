"""Seeded degradations of training clips: rooms, noise, babble, microphones, lines and codecs; SpecAugment.

``Augmenter`` is what a data loader calls; it draws the parameters; the effects are the
functions of `voiceprint.audio.degrade`.
"""

from __future__ import annotations

from voiceprint.training.augment.augmenter import AugmentConfig, Augmenter
from voiceprint.training.augment.masking import spec_augment
from voiceprint.training.augment.noise import NoiseBank
from voiceprint.training.augment.rooms import RoomBank

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "NoiseBank",
    "RoomBank",
    "spec_augment",
]
