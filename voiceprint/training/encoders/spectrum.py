"""2D convolutions over log mel energies: patterns that mean the same wherever in the spectrum they lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from voiceprint.training.encoders.residual_block import ResidualBlock


class SpectrumConvolutions(nn.Module):
    """Residual 2D convolutions, (B, bands, T) -> (B, `out_channels`, ceil(T / 2)).

    A convolution along frequency has the same weights in every band, so what it learns from one voice holds
    for another whose resonances lie higher or lower. The first convolution halves bands and frames, and every
    further stage the bands.

    Parameters
    ----------
    channels : sequence of int
        Of each stage, one residual block.
    bands : int
        Of the input.

    References
    ----------
    Wang et al., "CAM++: A fast and efficient network for speaker verification using context-aware masking"
    (2023), section 2.2, for convolutions of this kind in front of 1D ones.
    """

    def __init__(self, channels: Sequence[int], *, bands: int) -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(bands)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(
            ResidualBlock(channels[0], channels[0], stride=1),
            *(ResidualBlock(before, after, stride=(2, 1)) for before, after in pairwise(channels)),
        )
        for _ in channels:
            bands = -(-bands // 2)
        self.out_channels = channels[-1] * bands

    def forward(self, log_mels: Tensor) -> Tensor:
        """What the last stage gives for log mel energies (B, bands, T): its channels, band by band."""
        planes = self.scale(log_mels).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        out: Tensor = self.blocks(self.stem(planes)).flatten(1, 2)
        return out
