"""Run by torchrun: train the tiny recipe's data with a small encoder, and leave a checkpoint."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from voiceprint.training.distributed import joined_group
from voiceprint.training.encoders import ENCODERS
from voiceprint.training.encoders.features import MFCC, MFCCConfig
from voiceprint.training.run.assembly import make_trainer
from voiceprint.training.run.recipe import read_saved_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanConfig:
    """Sizes of `MeanEncoder`."""

    kind: Literal["mean"] = "mean"
    dim: int = 12


class MeanEncoder(nn.Module):
    """Mean over time of a projection of log-mels: no batch statistics, so ranks see what one process sees."""

    def __init__(self, config: MeanConfig) -> None:
        super().__init__()
        self.front_end = MFCC(MFCCConfig(n_mels=24, n_mfcc=20))
        # Not tanh: of centred log-mels it averages out to almost nothing, and where gradients vanish Adam
        # makes steps of their rounding.
        self.layers = nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, config.dim))

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.embed_log_mels(self.log_mels(waveforms))

    def log_mels(self, waveforms: Tensor) -> Tensor:
        return self.front_end.log_mel(waveforms)

    def embed_log_mels(self, log_mels: Tensor) -> Tensor:
        centred = log_mels - log_mels.mean(dim=1, keepdim=True)
        embeddings: Tensor = self.layers(centred / 20).mean(dim=1)
        return embeddings


def main(corpora: str, pool: str, run: str) -> None:
    torch.set_num_threads(1)
    ENCODERS[MeanConfig] = MeanEncoder
    recipe: Any = read_saved_recipe(Path(run).parent)
    object.__setattr__(recipe, "encoder", MeanConfig())
    with joined_group() as group:
        trainer = make_trainer(recipe, corpora=Path(corpora), pool=Path(pool), folder=Path(run), group=group)
        trainer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
