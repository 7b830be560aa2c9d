"""The default encoder: 1D convolutions and a BiLSTM over MFCCs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.training.encoders.features import MFCC, MFCCConfig
from voiceprint.training.encoders.mel import MelEncoder
from voiceprint.training.encoders.spectrum import SpectrumConvolutions


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvBiLSTMConfig:
    """The ``[encoder]`` table of the default recipe.

    Parameters
    ----------
    stem : int
        Channels of the first convolution, which sees twice as many frames as the others.
    spectrum : tuple of int
        Channels of the stages of 2D convolutions over the log mel energies, beside the first convolution
        (`SpectrumConvolutions`); empty for none.
    blocks : int
        Residual convolutions at a quarter of the MFCCs' frame rate, with dilations 1, 2, 3, ...
    squeeze : int
        Width of the gate by which each residual convolution weighs its channels; 0 for no gates.
    hidden : int
        LSTM cells in each direction.
    attention : int
        Width of the pooling's attention.
    mean_normalization : bool
        Subtract the mean of every coefficient over the clip. Without it the sound of a fixed microphone or
        room stays in the embedding, which flatters a model wherever every speaker has one recording.
    """

    kind: Literal["conv_bilstm"] = "conv_bilstm"
    dim: int = 192
    stem: int = 96
    spectrum: tuple[int, ...] = ()
    channels: int = 192
    blocks: int = 3
    squeeze: int = 0
    hidden: int = 128
    attention: int = 96
    mean_normalization: bool = True
    features: MFCCConfig = field(default_factory=MFCCConfig)

    def __post_init__(self) -> None:
        require_positive("encoder", self, "dim", "stem", "channels", "hidden", "attention")
        require_positive("encoder", self, "blocks", "squeeze", or_zero=True)
        if self.spectrum:
            require_positive("encoder", self, "spectrum")


class _Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU; (B, C_in, T) -> (B, C_out, ceil(T / stride))."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ReLU(inplace=True),
        )


class _Gate(nn.Module):
    """Squeeze and excitation, (B, C, T) -> (B, C, T): channels weighed by their means over time.

    Hu, Shen and Sun, "Squeeze-and-excitation networks" (2018).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.weigh(x.mean(dim=2)).unsqueeze(2)
        return out


class _Residual(nn.Module):
    """A convolution, gated or not, whose input is added to its output; (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, *, dilation: int, squeeze: int) -> None:
        super().__init__()
        self.convolution = _Convolution(channels, channels, 3, dilation=dilation)
        self.gate: nn.Module = _Gate(channels, squeeze) if squeeze else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.gate(self.convolution(x)) + x
        return out


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling, (B, C, T) -> (B, 2C): weighted mean and standard deviation over time.

    Every channel has attention weights of its own (Okabe et al. 2018; Desplanques et al. 2020).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(channels, width, 1), nn.Tanh(), nn.Conv1d(width, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``x`` (B, C, T) over time."""
        weights = torch.softmax(self.score(x).float(), dim=2)
        x = x.float()
        mean = (weights * x).sum(dim=2)
        variance = (weights * x.square()).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-5).sqrt()], dim=1)


class ConvBiLSTM(MelEncoder):
    """The default encoder: MFCCs, strided 1D convolutions, a BiLSTM, attentive statistics pooling.

    The mean of every coefficient over the clip is subtracted first, which removes what a fixed microphone or
    line adds, unless ``mean_normalization`` is off. With ``spectrum`` 2D convolutions over the log mel
    energies run beside the first convolution over the MFCCs.
    """

    def __init__(self, config: ConvBiLSTMConfig) -> None:
        super().__init__()
        self.config = config
        channels, hidden = config.channels, config.hidden
        self.front_end: MFCC = MFCC(config.features)
        self.scale = nn.BatchNorm1d(config.features.n_mfcc)
        self.spectrum: SpectrumConvolutions | None = None
        if config.spectrum:
            self.spectrum = SpectrumConvolutions(config.spectrum, bands=config.features.n_mels)
        beside = 0 if self.spectrum is None else self.spectrum.out_channels
        self.convolutions = nn.Sequential(
            _Convolution(config.features.n_mfcc, config.stem, 5, stride=2),
            _Convolution(config.stem + beside, channels, 3, stride=2),
            *(
                _Residual(channels, dilation=1 + block, squeeze=config.squeeze)
                for block in range(config.blocks)
            ),
        )
        self.lstm = nn.LSTM(channels, hidden, bidirectional=True, batch_first=True)
        pooled = channels + 2 * hidden
        self.pooling = AttentiveStatistics(pooled, config.attention)
        self.normalization = nn.BatchNorm1d(2 * pooled)
        self.projection = nn.Linear(2 * pooled, config.dim)

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Embeddings of log mel energies (batch, frames, n_mels) -> (batch, dim)."""
        return self.embed_frames(self.convolve(log_mels))

    def convolve(self, log_mels: Tensor) -> Tensor:
        """What the LSTM gets of log mel energies, (B, T, n_mels) -> (B, channels, ceil(T / 4))."""
        if self.config.mean_normalization:
            log_mels = log_mels - log_mels.mean(dim=1, keepdim=True)
        with torch.autocast(log_mels.device.type, enabled=False):
            features = self.front_end.cepstra(log_mels)
        x: Tensor = self.convolutions[0](self.scale(features))
        if self.spectrum is not None:
            x = torch.cat([x, self.spectrum(log_mels.transpose(1, 2)).to(x.dtype)], dim=1)
        out: Tensor = self.convolutions[1:](x)
        return out

    def embed_frames(self, x: Tensor) -> Tensor:
        """Embeddings of what `convolve` gives, (batch, channels, frames) -> (batch, dim)."""
        recurrent, _ = self.lstm(x.transpose(1, 2))  # (B, T, 2H)
        x = torch.cat([x, recurrent.transpose(1, 2)], dim=1)
        out: Tensor = self.projection(self.normalization(self.pooling(x)).to(x.dtype))
        return out.float()
