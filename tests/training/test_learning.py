"""Every loss and every encoder learns within a few dozen steps on synthetic speakers, by the one trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.conftest import tiny_recipe
from voiceprint.training.losses.config import LOSS_NAMES
from voiceprint.training.run.assembly import make_trainer
from voiceprint.training.run.trainer import Trainer

LOSSES = sorted(set(LOSS_NAMES) - {"distillation"})
CLIPS = {"kind": "clips", "size": 16, "seconds": [0.8, 0.8], "workers": 0}
PAIRS = {"kind": "pairs", "pairs": 8, "seconds": [0.5, 0.5], "workers": 0}
TRIPLETS = {"kind": "triplets", "triplets": 6, "seconds": [0.5, 0.5], "workers": 0}
MELS = {"n_mels": 32}
SYSTEMS: dict[str, dict[str, Any]] = {
    "keras-fft": {
        "encoder": {"kind": "keras_fft", "filters": [4, 8, 16], "convolutions": [2, 2, 2], "hidden": 32},
        "batches": CLIPS,
        "loss": [{"name": "softmax"}],
    },
    "spectrogram-cnn": {
        "encoder": {"kind": "spectrogram_cnn", "filters": [8, 16, 16], "features": MELS},
        "batches": CLIPS,
        "loss": [{"name": "softmax"}],
    },
    "resnet34-mel": {
        "encoder": {"kind": "resnet34_mel", "channels": 4, "features": MELS},
        "batches": CLIPS,
        "loss": [{"name": "softmax"}],
    },
    "voicemap": {
        "encoder": {"kind": "voicemap", "filters": 8},
        "batches": PAIRS,
        "loss": [{"name": "siamese", "pairs": "adjacent"}],
    },
    "lstm-triplet": {
        "encoder": {"kind": "bilstm", "features": {"n_mfcc": 20, "n_mels": 32}},
        "batches": TRIPLETS,
        "loss": [{"name": "triplet", "mining": "given", "distance": "cosine", "margin": 0.5}],
    },
}


def trained(corpora: Path, pool: Path, folder: Path, *, steps: int, **changes: Any) -> Trainer:
    recipe = tiny_recipe(
        trainer={"steps": steps, "validate_every": steps, "checkpoint_every": steps}, **changes
    )
    trainer = make_trainer(recipe, corpora=corpora, pool=pool, folder=folder)
    trainer.run()
    return trainer


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_teaches_to_tell_strangers_apart(
    name: str, tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    trainer = trained(tiny_corpora, tiny_pool, tmp_path, steps=40, loss=[{"name": name}])
    # Untrained, the encoder errs in 48 % of the dev pairs.
    assert trainer.best is not None and trainer.best < 0.3


@pytest.mark.parametrize("changes", SYSTEMS.values(), ids=SYSTEMS)
def test_every_system_learns_what_it_is_asked(
    changes: dict[str, Any], tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    trained(tiny_corpora, tiny_pool, tmp_path, steps=40, **changes, optimizer={"lr": 5e-3, "warmup": 0})
    log = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(log[-8:]) < 0.8 * np.mean(log[:8])
