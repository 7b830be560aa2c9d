"""Where the voices of a store come from: drawn from a Gaussian, or around real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import find_audio
from voiceprint.model import SpeakerModel
from voiceprint.workers import embed_files

Embedding = NDArray[np.float32]


class Voices:
    """Embeddings (dim,) of unit length: the larger the decay, the fewer directions they differ in.

    Parameters
    ----------
    dim : int
        Numbers of an embedding; of the real ones where they are given.
    decay : float
        The k-th direction's standard deviation is k to the minus this.
    real : ndarray, shape (n, dim), optional
        Voices are drawn around these instead.
    """

    def __init__(
        self, rng: np.random.Generator, *, dim: int, decay: float, real: NDArray[np.float64] | None = None
    ) -> None:
        self._rng = rng
        self._real = real
        self.dim = dim if real is None else real.shape[1]
        self._scale = np.arange(1, dim + 1, dtype=np.float64) ** -decay
        if real is not None:
            values, self._directions = np.linalg.eigh(np.cov(real.T))
            self._scale = np.sqrt(np.maximum(values, 0.0))

    def draw(self) -> Embedding:
        """Draw a voice (dim,)."""
        noise = self._rng.standard_normal(len(self._scale)) * self._scale
        if self._real is None:
            return unit(noise)
        # Around a real one, at half the spread of all: a group of similar voices for each.
        return unit(self._real[self._rng.integers(len(self._real))] + 0.5 * self._directions @ noise)

    def draw_many(self, n: int) -> Embedding:
        """Draw voices (n, dim)."""
        noise = self._rng.standard_normal((n, len(self._scale)), dtype=np.float32) * self._scale
        if self._real is not None:
            centres = self._real[self._rng.integers(len(self._real), size=n)]
            noise = centres + 0.5 * noise @ self._directions.T
        drawn: Embedding = (noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(np.float32)
        return drawn

    def clip_of(self, voice: Embedding) -> Embedding:
        """Draw another clip of a voice, at a cosine of about 0.74."""
        return unit(voice + 0.9 * self.draw())

    def queries(self, voices: Embedding, n: int, *, seed: int) -> list[Embedding]:
        """Draw clips of some of these voices, and as many of out-of-set speakers after them."""
        places = np.random.default_rng(seed).integers(len(voices), size=n // 2)
        enrolled = [self.clip_of(voices[place]) for place in places]
        return [*enrolled, *(self.draw() for _ in range(n // 2))]


def real_embeddings(folder: Path) -> NDArray[np.float64]:
    """Embed up to 2,000 clips of a folder: (n, dim)."""
    paths = find_audio([folder])
    chosen = np.random.default_rng(0).permutation(len(paths))[:2000]
    done = embed_files([paths[place] for place in chosen.tolist()], SpeakerModel.open())
    found = [item.embedding for item in done if item.embedding is not None]
    return np.stack(found).astype(np.float64)


def unit(values: NDArray[np.floating]) -> Embedding:
    """Scale a vector to unit length."""
    scaled: Embedding = (values / np.linalg.norm(values)).astype(np.float32)
    return scaled


def nearest(voices: Embedding, query: Embedding, top: int) -> NDArray[np.intp]:
    """Return the places of the nearest voices, by comparing all of them in plain numpy."""
    scores = voices @ query
    best = np.argpartition(scores, -top)[-top:]
    found: NDArray[np.intp] = best[np.argsort(-scores[best])]
    return found
