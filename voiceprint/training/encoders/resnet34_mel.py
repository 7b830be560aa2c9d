"""ResNet-34 on mel-spectrograms with statistics pooling, the field's usual large encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.training.encoders.features import LogMel, MelConfig
from voiceprint.training.encoders.mel import MelEncoder
from voiceprint.training.encoders.residual_block import ResidualBlock

_BLOCKS = (3, 4, 6, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet34MelConfig:
    """The ``[encoder]`` table of ``configs/resnet34-mel.toml``.

    Parameters
    ----------
    channels : int
        Of the first of four stages; each further one has twice as many. He et al. have 64; speaker encoders
        are content with 32, and thin ones, as by default, with 16.
    """

    kind: Literal["resnet34_mel"] = "resnet34_mel"
    dim: int = 256
    channels: int = 16
    features: MelConfig = field(default_factory=lambda: MelConfig(n_mels=64))

    def __post_init__(self) -> None:
        require_positive("encoder", self, "dim", "channels")


class ResNet34Mel(MelEncoder):
    """Mel-spectrogram minus its mean, 16 residual blocks, mean and standard deviation over time.

    References
    ----------
    He et al., "Deep residual learning for image recognition" (2015), table 1, without its first pooling;
    Chung et al., "In defence of metric learning for speaker recognition" (2020), for the thin widths.
    """

    def __init__(self, config: ResNet34MelConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.front_end = LogMel(config.features)
        self.scale = nn.BatchNorm1d(config.features.n_mels)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            *(
                _stage(
                    channels * max(1, 2 ** (stage - 1)), channels * 2**stage, blocks=blocks, first=stage == 0
                )
                for stage, blocks in enumerate(_BLOCKS)
            )
        )
        halvings = len(_BLOCKS) - 1
        height = -(-config.features.n_mels // 2**halvings)
        self.projection = nn.Linear(2 * channels * 2**halvings * height, config.dim)

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Embeddings of log mel energies (batch, frames, n_mels) -> (batch, dim)."""
        with torch.autocast(log_mels.device.type, enabled=False):
            bands = log_mels.transpose(1, 2)  # (B, F, T)
            scaled = self.scale(bands - bands.mean(dim=2, keepdim=True))
        x = self.stages(self.stem(scaled[:, None])).flatten(1, 2).float()  # (B, C * F / 8, T / 8)
        mean = x.mean(dim=2, keepdim=True)
        deviation = (x - mean).square().mean(dim=2).clamp(min=1e-5).sqrt()
        out: Tensor = self.projection(torch.cat([mean.squeeze(2), deviation], dim=1))
        return out.float()


def _stage(inputs: int, outputs: int, *, blocks: int, first: bool) -> nn.Sequential:
    """Residual blocks, of which the first halves frequency and time but in the first stage."""
    own = [ResidualBlock(inputs, outputs, stride=1 if first else 2)]
    return nn.Sequential(*own, *(ResidualBlock(outputs, outputs, stride=1) for _ in range(blocks - 1)))
