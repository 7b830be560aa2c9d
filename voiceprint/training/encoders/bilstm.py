"""A plain BiLSTM over MFCCs, its outputs averaged: the encoder of tutorials on speaker recognition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.training.encoders.features import MFCC, MFCCConfig
from voiceprint.training.encoders.mel import MelEncoder


def _features() -> MFCCConfig:
    """40 MFCCs every 32 ms as ``librosa.feature.mfcc`` gives them, of half as long a window, for speed."""
    return MFCCConfig(n_mfcc=40, n_mels=128, window=1024, hop=512, f_min=0.0, f_max=8000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BiLSTMConfig:
    """The ``[encoder]`` table of ``configs/lstm-triplet.toml``.

    Parameters
    ----------
    hidden : int
        LSTM cells in each direction; embeddings have twice as many numbers.
    """

    kind: Literal["bilstm"] = "bilstm"
    hidden: int = 64
    layers: int = 3
    features: MFCCConfig = field(default_factory=_features)

    def __post_init__(self) -> None:
        require_positive("encoder", self, "hidden", "layers")

    @property
    def dim(self) -> int:
        """Embedding size."""
        return 2 * self.hidden


class BiLSTM(MelEncoder):
    """MFCCs, scaled by batch normalisation, through stacked BiLSTMs whose outputs are averaged over time.

    References
    ----------
    Q. Wang, "Speaker recognition from scratch" (2021), which feeds the MFCCs unscaled.
    """

    front_end: MFCC

    def __init__(self, config: BiLSTMConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end = MFCC(config.features)
        self.scale = nn.BatchNorm1d(config.features.n_mfcc)
        self.lstm = nn.LSTM(
            config.features.n_mfcc, config.hidden, config.layers, bidirectional=True, batch_first=True
        )

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Embeddings of log mel energies (batch, frames, n_mels) -> (batch, dim)."""
        with torch.autocast(log_mels.device.type, enabled=False):
            features = self.scale(self.front_end.cepstra(log_mels))
        outputs, _ = self.lstm(features.transpose(1, 2))  # (B, T, 2H)
        out: Tensor = outputs.float().mean(dim=1)
        return out
