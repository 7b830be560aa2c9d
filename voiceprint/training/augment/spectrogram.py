"""SpecAugment: bands of a log-mel spectrogram masked in frequency and in time."""

from __future__ import annotations

import torch


def spec_augment(
    features: torch.Tensor,
    *,
    generator: torch.Generator,
    time_masks: int = 1,
    max_time: int = 20,
    frequency_masks: int = 1,
    max_frequency: int = 8,
) -> torch.Tensor:
    """Mask random bands of log-mel features with the clip's own mean (Park et al., 2019).

    To be applied to log-mels, before the cosine transform to MFCCs spreads every band over all coefficients;
    time masks alone (``frequency_masks=0``) may be applied to MFCCs.

    Parameters
    ----------
    features : torch.Tensor, shape (batch, bands, frames)
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


def _draw_masks(
    generator: torch.Generator, batch: int, length: int, *, count: int, widest: int
) -> torch.Tensor:
    """Draw `count` bands a clip: a (batch, length) tensor, true where one covers."""
    widths = torch.randint(0, min(widest, length // 2) + 1, (batch, count, 1), generator=generator)
    # A start drawn as a fraction of what the width leaves free: every position of a mask is equally likely.
    draws = torch.rand((batch, count, 1), generator=generator)
    starts = (draws * (length - widths + 1)).long()
    positions = torch.arange(length)
    return ((positions >= starts) & (positions < starts + widths)).any(dim=1)
