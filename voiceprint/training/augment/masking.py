"""SpecAugment in training: masked log-mels between an encoder's front end and the rest of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.data.batches import Batch


@runtime_checkable
class _MelEncoder(Protocol):
    def log_mels(self, waveforms: Tensor) -> Tensor: ...
    def embed_log_mels(self, log_mels: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecAugmentConfig:
    """The ``[spec_augment]`` table of a recipe; off as long as both numbers of masks are 0.

    Parameters
    ----------
    time_masks, max_time : int
        Masks over time in a crop, and the frames that the widest covers.
    frequency_masks, max_frequency : int
        Masks over mel bands in a crop, and the bands that the widest covers.
    """

    time_masks: int = 0
    max_time: int = 20
    frequency_masks: int = 0
    max_frequency: int = 8

    def __post_init__(self) -> None:
        counts = ("time_masks", "max_time", "frequency_masks", "max_frequency")
        require_positive("spec_augment", self, *counts, or_zero=True)

    def embed(self, encoder: nn.Module, batch: Batch) -> Tensor:
        """Embeddings (n, dim) of a training batch, with the masks that its crops' seeds draw.

        Raises
        ------
        ConfigError
            The encoder has no mel front end to mask.
        """
        if not (self.time_masks or self.frequency_masks):
            plain: Tensor = encoder(batch.waveforms)
            return plain
        if not isinstance(encoder, _MelEncoder):
            raise ConfigError(
                f"spec_augment: {type(encoder).__name__} has no log-mels to mask; switch it off"
            )
        log_mels = encoder.log_mels(batch.waveforms)  # (B, T, bands)
        return encoder.embed_log_mels(self._masked(log_mels, batch.seeds))

    def _masked(self, log_mels: Tensor, seeds: Tensor) -> Tensor:
        # Clip by clip from its own seed: a crop is masked alike alone, in any batch and on any process.
        rows = [
            spec_augment(
                row[None].transpose(1, 2),
                generator=torch.Generator().manual_seed(int(seed)),
                time_masks=self.time_masks,
                max_time=self.max_time,
                frequency_masks=self.frequency_masks,
                max_frequency=self.max_frequency,
            )
            for row, seed in zip(log_mels, seeds, strict=True)
        ]
        return torch.cat(rows).transpose(1, 2)


def spec_augment(
    features: Tensor,
    *,
    generator: torch.Generator,
    time_masks: int = 1,
    max_time: int = 20,
    frequency_masks: int = 1,
    max_frequency: int = 8,
) -> Tensor:
    """Mask random bands of log-mel features with the clip's own mean (Park et al., 2019).

    To be applied to log-mels, before the cosine transform to MFCCs spreads every band over all coefficients;
    time masks alone (``frequency_masks=0``) may be applied to MFCCs.

    Parameters
    ----------
    features : Tensor, shape (batch, bands, frames)
        Not changed.
    generator : torch.Generator
        Source of the draws, on the CPU; the masks are drawn for each clip apart.
    time_masks, frequency_masks : int
        How many masks of each kind; 0 switches the kind off.
    max_time, max_frequency : int
        A mask is drawn from 0 to this many frames or bands wide, and never wider than half of what there is.
    """
    batch, bands, frames = features.shape
    frequency = _draw_masks(generator, batch, bands, count=frequency_masks, widest=max_frequency)
    time = _draw_masks(generator, batch, frames, count=time_masks, widest=max_time)
    mask = (frequency[:, :, None] | time[:, None, :]).to(features.device)
    return torch.where(mask, features.mean(dim=(1, 2), keepdim=True), features)


def _draw_masks(generator: torch.Generator, batch: int, length: int, *, count: int, widest: int) -> Tensor:
    """Draw `count` bands a clip: a (batch, length) tensor, true where one covers."""
    widths = torch.randint(0, min(widest, length // 2) + 1, (batch, count, 1), generator=generator)
    # A start drawn as a fraction of what the width leaves free: every position of a mask is equally likely.
    draws = torch.rand((batch, count, 1), generator=generator)
    starts = (draws * (length - widths + 1)).long()
    positions = torch.arange(length)
    return ((positions >= starts) & (positions < starts + widths)).any(dim=1)
