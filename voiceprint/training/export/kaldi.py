"""Kaldi's log mel filterbank as a torch module that exports to ONNX: the input of most published encoders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceprint.audio import SAMPLE_RATE

__all__ = ["FbankConfig", "KaldiFbank"]

_WINDOW, _HOP, _FFT = 400, 160, 512  # samples: 25 ms, 10 ms, and the window filled up to a power of two
_PREEMPHASIS = 0.97
_EPSILON = torch.finfo(torch.float32).eps  # Kaldi's floor below the logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class FbankConfig:
    """How an encoder's filterbank was computed; the defaults are Kaldi's, without dither.

    Parameters
    ----------
    window : str
        ``povey`` (Kaldi's) or ``hamming``.
    scale : float
        What samples in [-1, 1] are multiplied with: 32768 where an encoder was trained on 16-bit numbers, as
        WeSpeaker's were. It sets how near silence is to the floor of the logarithm.
    low, high : float
        Band of the filters, in Hz; ``high`` of 0 or less counts from half the sampling rate.
    subtract_mean : bool
        Whether every filter's mean over the clip is subtracted.
    """

    bins: int = 80
    window: Literal["povey", "hamming"] = "povey"
    scale: float = 1.0
    low: float = 20.0
    high: float = 0.0
    subtract_mean: bool = True


class KaldiFbank(nn.Module):
    """Waveform to log mel energies, as ``compute-fbank-feats`` of Kaldi with ``--dither=0``.

    Taking off the frame's mean, pre-emphasis, window and Fourier transform are all linear in the 400 samples
    of a frame, so that one convolution does them together.
    """

    kernels: Tensor
    filters: Tensor

    def __init__(self, config: FbankConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("kernels", _kernels(config), persistent=False)  # (2 * 257, 1, 400)
        self.register_buffer("filters", _filters(config), persistent=False)  # (257, bins)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Log mel energies of ``waveforms`` (batch, samples), at least 400 -> (batch, frames, bins)."""
        spectrum = F.conv1d(waveforms[:, None], self.kernels, stride=_HOP)
        real, imaginary = spectrum.chunk(2, dim=1)
        power = (real.square() + imaginary.square()).transpose(1, 2)  # (B, T, 257)
        log_mels = torch.log((power @ self.filters).clamp(min=_EPSILON))
        if not self.config.subtract_mean:
            return log_mels
        return log_mels - log_mels.mean(dim=1, keepdim=True)


def _kernels(config: FbankConfig) -> Tensor:
    """Rows of the whole linear path from a frame of samples to the real and imaginary spectrum."""
    centre = torch.eye(_WINDOW, dtype=torch.float64) - 1.0 / _WINDOW
    # Kaldi takes the first sample as its own predecessor.
    emphasis = torch.eye(_WINDOW, dtype=torch.float64) - _PREEMPHASIS * torch.diag(
        torch.ones(_WINDOW - 1, dtype=torch.float64), -1
    )
    emphasis[0, 0] = 1.0 - _PREEMPHASIS
    time = torch.arange(_WINDOW, dtype=torch.float64)
    prepared = _window(config.window)[:, None] * (emphasis @ centre) * config.scale
    angles = 2 * math.pi / _FFT * torch.outer(torch.arange(_FFT // 2 + 1, dtype=torch.float64), time)
    return torch.cat([torch.cos(angles) @ prepared, torch.sin(angles) @ prepared])[:, None].float()


def _window(name: str) -> Tensor:
    turn = 2 * math.pi * torch.arange(_WINDOW, dtype=torch.float64) / (_WINDOW - 1)
    if name == "hamming":
        return 0.54 - 0.46 * torch.cos(turn)
    return (0.5 - 0.5 * torch.cos(turn)) ** 0.85


def _filters(config: FbankConfig) -> Tensor:
    """Triangles on the mel scale, over the bins below half the sampling rate as Kaldi has it, (257, bins)."""
    top = config.high if config.high > 0 else SAMPLE_RATE / 2 + config.high
    low, high = _mel(torch.tensor([config.low, top], dtype=torch.float64))
    edges = torch.linspace(float(low), float(high), config.bins + 2, dtype=torch.float64)
    bins = _mel(torch.arange(_FFT // 2, dtype=torch.float64) * SAMPLE_RATE / _FFT)[:, None]  # (256, 1)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    return F.pad(triangles, (0, 0, 0, 1)).float()


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hertz / 700.0)
