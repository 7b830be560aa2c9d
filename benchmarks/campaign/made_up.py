"""Voiceprints without voices: random embeddings, for attacks on what stores them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.campaign.program import require_clean, run
from benchmarks.campaign.world import World
from voiceprint.audio.quality import ClipQuality
from voiceprint.store import EnrolledUtterance, EnrollmentStore


def made_up_clips(draw: np.random.Generator, n: int, *, dim: int) -> list[EnrolledUtterance]:
    """Make up the clips of one person, close to each other and far from everybody else's."""
    voice = draw.standard_normal(dim)
    return [_clip(voice + 0.3 * draw.standard_normal(dim)) for _ in range(n)]


def _clip(values: NDArray[np.float64]) -> EnrolledUtterance:
    embedding = (values / np.linalg.norm(values)).astype(np.float32)
    return EnrolledUtterance(
        embedding=embedding,
        clip_sha256=hashlib.sha256(embedding.tobytes()).hexdigest(),
        source="made up.wav",
        quality=ClipQuality(seconds=3.0, seconds_of_speech=2.0, level_dbfs=-20.0, clipped=0.0, snr_db=None),
    )


def open_made_up(folder: Path, world: World) -> EnrollmentStore:
    """Open a store of the world's model."""
    return EnrollmentStore.open(folder, model_id=world.model.id, dim=world.model.dim)


def write_many(path: Path, world: World, *, people: int = 200) -> Path:
    """Write an export file of many made-up people, who are nobody of the world."""
    store, draw = path.parent / f"store of {path.name}", np.random.default_rng(0)
    with open_made_up(store, world) as opened:
        for person in range(people):
            opened.add(f"made up {person}", made_up_clips(draw, 2, dim=world.model.dim))
    require_clean(run(["export", path, "--store", store], folder=store / "exporting"), codes=(0,))
    shutil.rmtree(store)
    return path
