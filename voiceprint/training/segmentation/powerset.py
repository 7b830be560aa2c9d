"""Who speaks in a frame as one class of many: nobody, one of three, or two of three (powerset classes).

Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization" (Interspeech
2023): one decision a frame, so no threshold is left to choose, and overlapped speech is a class of its own.
"""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor, nn

from voiceprint.diarization.segmentation import CLASSES, LOCAL_SPEAKERS
from voiceprint.training.losses.combined import LossParts

IGNORED = -1
"""The class of frames that teach nothing: three or more speak at once."""

_ORDERS = tuple(permutations(range(LOCAL_SPEAKERS)))


def to_classes(active: Tensor) -> Tensor:
    """Turn who is active into powerset classes.

    Parameters
    ----------
    active : Tensor of bool, shape (..., 3)

    Returns
    -------
    Tensor of int64, shape (...)
        Places in `CLASSES`; `IGNORED` where all three are active.
    """
    codes = (active.long() * torch.tensor([1, 2, 4], device=active.device)).sum(dim=-1)
    table = torch.full((8,), IGNORED, dtype=torch.int64, device=active.device)
    for place, members in enumerate(CLASSES):
        table[sum(1 << member for member in members)] = place
    return table[codes]


class PowersetLoss(nn.Module):
    """Cross entropy of the best order of the local speakers, for which a window has no names.

    It stands where the trainer expects a loss over embeddings: `forward` takes the network's logits.
    """

    def forward(self, logits: Tensor, active: Tensor, teacher: None = None) -> LossParts:
        """Compare logits (batch, frames, 7) with who is active, bool (batch, frames, 3)."""
        likelihoods = torch.log_softmax(logits.float(), dim=-1)
        losses = []
        for order in _ORDERS:
            classes = to_classes(active[..., list(order)])
            known = classes != IGNORED
            chosen = likelihoods.gather(2, classes.clamp(min=0).unsqueeze(2)).squeeze(2)
            losses.append(-(chosen * known).sum(dim=1) / known.sum(dim=1).clamp(min=1))
        total = torch.stack(losses).min(dim=0).values.mean()
        return LossParts(total, {"powerset": total.detach()})

    def set_margin(self, fraction: float) -> None:
        """Do nothing: there is no margin."""
