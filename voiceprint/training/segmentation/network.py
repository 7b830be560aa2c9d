"""SegmentationNetwork: log mel energies, convolutions and a BiLSTM, to who speaks in each frame of 20 ms."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.diarization.segmentation import CLASSES, FRAME
from voiceprint.training.encoders.features import LogMel, MelConfig

__all__ = ["NetworkConfig", "SegmentationNetwork"]


def _features() -> MelConfig:
    return MelConfig(n_mels=64, window=400, hop=FRAME // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """The ``[network]`` table of a segmentation recipe.

    Parameters
    ----------
    channels : int
        Of the convolutions.
    blocks : int
        Residual convolutions at 40 ms a frame, with dilations 1, 2, 4, ...
    hidden : int
        LSTM cells in each direction.
    layers : int
        BiLSTMs on top of each other.
    """

    channels: int = 128
    blocks: int = 3
    hidden: int = 128
    layers: int = 2
    features: MelConfig = field(default_factory=_features)

    def __post_init__(self) -> None:
        require_positive("network", self, "channels", "hidden", "layers")
        require_positive("network", self, "blocks", or_zero=True)


class _Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU; (B, C_in, T) -> (B, C_out, ceil(T / stride))."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
        )


class _Block(nn.Module):
    """A dilated convolution whose input is added to its output; (B, C, T) -> (B, C, T)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = _Convolution(channels, channels, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class SegmentationNetwork(nn.Module):
    """Waveforms (batch, samples) -> logits (batch, frames, 7) of `CLASSES`, ``frames = samples // 320``.

    The BiLSTM has frames of 40 ms, which halves its time; the decision also sees those of 20 ms.
    The mean of every band over the window is subtracted, so that neither level nor microphone matters.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.front_end = LogMel(config.features)
        self.scale = nn.BatchNorm1d(config.features.n_mels)
        self.fine = nn.Sequential(
            _Convolution(config.features.n_mels, channels, 5, stride=2), _Block(channels, 1)
        )
        self.coarse = nn.Sequential(
            _Convolution(channels, channels, 3, stride=2),
            *(_Block(channels, 2**block) for block in range(config.blocks)),
        )
        # No dropout: conversations never come twice, and a resumed run would draw other units.
        self.lstm = nn.LSTM(channels, config.hidden, config.layers, bidirectional=True, batch_first=True)
        self.decision = nn.Sequential(
            _Convolution(channels + 2 * config.hidden, config.hidden, 3),
            nn.Conv1d(config.hidden, len(CLASSES), 1),
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        """Judge each frame; the first one is about the first 10 ms, the others about 20 ms around theirs."""
        with torch.autocast(waveforms.device.type, enabled=False):
            log_mels = self.front_end.log_mel(waveforms.float())
        features = log_mels.transpose(1, 2)  # (B, bands, T)
        fine = self.fine(self.scale(features - features.mean(dim=2, keepdim=True)))  # (B, C, T / 2)
        recurrent, _ = self.lstm(self.coarse(fine).transpose(1, 2))  # (B, T / 4, 2H)
        context = nn.functional.interpolate(recurrent.transpose(1, 2), scale_factor=2.0)[..., : fine.shape[2]]
        out: Tensor = self.decision(torch.cat([fine, context], dim=1)).transpose(1, 2)
        return out[:, : waveforms.shape[1] // FRAME]
