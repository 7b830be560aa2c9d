"""Encoders: waveforms (batch, samples) at 16 kHz to embeddings (batch, dim).

An encoder is a module and the dataclass that configures it, whose field ``kind`` names it in a recipe. The
first is this project's; the others are known small systems that it is compared with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from voiceprint.training.encoders.bilstm import BiLSTM, BiLSTMConfig
from voiceprint.training.encoders.conv_bilstm import ConvBiLSTM, ConvBiLSTMConfig
from voiceprint.training.encoders.keras_fft import KerasFFT, KerasFFTConfig
from voiceprint.training.encoders.resnet34_mel import ResNet34Mel, ResNet34MelConfig
from voiceprint.training.encoders.spectrogram_cnn import SpectrogramCNN, SpectrogramCNNConfig
from voiceprint.training.encoders.voicemap import Voicemap, VoicemapConfig

__all__ = [
    "ENCODERS",
    "BiLSTM",
    "BiLSTMConfig",
    "ConvBiLSTM",
    "ConvBiLSTMConfig",
    "EncoderConfig",
    "KerasFFT",
    "KerasFFTConfig",
    "ResNet34Mel",
    "ResNet34MelConfig",
    "SpectrogramCNN",
    "SpectrogramCNNConfig",
    "Voicemap",
    "VoicemapConfig",
    "make_encoder",
]

EncoderConfig = (
    ConvBiLSTMConfig
    | KerasFFTConfig
    | SpectrogramCNNConfig
    | ResNet34MelConfig
    | VoicemapConfig
    | BiLSTMConfig
)
"""What the ``[encoder]`` table of a recipe may be; without a ``kind`` it is the first."""

ENCODERS: dict[type[Any], type[nn.Module]] = {
    ConvBiLSTMConfig: ConvBiLSTM,
    KerasFFTConfig: KerasFFT,
    SpectrogramCNNConfig: SpectrogramCNN,
    ResNet34MelConfig: ResNet34Mel,
    VoicemapConfig: Voicemap,
    BiLSTMConfig: BiLSTM,
}
"""Configuration -> encoder."""


def make_encoder(config: EncoderConfig, *, seed: int) -> nn.Module:
    """An encoder with fresh weights; equal seeds give equal weights, and no global generator moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ENCODERS[type(config)](config)
