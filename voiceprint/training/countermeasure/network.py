"""CountermeasureNetwork: a small residual network, from bands to live, synthetic or played."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.features import LogMel, MelConfig
from voiceprint.training.losses.combined import LossParts

__all__ = ["CountermeasureConfig", "CountermeasureNetwork", "KindLoss", "linear_filters"]


def _features() -> MelConfig:
    return MelConfig(n_mels=80, window=400, hop=200, f_min=0.0, f_max=8000.0, top_db=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountermeasureConfig:
    """The ``[network]`` table of a countermeasure's recipe.

    Parameters
    ----------
    channels : tuple of int
        Of the stem and of each residual block; each of them halves the bands, and the first three the frames.
    hidden : int
        Units between what is pooled and the decision.
    features : MelConfig
        The front end; its filters are spaced linearly: machines betray themselves above 4 kHz too.
    """

    channels: tuple[int, ...] = (12, 24, 48, 80)
    hidden: int = 64
    features: MelConfig = field(default_factory=_features)

    def __post_init__(self) -> None:
        require_positive("network", self, "hidden")
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise ConfigError(
                f"network.channels: {list(self.channels)}; give two numbers or more, of 1 or more"
            )


def linear_filters(config: MelConfig) -> Tensor:
    """Triangular filters (window / 2 + 1, n_mels) of equal width from ``f_min`` to ``f_max``."""
    hertz = torch.arange(config.window // 2 + 1) * (SAMPLE_RATE / config.window)
    edges = torch.linspace(config.f_min, config.f_max, config.n_mels + 2)
    rising = (hertz[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0)


class _Block(nn.Module):
    """Two convolutions and what goes past them; bands are halved, and frames where asked."""

    def __init__(self, wide: int, channels: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.Conv2d(wide, channels, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.past = nn.Conv2d(wide, channels, 1, stride=stride, bias=False)
        self.past_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.past_norm(self.past(x)))


class CountermeasureNetwork(nn.Module):
    """Waveforms (batch, samples) -> logits (batch, 3): live, synthetic, loudspeaker.

    The mean of every band over the clip is subtracted, so neither level nor microphone matters, and what lies
    60 dB below the loudest band is floored, so neither does digital silence.
    """

    def __init__(self, config: CountermeasureConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end = LogMel(config.features)
        self.register_buffer("linear", linear_filters(config.features), persistent=False)
        stem, *blocks = config.channels
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU()
        )
        wide, layers = stem, []
        for number, channels in enumerate(blocks):
            layers.append(_Block(wide, channels, (2, 2) if number < 2 else (2, 1)))
            wide = channels
        self.blocks = nn.Sequential(*layers)
        bands = config.features.n_mels
        for _ in config.channels:
            bands = (bands + 1) // 2
        self.decision = nn.Sequential(
            nn.Linear(2 * wide * bands, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 3)
        )

    linear: Tensor

    def log_mels(self, waveforms: Tensor) -> Tensor:
        """Band energies in dB (batch, frames, bands), each band's mean taken away; masks go in here."""
        with torch.autocast(waveforms.device.type, enabled=False):
            energies = self.front_end.energies(waveforms.float(), self.linear)
            decibels = self.front_end.decibels(energies)
        return (decibels - decibels.mean(dim=1, keepdim=True)) * 0.1

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Decide by band energies, (batch, frames, bands) -> (batch, 3)."""
        x = self.blocks(self.stem(log_mels.transpose(1, 2).unsqueeze(1)))  # (B, C, bands, frames)
        x = x.flatten(1, 2)
        mean = x.mean(dim=2)
        spread = (x - mean.unsqueeze(2)).square().mean(dim=2).clamp(min=1e-6).sqrt()
        out: Tensor = self.decision(torch.cat([mean, spread], dim=1))
        return out

    def forward(self, waveforms: Tensor) -> Tensor:
        """Judge clips of equal length."""
        return self.embed_log_mels(self.log_mels(waveforms))


class KindLoss(nn.Module):
    """Cross entropy of live, synthetic and played; stands where the trainer expects a loss over embeddings.

    Parameters
    ----------
    smoothing : float
        Share of each label that is spread over all kinds: some replays cannot be told from the recording.
    """

    def __init__(self, smoothing: float = 0.05) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor, teacher: None = None) -> LossParts:
        """Compare logits (batch, 3) with kinds (batch,), places in `KINDS`."""
        total = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=self.smoothing)
        return LossParts(total, {"kind": total.detach()})

    def set_margin(self, fraction: float) -> None:
        """Do nothing: there is no margin."""
