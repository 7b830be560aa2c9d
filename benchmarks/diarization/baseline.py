"""A plain baseline: detected speech, windows of 1.5 s, spectral clustering; the same encoder, no overlap.

The number of speakers is where the eigenvalues of the graph's Laplacian rise most (von Luxburg, "A tutorial
on spectral clustering", 2007; affinities pruned as by Wang et al., "Speaker diarization with LSTM", 2018).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.vad import find_speech
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.model import SpeakerModel

__all__ = ["diarize_plainly"]

_WINDOW, _HOP = 1.5, 0.75  # seconds
_KEPT = 0.2  # of a row's affinities
_MOST = 8


def diarize_plainly(samples: NDArray[np.float32], model: SpeakerModel) -> tuple[SpeakerTurn, ...]:
    """Diarize samples (n,) at 16 kHz."""
    speech = find_speech(Waveform(samples=samples, source="", original_rate=SAMPLE_RATE))
    pieces = [piece for segment in speech.segments for piece in _pieces(segment.start, segment.stop)]
    if not pieces:
        return ()
    length = round(_WINDOW * SAMPLE_RATE)
    clips = []
    for start, stop in pieces:
        first = int(np.clip((start + stop - length) // 2, 0, max(0, len(samples) - length)))
        clips.append(samples[first : first + length])
    labels = _labels(model.embed(clips))
    return join_turns(
        SpeakerTurn(start=start / SAMPLE_RATE, stop=stop / SAMPLE_RATE, speaker=str(label))
        for (start, stop), label in zip(pieces, labels.tolist(), strict=True)
    )


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    count = max(1, round((stop - start) / (_HOP * SAMPLE_RATE)))
    edges = np.round(np.linspace(start, stop, count + 1)).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _labels(embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
    count = len(embeddings)
    if count < 4:
        return np.zeros(count, dtype=np.int64)
    affinity = (embeddings @ embeddings.T + 1.0) / 2.0
    kept = max(2, round(_KEPT * count))
    limit = np.partition(affinity, count - kept, axis=1)[:, count - kept, None]
    pruned = np.where(affinity >= limit, affinity, 0.0)
    pruned = np.maximum(pruned, pruned.T)
    degree = np.maximum(pruned.sum(axis=1), 1e-9)
    laplacian = np.eye(count) - pruned / np.sqrt(degree[:, None] * degree[None, :])
    values, vectors = np.linalg.eigh(laplacian)
    most = min(_MOST, count - 1)
    speakers = 1 + int(np.diff(values[: most + 1]).argmax())
    rows = vectors[:, :speakers]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray(KMeans(speakers, n_init=3, random_state=0).fit_predict(rows), dtype=np.int64)
