"""Power spectra, log mel energies and their cepstra (MFCCs) as torch modules that export to ONNX."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.torchaudio_parts import create_dct, melscale_fbanks

_DECIBEL = 10.0 / math.log(10.0)
_TABLE = "encoder.features"
# A clip is mirrored at its ends by half a window, and has to be longer than that; the shortest is of 0.1 s.
_LONGEST_WINDOW = 4 * ((SAMPLE_RATE // 10 - 1) // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MelConfig:
    """The ``[encoder.features]`` table of an encoder on log mel energies.

    Parameters
    ----------
    n_mels : int
        Triangular mel filters (Slaney's mel scale).
    window : int
        Samples in the periodic Hann window, which is also the length of the Fourier transform.
    hop : int
        Samples between frames, an even number and at most half of ``window``, which must be a multiple of
        ``hop / 2`` and of 4.
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
        if self.hop % 2 or self.window % 4 or self.window % (self.hop // 2) or self.window < 2 * self.hop:
            raise ConfigError(
                f"{_TABLE}.window: {self.window} and hop {self.hop}; the hop must be even, the window at "
                "least twice the hop, and a multiple of 4 and of half the hop; for example 400 and 160"
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
    """The ``[encoder.features]`` table of an encoder on MFCCs: `MelConfig`, and their number."""

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

    Halves of a frame, once added and once subtracted, have the even and the odd frequencies of its spectrum
    (the first step of the fast Fourier transform). That step is taken twice, the frequencies outside all
    filters are left out, and the rest is multiplied with tables of cosines and sines: a third of the
    multiplications of the plain DFT, and the ONNX graph needs no FFT operator. In training a library's FFT
    does the same, and takes a third of the time for a batch.
    """

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        window = config.window
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        filters = melscale_fbanks(
            window // 2 + 1,
            config.f_min,
            config.f_max,
            config.n_mels,
            SAMPLE_RATE,
            norm=None,
            mel_scale="slaney",
        )
        self.register_buffer("filters", filters, persistent=False)
        bins = torch.arange(window // 2 + 1)
        hertz = bins * (SAMPLE_RATE / window)
        inside = bins[(hertz > config.f_min) & (hertz < config.f_max)]
        parts = [inside[inside % 4 == 0], inside[inside % 4 == 2], inside[inside % 2 == 1]]
        self.register_buffer("bins", torch.cat(parts), persistent=False)
        for i, (samples, part) in enumerate(zip((window // 4, window // 4, window // 2), parts, strict=True)):
            angles = torch.outer(torch.arange(samples), part).double() * (2 * math.pi / window)
            self.register_buffer(f"cosine_{i}", torch.cos(angles).float(), persistent=False)
            self.register_buffer(f"sine_{i}", torch.sin(angles).float(), persistent=False)

    window: Tensor
    filters: Tensor
    bins: Tensor

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
        return self.decibels(self.energies(waveforms, self.filters))

    def energies(self, waveforms: Tensor, filters: Tensor) -> Tensor:
        """Energies that pass ``filters``, between ``f_min`` and ``f_max``.

        Parameters
        ----------
        waveforms : Tensor
            (batch, samples) at 16 kHz.
        filters : Tensor
            (window / 2 + 1, bands), zero at ``f_min`` and ``f_max`` and outside.

        Returns
        -------
        Tensor
            (batch, frames, bands).
        """
        first, second = self._halves(waveforms)
        if self.training:
            spectrum: Tensor = torch.fft.rfft(torch.cat([first, second], dim=-1) * self.window)
            return (spectrum.real.square() + spectrum.imag.square()) @ filters
        half = self.config.window // 2
        first, second = first * self.window[:half], second * self.window[half:]
        even, odd = first + second, first - second
        left, right = even[..., : half // 2], even[..., half // 2 :]
        power = [
            (part @ self.get_buffer(f"cosine_{i}")).square() + (part @ self.get_buffer(f"sine_{i}")).square()
            for i, part in enumerate((left + right, left - right, odd))
        ]
        return torch.cat(power, dim=-1) @ filters[self.bins]

    def decibels(self, energies: Tensor) -> Tensor:
        """Energies (batch, frames, bands) in dB, floored ``top_db`` below each clip's maximum."""
        decibels = _DECIBEL * torch.log(energies.clamp(min=1e-10))
        return torch.maximum(decibels, decibels.amax(dim=(1, 2), keepdim=True) - self.config.top_db)

    def _halves(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        # First and second half of each frame, (B, T, window / 2). A half is a run of blocks; slices of blocks
        # export to ONNX with any length, unfold does not.
        half, hop = self.config.window // 2, self.config.hop
        samples = waveforms.shape[1]
        end = samples - 1 - half + samples % hop
        mirrored = [waveforms[:, 1 : half + 1].flip(1), waveforms, waveforms[:, end:-1].flip(1)]
        block = math.gcd(hop, half)
        blocks = torch.cat(mirrored, dim=1).reshape(waveforms.shape[0], -1, block)
        stride, run = hop // block, half // block
        stop = samples // hop * stride + 1
        cuts = [blocks[:, i : i + stop : stride] for i in range(2 * run)]
        if run == 1:
            return cuts[0], cuts[1]
        return torch.cat(cuts[:run], dim=-1), torch.cat(cuts[run:], dim=-1)


class MFCC(LogMel):
    """Waveform to MFCCs, equal to ``torchaudio.transforms.MFCC`` clip by clip."""

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
