"""The equal error rate over all pairs of a corpus's clips, as published encoders are measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.evaluation import all_pairs
from voiceprint.metrics import LEVEL, Interval, eer_interpolated, speaker_bootstrap
from voiceprint.model import SpeakerModel
from voiceprint.workers import count_processes, map_with_model


def measure_pairs(corpus: Corpus, model: SpeakerModel, *, jobs: int | None = None) -> Interval:
    """Return the equal error rate over all pairs of whole clips by cosine, with its interval over speakers.

    No speech is searched for and nothing is normalised: the figure is the encoder's alone.
    """
    paths = [utterance.path for utterance in corpus]
    embeddings = np.stack(list(map_with_model(_embed_whole, paths, model, jobs=count_processes(jobs))))
    return all_pairs_eer(embeddings, [utterance.speaker_id for utterance in corpus])


def all_pairs_eer(
    embeddings: NDArray[np.float32], speakers: Sequence[str] | NDArray[np.str_], *, repetitions: int = 1000
) -> Interval:
    """Equal error rate over every pair of clips (n, dim) of unit length, with its interval over speakers."""
    (eer,) = speaker_bootstrap(
        all_pairs(embeddings, speakers),
        [eer_interpolated],
        generator=np.random.default_rng(0),
        repetitions=repetitions,
        level=LEVEL,
    )
    return eer


def _embed_whole(model: SpeakerModel, path: Path) -> NDArray[np.float32]:
    (embedding,) = model.embed([path])
    return np.asarray(embedding, dtype=np.float32)
