"""SpecAugment in training: seeded crop by crop, and off unless asked for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from voiceprint.errors import ConfigError
from voiceprint.training.augment.masking import SpecAugmentConfig
from voiceprint.training.data.batches import Batch


class LogMels(nn.Module):
    """Its waveforms are log-mels already; it returns what it was given to embed."""

    def log_mels(self, waveforms: torch.Tensor) -> torch.Tensor:
        return waveforms

    def embed_log_mels(self, log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return waveforms


def batch(seeds: list[int]) -> Batch:
    row = torch.arange(60.0).reshape(1, 12, 5)  # 12 frames of 5 bands
    return Batch(row.expand(len(seeds), 12, 5), torch.zeros(len(seeds)), torch.tensor(seeds))


MASKS = SpecAugmentConfig(time_masks=1, max_time=6, frequency_masks=1, max_frequency=2)


def test_equal_seeds_mask_alike_in_any_company() -> None:
    masked = MASKS.embed(LogMels(), batch([1, 2, 3, 1]))
    assert torch.equal(masked[0], masked[3])
    assert torch.equal(masked[1:2], MASKS.embed(LogMels(), batch([2])))
    assert not torch.equal(masked[0], masked[1])


def test_masks_put_the_mean_in_place() -> None:
    plain = batch([5]).waveforms
    changed = MASKS.embed(LogMels(), batch([5])) != plain
    assert 0 < int(changed.sum()) < plain.numel()
    assert set(MASKS.embed(LogMels(), batch([5]))[changed].tolist()) == {29.5}


def test_off_by_default() -> None:
    given = batch([1])
    assert SpecAugmentConfig().embed(LogMels(), given) is given.waveforms


def test_an_encoder_without_log_mels_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear has no log-mels to mask"):
        MASKS.embed(nn.Linear(2, 2), batch([1]))


def test_less_than_no_masks() -> None:
    with pytest.raises(ConfigError, match=r"spec_augment.time_masks: -1"):
        SpecAugmentConfig(time_masks=-1)
