"""The residual network of the Keras speaker-recognition example: 1D convolutions over a second's spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.initial import draw_as_keras

# SAMPLE_RATE = _ROWS * _COLUMNS: the transform of a second is split into transforms of these lengths.
_ROWS, _COLUMNS = 125, 128
_POOL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasFFTConfig:
    """The ``[encoder]`` table of ``configs/keras-fft.toml``.

    Parameters
    ----------
    dim : int
        Embedding size: the last dense layer before the classes.
    hidden : int
        Size of the dense layer before the last.
    """

    kind: Literal["keras_fft"] = "keras_fft"
    dim: int = 128
    filters: tuple[int, ...] = (16, 32, 64, 128, 128)
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)
    hidden: int = 256

    def __post_init__(self) -> None:
        require_positive("encoder", self, "dim", "filters", "convolutions", "hidden")
        if len(self.filters) != len(self.convolutions):
            raise ConfigError(
                f"encoder.convolutions: {len(self.convolutions)} numbers for {len(self.filters)} blocks "
                "of encoder.filters; give one for each"
            )


class SecondSpectrum(nn.Module):
    """Magnitudes of the discrete Fourier transform of whole seconds, (n, 16000) -> (n, 8000), 1 Hz apart.

    The transform of length 125 x 128 is done as matrix products of those lengths with a rotation between
    (Cooley and Tukey, 1965), so that the same steps train and export to ONNX, which has no dependable FFT.
    """

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.arange(_ROWS).double(), torch.arange(_COLUMNS).double()
        angles = {
            "inner": torch.outer(rows, rows) / _ROWS,
            "twist": torch.outer(rows, columns) / SAMPLE_RATE,
            "outer": torch.outer(columns, columns[: _COLUMNS // 2]) / _COLUMNS,  # below half the rate
        }
        for name, turns in angles.items():
            self.register_buffer(f"{name}_cosine", torch.cos(2 * math.pi * turns).float(), persistent=False)
            self.register_buffer(f"{name}_sine", torch.sin(2 * math.pi * turns).float(), persistent=False)

    inner_cosine: Tensor
    inner_sine: Tensor
    twist_cosine: Tensor
    twist_sine: Tensor
    outer_cosine: Tensor
    outer_sine: Tensor

    def forward(self, seconds: Tensor) -> Tensor:
        """Magnitudes (n, 8000) of ``seconds`` (n, 16000)."""
        x = seconds.reshape(-1, _ROWS, _COLUMNS)  # sample 128 * row + column
        real, imaginary = self.inner_cosine @ x, -(self.inner_sine @ x)  # over rows: (n, 125, 128)
        twisted = (
            real * self.twist_cosine + imaginary * self.twist_sine,
            imaginary * self.twist_cosine - real * self.twist_sine,
        )
        real = twisted[0] @ self.outer_cosine + twisted[1] @ self.outer_sine  # over columns: (n, 125, 64)
        imaginary = twisted[1] @ self.outer_cosine - twisted[0] @ self.outer_sine
        # The power's floor keeps the slope of the root finite; it lies far below what 16 bits resolve.
        magnitudes = (real.square() + imaginary.square()).clamp(min=1e-12).sqrt()
        return magnitudes.transpose(1, 2).flatten(1)  # bin row + 125 * column


class _Convolution(nn.Conv1d):
    """A convolution with the channels of each place side by side in memory, on a CPU a third faster."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        x = input.unsqueeze(2).contiguous(memory_format=torch.channels_last)  # (B, C, 1, L)
        return F.conv2d(x, self.weight.unsqueeze(2), self.bias, padding=(0, *self.padding)).squeeze(2)


class _Block(nn.Module):
    """Convolutions beside a 1x1 shortcut, their sum halved in length; (n, C_in, L) -> (n, C_out, L // 2)."""

    def __init__(self, inputs: int, outputs: int, *, convolutions: int) -> None:
        super().__init__()
        self.shortcut = _Convolution(inputs, outputs, 1)
        layers: list[nn.Module] = [_Convolution(inputs, outputs, 3)]
        for _ in range(convolutions - 1):
            layers += [nn.ReLU(), _Convolution(outputs, outputs, 3)]
        self.convolutions = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool1d(F.relu(self.convolutions(x) + self.shortcut(x)), 2)


class KerasFFT(nn.Module):
    """8,000 Fourier magnitudes of a second, residual 1D convolutions along frequency, two dense layers.

    With a softmax over five classes it has the 3,088,597 parameters of the published model. That model takes
    clips of exactly one second. Here a longer clip is embedded as the mean over its whole consecutive
    seconds, what is left at its end being left out, and a shorter one is filled up with silence.

    References
    ----------
    F. Badine, "Speaker recognition", Keras code examples (2020).
    """

    def __init__(self, config: KerasFFTConfig) -> None:
        super().__init__()
        self.config = config
        self.spectrum = SecondSpectrum()
        channels = (1, *config.filters)
        self.blocks = nn.Sequential(
            *(
                _Block(inputs, outputs, convolutions=count)
                for (inputs, outputs), count in zip(pairwise(channels), config.convolutions, strict=True)
            )
        )
        length = SAMPLE_RATE // 2 // 2 ** len(config.filters) // _POOL
        self.hidden = nn.Linear(channels[-1] * length, config.hidden)
        self.projection = nn.Linear(config.hidden, config.dim)
        draw_as_keras(self)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Embeddings of ``waveforms`` (batch, samples) at 16 kHz -> (batch, dim)."""
        seconds = _whole_seconds(waveforms)  # (B, S, 16000)
        embeddings = self.embed_seconds(seconds.flatten(0, 1))
        return embeddings.reshape(-1, seconds.shape[1], self.config.dim).mean(dim=1)

    def embed_seconds(self, seconds: Tensor) -> Tensor:
        """Embeddings of single seconds (n, 16000) -> (n, dim)."""
        with torch.autocast(seconds.device.type, enabled=False):
            magnitudes = self.spectrum(seconds.float())
        x = self.blocks(magnitudes[:, None])  # (n, C, 250)
        x = F.avg_pool1d(x, _POOL).transpose(1, 2).flatten(1)
        out: Tensor = F.relu(self.projection(F.relu(self.hidden(x))))
        return out.float()


def _whole_seconds(waveforms: Tensor) -> Tensor:
    """Cut (B, samples) into its whole seconds (B, S, 16000); less than a second becomes one."""
    padded = F.pad(waveforms, (0, SAMPLE_RATE))
    # As a tensor, so that a traced graph takes the maximum anew for each length.
    seconds = torch.as_tensor(waveforms.shape[1] // SAMPLE_RATE).clamp(min=1)
    return padded[:, : seconds * SAMPLE_RATE].reshape(waveforms.shape[0], -1, SAMPLE_RATE)
