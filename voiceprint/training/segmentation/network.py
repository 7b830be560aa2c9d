"""SegmentationNetwork: an encoder's convolutions and a BiLSTM, to who speaks in each frame of 20 ms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.diarization.segmentation import CLASSES, FRAME
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.conv_bilstm import ConvBiLSTM, ConvBiLSTMConfig
from voiceprint.training.run.checkpoint import load_into, read_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """The ``[network]`` table of a segmentation recipe.

    Parameters
    ----------
    hidden : int
        LSTM cells in each direction.
    layers : int
        BiLSTMs on top of each other.
    decision : int
        Channels of the convolution that decides.
    frozen : bool
        Whether the encoder's convolutions stay as they are; a step takes half the time then.
    encoder : ConvBiLSTMConfig
        The encoder whose convolutions it has, as the ``[encoder]`` table of its recipe.
    """

    hidden: int = 128
    layers: int = 2
    decision: int = 64
    frozen: bool = False
    encoder: ConvBiLSTMConfig = field(default_factory=ConvBiLSTMConfig)

    def __post_init__(self) -> None:
        require_positive("network", self, "hidden", "layers", "decision")
        if self.encoder.spectrum:
            raise ConfigError(
                f"network.encoder.spectrum: {list(self.encoder.spectrum)}; the network has an encoder's 1D "
                "convolutions alone: take an encoder without"
            )


class _Convolutions(nn.Module):
    """The encoder's front end and convolutions, with the names that they have there."""

    def __init__(self, config: ConvBiLSTMConfig) -> None:
        super().__init__()
        encoder = ConvBiLSTM(config)
        self.front_end, self.scale, self.convolutions = encoder.front_end, encoder.scale, encoder.convolutions

    def start_from(self, checkpoint: Path) -> None:
        """Copy the averaged weights from an encoder's checkpoint.

        Raises
        ------
        TrainingError
            If the file is no checkpoint, or is of an encoder of other sizes.
        """
        tensors, _ = read_checkpoint(checkpoint)
        names = {f"average.{name}" for name in self.state_dict()}
        own = {name: tensor for name, tensor in tensors.items() if name in names}
        load_into(self, own, prefix="average.", path=checkpoint)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms (B, samples) -> what the first and the last give, (B, C, T / 2) and (B, D, T / 4)."""
        with torch.autocast(waveforms.device.type, enabled=False):
            features = self.front_end.cepstra(self.front_end.log_mel(waveforms.float()))
        fine = self.convolutions[0](self.scale(features - features.mean(dim=2, keepdim=True)))
        # The second convolution's ReLU works in place, on what it makes itself.
        return fine, self.convolutions[1:](fine)


class SegmentationNetwork(nn.Module):
    """Waveforms (batch, samples) -> logits (batch, frames, 7) of `CLASSES`, ``frames = samples // 320``.

    A speaker encoder already tells voices apart, so the network starts with one's convolutions. Above them a
    BiLSTM follows the speakers; the decision also sees the first convolution's finer frames. The mean of
    every coefficient over the window is subtracted, so that neither level nor microphone matters.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        encoder = config.encoder
        self.front = _Convolutions(encoder).requires_grad_(not config.frozen)
        # No dropout: conversations never come twice, and a resumed run would draw other units.
        self.lstm = nn.LSTM(
            encoder.channels, config.hidden, config.layers, bidirectional=True, batch_first=True
        )
        self.fine = nn.Conv1d(encoder.stem, config.decision, 1)
        self.context = nn.Conv1d(2 * config.hidden, config.decision, 1)
        self.decision = nn.Sequential(
            nn.ReLU(),
            nn.Conv1d(2 * config.decision, config.decision, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(config.decision, len(CLASSES), 1),
        )
        self._finer = 2 * encoder.features.hop / FRAME  # frames of 20 ms in one of the first convolution

    def train(self, mode: bool = True) -> Self:
        """Set the mode; frozen convolutions keep the statistics of the encoder's training."""
        super().train(mode)
        if self.config.frozen:
            self.front.eval()
        return self

    def forward(self, waveforms: Tensor) -> Tensor:
        """Judge each frame; the first one is about the first 10 ms, the others about 20 ms around theirs."""
        fine, coarse = self.front(waveforms)
        recurrent, _ = self.lstm(coarse.transpose(1, 2))  # (B, T / 4, 2H)
        both = (
            _stretched(self.fine(fine), self._finer),
            _stretched(self.context(recurrent.transpose(1, 2)), 2 * self._finer),
        )
        frames = waveforms.shape[1] // FRAME
        out: Tensor = self.decision(torch.cat([each[..., :frames] for each in both], dim=1))
        return out.transpose(1, 2)


def _stretched(x: Tensor, factor: float) -> Tensor:
    """Interpolate (B, C, T) to (B, C, factor T)."""
    return nn.functional.interpolate(x, scale_factor=factor, mode="linear")
