"""The voicemap encoder: 1D convolutions on raw 4 kHz audio, pooled by their maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.training.encoders.initial import draw_as_keras

_FACTOR = 4
# A low-pass of 161 taps under a Kaiser window of shape 8 falls from 0 to -80 dB within 500 Hz: from 1,550 to
# 2,050 Hz, just past half the new rate.
_CUTOFF = 1800.0
_TAPS = 161
_SHAPE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicemapConfig:
    """The ``[encoder]`` table of ``configs/voicemap.toml``.

    Parameters
    ----------
    filters : int
        Of the first convolution; the three that follow have 2, 3 and 4 times as many.
    """

    kind: Literal["voicemap"] = "voicemap"
    dim: int = 64
    filters: int = 128

    def __post_init__(self) -> None:
        require_positive("encoder", self, "dim", "filters")


class Decimate(nn.Module):
    """16 kHz to 4 kHz: a windowed-sinc low-pass, of which every fourth value is taken.

    (batch, samples) -> (batch, ceil(samples / 4)).
    """

    def __init__(self) -> None:
        super().__init__()
        times = torch.arange(_TAPS).double() - _TAPS // 2
        turns = 2 * _CUTOFF / SAMPLE_RATE
        kernel = turns * torch.sinc(turns * times)
        kernel *= torch.kaiser_window(_TAPS, periodic=False, beta=_SHAPE, dtype=torch.float64)
        self.register_buffer("kernel", (kernel / kernel.sum()).float()[None, None], persistent=False)

    kernel: Tensor

    def forward(self, waveforms: Tensor) -> Tensor:
        """Low-pass and thin out ``waveforms`` (batch, samples)."""
        return nn.functional.conv1d(
            waveforms[:, None], self.kernel, stride=_FACTOR, padding=_TAPS // 2
        ).squeeze(1)


class _Layer(nn.Sequential):
    """Convolution, ReLU, batch normalisation, maximum; (B, C_in, T) -> (B, C_out, about T / pool)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, pool: int) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(outputs),
            nn.MaxPool1d(pool),
        )


class Voicemap(nn.Module):
    """Four convolutions on the raw waveform, the maximum over time, and a dense layer.

    Clips are first brought to mean 0 and an effective value of 1, so that loudness says nothing. The
    published model thinned its audio out without a low-pass, and had 5 % dropout, which is left out here.

    References
    ----------
    O. Knagg, "voicemap: identifying speakers with siamese networks" (2018), after Koch et al., "Siamese
    neural networks for one-shot image recognition" (2015).
    """

    def __init__(self, config: VoicemapConfig) -> None:
        super().__init__()
        self.config = config
        filters = config.filters
        self.decimate = Decimate()
        self.convolutions = nn.Sequential(
            _Layer(1, filters, 32, pool=4),
            _Layer(filters, 2 * filters, 3, pool=2),
            _Layer(2 * filters, 3 * filters, 3, pool=2),
            _Layer(3 * filters, 4 * filters, 3, pool=2),
        )
        self.projection = nn.Linear(4 * filters, config.dim)
        draw_as_keras(self)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embeddings, not yet of unit length, of ``waveforms`` (batch, samples) at 16 kHz -> (batch, dim)."""
        with torch.autocast(waveforms.device.type, enabled=False):
            x = _level(self.decimate(waveforms.float()))
        x = self.convolutions(x[:, None]).amax(dim=2)  # (B, 4 * filters)
        out: Tensor = self.projection(x)
        return out.float()


def _level(x: Tensor) -> Tensor:
    """Mean 0 and effective value 1 for each row; a silent row becomes zeros."""
    x = x - x.mean(dim=1, keepdim=True)
    return x / x.square().mean(dim=1, keepdim=True).clamp(min=1e-10).sqrt()
