"""A map of the embedding space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.evaluation.embedding import EmbeddedClips
from voiceprint.evaluation.results import EmbeddingMap

__all__ = ["draw_map"]

_SPEAKERS, _CLIPS = 16, 12
_PERPLEXITY = 10.0


def draw_map(corpus: Corpus, clips: EmbeddedClips, *, seed: int) -> EmbeddingMap | None:
    """Lay some clips of some speakers out on a plane; None where there are fewer than ten.

    By t-SNE (van der Maaten and Hinton, 2008) where scikit-learn is installed, else by principal components.
    """
    chosen = _choose(corpus, clips, seed)
    if len(chosen) < 10:
        return None
    rows = clips.rows
    embeddings = clips.embeddings[[rows[corpus[i].id] for i in chosen]]
    method, plane = _project(embeddings, seed)
    low, high = plane.min(axis=0), plane.max(axis=0)
    plane = (plane - low) / np.maximum(high - low, 1e-9)
    return EmbeddingMap(
        method=method,
        x=tuple(round(float(x), 4) for x in plane[:, 0]),
        y=tuple(round(float(y), 4) for y in plane[:, 1]),
        speakers=tuple(corpus[i].speaker for i in chosen),
        genders=tuple(corpus[i].gender for i in chosen),
    )


def _choose(corpus: Corpus, clips: EmbeddedClips, seed: int) -> list[int]:
    """Up to so many clips of the speakers that have most, drawn."""
    rng = np.random.default_rng(seed)
    rows = clips.rows
    embedded = {who: [i for i in own if corpus[i].id in rows] for who, own in corpus.by_speaker.items()}
    most = sorted(embedded, key=lambda who: (-min(len(embedded[who]), _CLIPS), who))[:_SPEAKERS]
    return [int(i) for who in most for i in rng.permutation(embedded[who])[:_CLIPS]]


def _project(embeddings: NDArray[np.float32], seed: int) -> tuple[str, NDArray[np.float64]]:
    try:
        from sklearn.manifold import TSNE  # noqa: PLC0415  comes with the train extra
    except ImportError:
        centred = embeddings - embeddings.mean(axis=0)
        _, scales, axes = np.linalg.svd(centred, full_matrices=False)
        share = float(np.square(scales[:2]).sum() / np.square(scales).sum())
        return f"principal components, {share:.0%} of the spread", (centred @ axes[:2].T).astype(np.float64)
    perplexity = min(_PERPLEXITY, (len(embeddings) - 1) / 3)
    tsne = TSNE(metric="cosine", init="pca", perplexity=perplexity, random_state=seed)
    return f"t-SNE, perplexity {perplexity:.0f}", np.asarray(tsne.fit_transform(embeddings), dtype=np.float64)
