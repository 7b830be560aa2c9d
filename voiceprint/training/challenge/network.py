"""WordNetwork: which of a few words ends where; convolutions over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from voiceprint.challenge.checker import CLASSES
from voiceprint.challenge.order import BLANK
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.features import LogMel, MelConfig
from voiceprint.training.losses.combined import LossParts


def _features() -> MelConfig:
    return MelConfig(n_mels=40, window=400, hop=160, f_min=60.0, f_max=7600.0, top_db=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordNetworkConfig:
    """The ``[network]`` table of a word checker's recipe.

    Parameters
    ----------
    channels : int
        Of every convolution.
    kernel : int
        Frames of 20 ms that a convolution sees; an odd number.
    dilations : tuple of int
        Of the convolutions, one after another.
    dropout : float
        Share of what each of them finds that training leaves out.
    """

    channels: int = 96
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    dropout: float = 0.1
    features: MelConfig = field(default_factory=_features)

    def __post_init__(self) -> None:
        require_positive("network", self, "channels", "kernel")
        if self.kernel % 2 == 0 or not self.dilations or min(self.dilations) < 1:
            raise ConfigError(
                f"network.kernel: {self.kernel} and dilations {list(self.dilations)}; give an odd kernel, "
                "and dilations of 1 or more"
            )


class _Block(nn.Module):
    """A dilated convolution, and what goes past it."""

    def __init__(self, config: WordNetworkConfig, dilation: int) -> None:
        super().__init__()
        wide, kernel = config.channels, config.kernel
        padding = kernel // 2 * dilation
        self.convolution = nn.Conv1d(wide, wide, kernel, padding=padding, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(wide)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.dropout(torch.relu(self.norm(self.convolution(x))))
        return out


class WordNetwork(nn.Module):
    """Waveforms (batch, samples) -> log probabilities (batch, frames of 20 ms, classes) of `CLASSES`.

    The mean of every band over the clip is subtracted, so neither level nor microphone matters.
    """

    def __init__(self, config: WordNetworkConfig) -> None:
        super().__init__()
        self.config = config
        bands, wide = config.features.n_mels, config.channels
        self.front_end = LogMel(config.features)
        self.scale = nn.BatchNorm1d(bands)
        self.stem = nn.Sequential(
            nn.Conv1d(bands, wide, 5, stride=2, padding=2, bias=False), nn.BatchNorm1d(wide), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(_Block(config, dilation) for dilation in config.dilations))
        self.decision = nn.Conv1d(wide, len(CLASSES), 1)

    def log_mels(self, waveforms: Tensor) -> Tensor:
        """Band energies in dB (batch, frames, bands), each band's mean taken away; masks go in here."""
        with torch.autocast(waveforms.device.type, enabled=False):
            decibels = self.front_end.log_mel(waveforms.float())
            return decibels - decibels.mean(dim=1, keepdim=True)

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Decide by band energies (batch, frames, bands) -> (batch, frames / 2, classes)."""
        x = self.blocks(self.stem(self.scale(log_mels.transpose(1, 2))))  # (B, C, T / 2)
        out: Tensor = self.decision(x).transpose(1, 2).log_softmax(dim=2)
        return out

    def forward(self, waveforms: Tensor) -> Tensor:
        """Recognize clips of equal length."""
        return self.embed_log_mels(self.log_mels(waveforms))


class OrderLoss(nn.Module):
    """Connectionist temporal classification: of the words' order, wherever they are said.

    It stands where the trainer expects a loss over embeddings.
    """

    def forward(self, found: Tensor, labels: Tensor, teacher: None = None) -> LossParts:
        """Compare log probabilities (batch, frames, classes) with classes (batch, words), `BLANK` behind."""
        frames = torch.full((len(found),), found.shape[1])
        order = nn.functional.ctc_loss(
            found.float().transpose(0, 1),
            labels,
            frames,
            (labels != BLANK).sum(dim=1),
            blank=BLANK,
            zero_infinity=True,
        )
        return LossParts(order, {"order": order.detach()})

    def set_margin(self, fraction: float) -> None:
        """Do nothing: there is no margin."""
