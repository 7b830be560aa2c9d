"""Seeded degradations of training clips: rooms, noise, babble, microphones, lines and codecs; SpecAugment.

``Augmenter`` is what a data loader calls; the effects themselves are plain functions beside it.
"""

from __future__ import annotations

from voiceprint.training.augment.augmenter import AugmentConfig, Augmenter, VoiceSource
from voiceprint.training.augment.lines import telephone
from voiceprint.training.augment.noise import NoiseBank, add_background
from voiceprint.training.augment.rooms import RoomBank
from voiceprint.training.augment.spectrogram import spec_augment

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "NoiseBank",
    "RoomBank",
    "VoiceSource",
    "add_background",
    "spec_augment",
    "telephone",
]
