"""SpecAugment in training: masked log-mels between an encoder's front end and the rest of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from voiceprint.errors import ConfigError
from voiceprint.training.augment import spec_augment
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
        for name in ("time_masks", "max_time", "frequency_masks", "max_frequency"):
            if getattr(self, name) < 0:
                raise ConfigError(f"spec_augment.{name}: {getattr(self, name)}; give 0 or more")

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
