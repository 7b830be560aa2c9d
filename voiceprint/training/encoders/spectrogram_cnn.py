"""A 2D convolutional network on spectrogram and mel-spectrogram, the two channels of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.features import LogMel, MelConfig
from voiceprint.training.encoders.torchaudio_parts import linear_fbanks

Bands = Literal["linear", "mel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrogramCNNConfig:
    """The ``[encoder]`` table of ``configs/spectrogram-cnn.toml``.

    Parameters
    ----------
    bands : tuple of {"linear", "mel"}
        Channels of the image: the spectrogram in equally wide bands, the mel-spectrogram, or both.
    filters : tuple of int
        Of the convolutions, each followed by a maximum over 2 x 2.
    features : MelConfig
        The front end; ``linear`` has as many bands as ``mel``, within the same limits.
    """

    kind: Literal["spectrogram_cnn"] = "spectrogram_cnn"
    dim: int = 128
    bands: tuple[Bands, ...] = ("linear", "mel")
    filters: tuple[int, ...] = (16, 32, 64, 128)
    features: MelConfig = field(default_factory=lambda: MelConfig(n_mels=64))

    def __post_init__(self) -> None:
        require_positive("encoder", self, "dim", "filters")
        if not self.bands:
            raise ConfigError("encoder.bands: is empty; give linear, mel or both")


class _Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU, maximum; (B, C_in, F, T) -> (B, C_out, F / 2, T / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, ceil_mode=True),  # rounded up, so that no clip is too short
        )


class SpectrogramCNN(nn.Module):
    """Spectrograms in dB, 3 x 3 convolutions, the mean over time, and a dense layer.

    No mean is subtracted: as in the small classifiers of this kind, the sound of the recording counts.
    """

    def __init__(self, config: SpectrogramCNNConfig) -> None:
        super().__init__()
        self.config = config
        features = config.features
        self.front_end = LogMel(features)
        linear = linear_fbanks(
            features.window // 2 + 1, features.f_min, features.f_max, features.n_mels, SAMPLE_RATE
        )
        self.register_buffer("linear_filters", linear, persistent=False)
        channels = (len(config.bands), *config.filters)
        self.scale = nn.BatchNorm2d(channels[0])
        self.convolutions = nn.Sequential(*(_Convolution(*sizes) for sizes in pairwise(channels)))
        height = -(-features.n_mels // 2 ** len(config.filters))
        self.projection = nn.Linear(channels[-1] * height, config.dim)

    linear_filters: Tensor

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embeddings, not yet of unit length, of ``waveforms`` (batch, samples) at 16 kHz -> (batch, dim)."""
        with torch.autocast(waveforms.device.type, enabled=False):
            images = self.scale(self.images(waveforms.float()))
        x = self.convolutions(images).mean(dim=3)  # (B, C, F)
        out: Tensor = self.projection(x.flatten(1))
        return out.float()

    def images(self, waveforms: Tensor) -> Tensor:
        """Spectrograms in dB (batch, channels, bands, frames) of ``waveforms``."""
        filters = {"linear": self.linear_filters, "mel": self.front_end.filters}
        chosen = [filters[bands] for bands in self.config.bands]
        energies = self.front_end.energies(waveforms, torch.cat(chosen, dim=1))
        channels = [self.front_end.decibels(part) for part in energies.chunk(len(chosen), dim=-1)]
        return torch.stack(channels, dim=1).transpose(2, 3)
