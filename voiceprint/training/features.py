"""Power spectra, log mel energies and their cepstra (MFCCs) as torch modules that export to ONNX."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError
from voiceprint.training.config import require_positive
from voiceprint.training.torchaudio_parts import create_dct, melscale_fbanks

__all__ = ["MFCC", "LogMel", "MFCCConfig", "MelConfig"]

_DECIBEL = 10.0 / math.log(10.0)
_TABLE = "encoder.features"
# A clip is mirrored at its ends by half a window, and has to be longer than that; the shortest is of 0.1 s.
_LONGEST_WINDOW = 2 * (SAMPLE_RATE // 10 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MelConfig:
    """The ``[encoder.features]`` table of an encoder that hears log mel energies.

    Parameters
    ----------
    n_mels : int
        Triangular mel filters (Slaney's mel scale).
    window : int
        Samples in the periodic Hann window, which is also the length of the Fourier transform.
    hop : int
        Samples between frames; ``window`` must be a multiple of ``hop / 2``, and ``hop`` must be even.
    f_min, f_max : float
        Band of the filters, in Hz.
    top_db : float
        Dynamic range kept below the loudest filter of the clip, in dB.
    """

    n_mels: int = 80
    window: int = 400
    hop: int = 160
    f_min: float = 20.0
    f_max: float = 7600.0
    top_db: float = 80.0

    def __post_init__(self) -> None:
        require_positive(_TABLE, self, "n_mels", "window", "hop", "top_db")
        if self.hop % 2 or self.window % 2 or self.window % (self.hop // 2):
            raise ConfigError(
                f"{_TABLE}.window: {self.window} and hop {self.hop} must be even, and the window a multiple "
                "of half the hop; for example 400 and 160"
            )
        if self.window > _LONGEST_WINDOW:
            raise ConfigError(
                f"{_TABLE}.window: {self.window}; give at most {_LONGEST_WINDOW}, twice the shortest clip"
            )
        if not 0 <= self.f_min < self.f_max <= SAMPLE_RATE / 2:
            raise ConfigError(
                f"{_TABLE}.f_min: {self.f_min:g} and f_max {self.f_max:g} must rise, from 0 to "
                f"{SAMPLE_RATE // 2} Hz at most"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MFCCConfig(MelConfig):
    """The ``[encoder.features]`` table of an encoder that hears MFCCs: `MelConfig`, and their number.

    Parameters
    ----------
    n_mfcc : int
        Cepstral coefficients kept.
    """

    n_mfcc: int = 80

    def __post_init__(self) -> None:
        MelConfig.__post_init__(self)  # super() does not find the class that slots made anew
        require_positive(_TABLE, self, "n_mfcc")
        if self.n_mfcc > self.n_mels:
            raise ConfigError(
                f"{_TABLE}.n_mfcc: {self.n_mfcc} is more than n_mels, {self.n_mels}; give at most as many"
            )


class LogMel(nn.Module):
    """Waveform to log mel energies, out of training by matrix products alone.

    The periodic Hann window and the cosine and sine tables are symmetric, so that a frame is folded about its
    middle before the transform: half the multiplications of the plain DFT, and the ONNX graph needs no FFT
    operator. In training a library's FFT does the same, and takes a third of the time for a batch.

    Parameters
    ----------
    config : MelConfig
        Sizes and band.
    """

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        half = config.window // 2
        angles = torch.outer(torch.arange(half + 1), torch.arange(1, half + 1)) * (
            2 * math.pi / config.window
        )
        window = torch.hann_window(config.window)[1 : half + 1]
        self.register_buffer(
            "cosine", (torch.cos(angles.double()) * window).T.float().contiguous(), persistent=False
        )
        sine = (torch.sin(angles.double()) * window).T[: half - 1].float().contiguous()
        self.register_buffer("sine", sine, persistent=False)
        self.register_buffer("window", torch.hann_window(config.window), persistent=False)
        filters = melscale_fbanks(
            half + 1, config.f_min, config.f_max, config.n_mels, SAMPLE_RATE, norm=None, mel_scale="slaney"
        )
        self.register_buffer("filters", filters, persistent=False)

    cosine: Tensor
    sine: Tensor
    window: Tensor
    filters: Tensor

    def log_mel(self, waveforms: Tensor) -> Tensor:
        """Log mel energies.

        Parameters
        ----------
        waveforms : Tensor
            (batch, samples) at 16 kHz; at least ``window / 2 + 1`` samples.

        Returns
        -------
        Tensor
            (batch, frames, n_mels) in dB, ``frames = samples // hop + 1``, floored ``top_db`` below each
            clip's maximum.
        """
        return self.decibels(self.power(waveforms) @ self.filters)

    def power(self, waveforms: Tensor) -> Tensor:
        """Power spectra of ``waveforms`` (batch, samples) -> (batch, frames, window / 2 + 1)."""
        frames = self._frames(waveforms)  # (B, T, window)
        if self.training:
            spectrum: Tensor = torch.fft.rfft(frames * self.window)
            return spectrum.real.square() + spectrum.imag.square()
        half = self.config.window // 2
        left, middle = frames[..., 1:half], frames[..., half : half + 1]
        right = frames[..., half + 1 :].flip(-1)
        real = torch.cat([left + right, middle], dim=-1) @ self.cosine  # (B, T, half + 1)
        imaginary = (left - right) @ self.sine
        return real.square() + imaginary.square()

    def decibels(self, energies: Tensor) -> Tensor:
        """Energies (batch, frames, bands) in dB, floored ``top_db`` below each clip's maximum."""
        decibels = _DECIBEL * torch.log(energies.clamp(min=1e-10))
        return torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - self.config.top_db)

    def _frames(self, waveforms: Tensor) -> Tensor:
        # A frame is a run of hop / 2 blocks; slices of blocks export to ONNX with any length, unfold does
        # not.
        window, hop = self.config.window, self.config.hop
        block = hop // 2
        n_frames = waveforms.shape[1] // hop + 1
        padded = F.pad(waveforms[:, None], (window // 2, window // 2), mode="reflect")[:, 0]
        kept = padded[:, : (n_frames - 1) * hop + window]
        blocks = kept.reshape(kept.shape[0], -1, block)  # (B, 2T - 2 + window / block, block)
        stop = 2 * n_frames - 1
        return torch.cat([blocks[:, i : i + stop : 2] for i in range(window // block)], dim=-1)


class MFCC(LogMel):
    """Waveform to MFCCs, equal to ``torchaudio.transforms.MFCC`` clip by clip.

    Parameters
    ----------
    config : MFCCConfig
        Sizes and band.
    """

    def __init__(self, config: MFCCConfig) -> None:
        super().__init__(config)
        self.register_buffer("dct", create_dct(config.n_mfcc, config.n_mels, "ortho"), persistent=False)

    dct: Tensor

    def cepstra(self, log_mels: Tensor) -> Tensor:
        """Cosine transform of log mel energies, (batch, frames, n_mels) -> (batch, n_mfcc, frames)."""
        return (log_mels @ self.dct).transpose(1, 2)

    def forward(self, waveforms: Tensor) -> Tensor:
        """MFCCs of ``waveforms`` (batch, samples) -> (batch, n_mfcc, frames)."""
        return self.cepstra(self.log_mel(waveforms))
