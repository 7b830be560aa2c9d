"""CountermeasureNetwork: a small residual network, from bands to live, synthetic or played."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.features import LogMel, MelConfig
from voiceprint.training.encoders.residual_block import ResidualBlock
from voiceprint.training.losses.combined import LossParts


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
    bursts : int
        Short frames within each frame, in which the pulses of a voice stand apart.
    """

    channels: tuple[int, ...] = (16, 32, 64, 96)
    hidden: int = 64
    features: MelConfig = field(default_factory=_features)
    bursts: int = 4

    def __post_init__(self) -> None:
        require_positive("network", self, "hidden")
        require_positive("network", self, "bursts", or_zero=True)
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


def broad_filters(config: MelConfig, short: MelConfig) -> Tensor:
    """Filters (window / 2 + 1, n_mels) of short frames, with the middles of the narrow ones of `config`."""
    hertz = torch.arange(short.window // 2 + 1) * (SAMPLE_RATE / short.window)
    middles = torch.linspace(config.f_min, config.f_max, config.n_mels + 2)[1:-1]
    filters = (1.0 - (hertz[:, None] - middles).abs() / (1.25 * SAMPLE_RATE / short.window)).clamp(min=0.0)
    filters[[0, -1]] = 0.0
    return filters


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
        if config.bursts:
            hop = config.features.hop // config.bursts
            # Its mel filters are not used: `broad_filters` are.
            short = replace(config.features, window=2 * hop, hop=hop, n_mels=8)
            self.short_front_end = LogMel(short)
            self.register_buffer("broad", broad_filters(config.features, short), persistent=False)
        stem, *blocks = config.channels
        self.stem = nn.Sequential(
            nn.Conv2d(1 + config.bursts, stem, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        )
        wide, layers = stem, []
        for number, channels in enumerate(blocks):
            layers.append(ResidualBlock(wide, channels, stride=(2, 2) if number < 2 else (2, 1)))
            wide = channels
        self.blocks = nn.Sequential(*layers)
        bands = config.features.n_mels
        for _ in config.channels:
            bands = (bands + 1) // 2
        self.decision = nn.Sequential(
            nn.Linear(2 * wide * bands, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 3)
        )

    linear: Tensor
    broad: Tensor

    def log_mels(self, waveforms: Tensor) -> Tensor:
        """Band energies in dB (batch, frames, bands * views), each band's mean taken away; masks go in here.

        The views of a band lie side by side: the long frame, then the short ones that begin in it.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            long = _relative(self.front_end, waveforms.float(), self.linear)  # (B, T, bands)
            if not self.config.bursts:
                return long
            frames, bursts = waveforms.shape[1] // self.config.features.hop, self.config.bursts
            short = _relative(self.short_front_end, waveforms.float(), self.broad)[:, : frames * bursts]
            short = short.reshape(short.shape[0], -1, bursts, short.shape[2])  # (B, T, bursts, bands)
            views = torch.cat([long[:, :frames].unsqueeze(2), short], dim=2)
            return views.transpose(2, 3).flatten(2)

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        """Decide by band energies, (batch, frames, bands * views) -> (batch, 3)."""
        bands, views = self.config.features.n_mels, 1 + self.config.bursts
        x = log_mels.reshape(log_mels.shape[0], -1, bands, views)
        x = self.blocks(self.stem(x.permute(0, 3, 2, 1)))  # (B, C, bands, frames)
        x = x.flatten(1, 2)
        mean = x.mean(dim=2)
        spread = (x - mean.unsqueeze(2)).square().mean(dim=2).clamp(min=1e-6).sqrt()
        out: Tensor = self.decision(torch.cat([mean, spread], dim=1))
        return out

    def forward(self, waveforms: Tensor) -> Tensor:
        """Judge clips of equal length."""
        return self.embed_log_mels(self.log_mels(waveforms))


class TwoTowers(nn.Module):
    """Two networks that hear the same bands, waveforms (batch, samples) -> logits (batch, 3).

    One tells synthetic speech from live, the other what was played: each learned its own task. The logits are
    the log-odds of a kind against live, so that of live is nought.

    Parameters
    ----------
    machines, loudspeakers : CountermeasureNetwork
        The front end is that of the first.

    Raises
    ------
    ConfigError
        If their front ends differ.
    """

    def __init__(self, machines: CountermeasureNetwork, loudspeakers: CountermeasureNetwork) -> None:
        super().__init__()
        ours, theirs = machines.config, loudspeakers.config
        if (ours.features, ours.bursts) != (theirs.features, theirs.bursts):
            raise ConfigError("network: the two recipes differ in features or bursts")
        self.machines, self.loudspeakers = machines, loudspeakers

    def forward(self, waveforms: Tensor) -> Tensor:
        """Judge clips of equal length."""
        bands = self.machines.log_mels(waveforms)
        by_machines, by_loudspeakers = (
            tower.embed_log_mels(bands) for tower in (self.machines, self.loudspeakers)
        )
        live, synthetic, played = range(3)
        return torch.stack(
            [
                torch.zeros_like(by_machines[:, live]),
                by_machines[:, synthetic] - by_machines[:, live],
                by_loudspeakers[:, played] - by_loudspeakers[:, live],
            ],
            dim=1,
        )


def _relative(front_end: LogMel, waveforms: Tensor, filters: Tensor) -> Tensor:
    """Energies (batch, frames, bands) in tens of dB over each band's mean."""
    decibels = front_end.decibels(front_end.energies(waveforms, filters))
    return (decibels - decibels.mean(dim=1, keepdim=True)) * 0.1


class KindLoss(nn.Module):
    """Cross entropy of live, synthetic and played, and of pairs: the person's clip has to sound more live.

    A pair shares all that its clips went through, so what tells its sides apart is what the machine did. It
    stands where the trainer expects a loss over embeddings.

    Parameters
    ----------
    smoothing : float
        Share of each label that is spread over all kinds: some replays cannot be told from the recording.
    """

    def __init__(self, smoothing: float = 0.05) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor, teacher: None = None) -> LossParts:
        """Compare logits (batch, 3) with kinds (batch,), places in `KINDS`: pairs, a person's clip first."""
        logits = logits.float()
        kind = nn.functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        odds = logits[:, 0] - logits[:, 1:].logsumexp(dim=1)
        pair = nn.functional.softplus(odds[1::2] - odds[::2]).mean()
        return LossParts(kind + pair, {"kind": kind.detach(), "pair": pair.detach()})

    def set_margin(self, fraction: float) -> None:
        """Do nothing: there is no margin."""
