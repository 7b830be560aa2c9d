"""A tiny corpus of synthetic speakers, and a recipe that learns to tell them apart in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

from benchmarks.synthetic_speech import SAMPLE_RATE, synthesize
from voiceprint.config import build
from voiceprint.corpus import Corpus, Utterance, write_manifest
from voiceprint.training.data.rendering import prepare_pool
from voiceprint.training.data.voices import Voice
from voiceprint.training.run.recipe import Recipe

SPEAKERS = {"train": 12, "dev": 8}
CLIPS, SECONDS = 4, 1.0
SEED = 3


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Train on one thread: results must not depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that holds one corpus, ``tiny``: 12 speakers to train on and 8 others to validate."""
    root = tmp_path_factory.mktemp("corpora")
    utterances = [
        utterance
        for split, count in SPEAKERS.items()
        for number in range(count)
        for utterance in _clips_of(root / "tiny", split, number, count)
    ]
    write_manifest(Corpus(utterances), root / "tiny" / "manifest.csv")
    return root


def _clips_of(folder: Path, split: str, number: int, count: int) -> Iterator[Utterance]:
    name = f"{split}{number}"
    (folder / name).mkdir(parents=True)
    # Pitches from 85 to 250 Hz; neighbours in pitch lie 5 places apart in the vocal tract.
    f0 = 85.0 * (250 / 85) ** ((number + 0.5) / count)
    formants = 0.82 + 0.44 * (5 * number % count + 0.5) / count
    for clip in range(CLIPS):
        path = folder / name / f"{clip}.wav"
        seed = 1000 * number + clip + (50_000 if split == "dev" else 0)
        sf.write(path, synthesize(seed, SECONDS, f0, formants), SAMPLE_RATE)
        yield Utterance(
            path=path,
            speaker=name,
            seconds=SECONDS,
            id=f"{name}/{clip}.wav",
            split=split,
            corpus="tiny",
        )


@pytest.fixture(scope="session")
def tiny_pool(tiny_corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training speech of ``tiny``, decoded; every speaker also in one faster voice."""
    from voiceprint.corpus import read_manifest  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("pool")
    corpus = read_manifest(tiny_corpora / "tiny").filter(split="train")
    prepare_pool(corpus, folder, voices=[Voice(speed=(1.2, 1.3))], seed=SEED)
    return folder


def tiny_table(**changes: dict[str, Any]) -> dict[str, Any]:
    """The tables of the tiny recipe, with ``changes`` to them; one that names a kind replaces its table."""
    table: dict[str, Any] = {
        "name": "tiny",
        "seed": SEED,
        "data": {"train": ["tiny"], "dev": ["tiny"]},
        "encoder": {
            "dim": 24,
            "channels": 24,
            "blocks": 1,
            "hidden": 12,
            "attention": 8,
            "features": {"n_mfcc": 20, "n_mels": 32},
        },
        "batches": {"speakers": 8, "utterances": 2, "seconds": [0.4, 0.8], "workers": 0},
        "augment": dict.fromkeys(
            (
                "reverberation",
                "noise",
                "babble",
                "colour",
                "gain",
                "clipping",
                "telephone",
                "narrowband",
                "gsm",
            ),
            0.0,
        ),
        "loss": [{"name": "triplet"}, {"name": "aam_softmax", "weight": 0.2}],
        "optimizer": {"lr": 4e-3, "warmup": 5},
        "trainer": {
            "steps": 60,
            "validate_every": 30,
            "checkpoint_every": 20,
            "average": 0.9,
            "precision": "float32",
        },
        "validation": {"conditions": ["clean"]},
    }
    for name, change in changes.items():
        own = isinstance(table.get(name), dict) and "kind" not in change
        table[name] = {**table[name], **change} if own else change
    return table


def tiny_recipe(**changes: Any) -> Recipe:
    """The tiny recipe."""
    return build(Recipe, tiny_table(**changes))


def equal_tensors(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two checkpoints hold the same names and the same bits."""
    return set(first) == set(second) and all(
        np.array_equal(first[name].numpy(), second[name].numpy()) for name in first
    )
