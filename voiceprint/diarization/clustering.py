"""Who is who: pieces of speech joined as long as the calibration says that one person is likelier than two.

Every two pieces make a verification trial: their cosine, with the seconds of speech in both, is a
log-likelihood ratio by the model's calibration. Average linkage joins pieces by the mean ratio between two
clusters. So the number of speakers follows from a likelihood ratio, the same for every model, not from a
distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, TrialShape

__all__ = [
    "AT_ONCE",
    "SAME_PERSON",
    "SpeakerRange",
    "cluster",
    "compare",
    "weighted_centroids",
]

SAME_PERSON = -5.0
"""Mean log-likelihood ratio of their pieces at which two clusters are one person.

Below 0: in one recording a voice also changes with distance, noise and who else speaks, so the pieces of one
person have lower ratios than clips have. Chosen on dev conversations (docs/how-to/diarization.md).
"""

AT_ONCE = 1200
"""Pieces that are clustered at a time: all pairs of them take 12 MB, several times over."""

_CLIP = 3.0  # seconds of speech that count as one clip of a voiceprint
_MOST_CLIPS = 10
_BOUND = 10.0  # beyond which a single ratio says no more


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRange:
    """How many people there may be.

    Parameters
    ----------
    most : int or None
        None: as many as there are.
    """

    least: int = 1
    most: int | None = None


def cluster(
    embeddings: NDArray[np.float32],
    seconds: NDArray[np.float64],
    *,
    decider: Decider,
    speakers: SpeakerRange,
    limit: float = SAME_PERSON,
) -> NDArray[np.int64]:
    """Cluster pieces of speech by speaker, about `AT_ONCE` at most.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, dim)
        Of unit length.
    seconds : ndarray, shape (n,)
        Speech in each.
    decider : Decider
        With a calibration.
    limit : float
        See `SAME_PERSON`.

    Returns
    -------
    ndarray of int64, shape (n,)
        A number from 0 on for each.
    """
    # Needs the extra `diarize`, and 100 ms.
    from scipy.cluster.hierarchy import cut_tree, fcluster, linkage  # noqa: PLC0415
    from scipy.spatial.distance import squareform  # noqa: PLC0415

    if len(embeddings) == 1:
        return np.zeros(1, dtype=np.int64)
    ratios = compare(embeddings @ embeddings.T, seconds[:, None], seconds[None, :], decider)
    ratios = np.clip(ratios, -_BOUND, _BOUND)
    distances = _BOUND - 0.5 * (ratios + ratios.T)
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), "average")
    labels = fcluster(tree, _BOUND - limit, "distance")
    found = int(labels.max())
    wanted = max(found, min(speakers.least, len(embeddings)))
    wanted = wanted if speakers.most is None else min(wanted, speakers.most)
    if wanted != found:
        return np.asarray(cut_tree(tree, n_clusters=wanted)[:, 0], dtype=np.int64)
    return np.asarray(labels - 1, dtype=np.int64)


def weighted_centroids(
    embeddings: NDArray[np.float32], seconds: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the centroid of each cluster, weighted by seconds (k, dim), and its seconds (k,)."""
    count = int(labels.max()) + 1
    sums = np.zeros((count, embeddings.shape[1]))
    np.add.at(sums, labels, embeddings * seconds[:, None])
    weights = np.bincount(labels, weights=seconds, minlength=count).astype(np.float64)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.maximum(lengths, 1e-12)).astype(np.float32), weights


def compare(
    cosines: NDArray[np.floating], first: NDArray[np.float64], second: NDArray[np.float64], decider: Decider
) -> NDArray[np.float64]:
    """Log-likelihood ratios of two pieces being of one person, given their cosine and seconds of speech."""
    longer, shorter = np.maximum(first, second), np.minimum(first, second)
    clips = np.clip(np.round(longer / _CLIP), 1, _MOST_CLIPS).astype(np.int64)
    llrs = decider.llrs(cosines, TrialShape(n_enroll=clips, seconds=np.maximum(shorter, 0.1)))
    return np.zeros(np.shape(cosines)) if llrs is None else llrs
