"""The base of encoders on log mel energies: a front end that training may mask."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from voiceprint.training.encoders.features import LogMel


class MelEncoder(nn.Module, ABC):
    """An encoder in two halves, log mel energies and what is made of them; SpecAugment masks between.

    Subclasses set ``front_end``.
    """

    front_end: LogMel

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embeddings, not yet of unit length, of ``waveforms`` (batch, samples) at 16 kHz -> (batch, dim)."""
        return self.embed_log_mels(self.log_mels(waveforms))

    def log_mels(self, waveforms: Tensor) -> Tensor:
        """Log mel energies (batch, frames, n_mels) of ``waveforms``, in float32 whatever the autocast."""
        with torch.autocast(waveforms.device.type, enabled=False):
            return self.front_end.log_mel(waveforms.float())

    @abstractmethod
    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Embeddings of log mel energies (batch, frames, n_mels) -> (batch, dim)."""
