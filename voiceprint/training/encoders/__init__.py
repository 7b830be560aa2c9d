"""Encoders: waveforms (batch, samples) at 16 kHz to embeddings (batch, dim).

An encoder is a module and the dataclass that configures it, whose field ``kind`` names it in a recipe.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from voiceprint.training.encoders.conv_bilstm import AttentiveStatistics, ConvBiLSTM, ConvBiLSTMConfig

__all__ = [
    "ENCODERS",
    "AttentiveStatistics",
    "ConvBiLSTM",
    "ConvBiLSTMConfig",
    "EncoderConfig",
    "make_encoder",
]

EncoderConfig = ConvBiLSTMConfig
"""What the ``[encoder]`` table of a recipe may be; a union where there are several."""

ENCODERS: dict[type[Any], type[nn.Module]] = {ConvBiLSTMConfig: ConvBiLSTM}
"""Configuration -> encoder."""


def make_encoder(config: EncoderConfig, *, seed: int) -> nn.Module:
    """An encoder with fresh weights; equal seeds give equal weights, and no global generator moves.

    Parameters
    ----------
    config : EncoderConfig
        Which encoder, and its sizes.
    seed : int
        Of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ENCODERS[type(config)](config)
