"""Who is none of the people a classifier knows: a threshold on the cosine to the nearest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics import det_curve, eer_interpolated, eer_threshold
from voiceprint.scoring import normalize

__all__ = ["Rejection", "centroids_of", "fit_rejection", "leave_one_out", "similarity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Below which similarity a clip is nobody's.

    Parameters
    ----------
    threshold : float
        A clip is somebody's if its cosine to the nearest class's centroid is this or more.
    eer : float
        How often a dev clip of the people is rejected, which is how often an outsider's is accepted.
    insiders, outsiders : int
        Clips that the threshold was chosen on.
    how : str
        Whose clips the outsiders' were.
    """

    threshold: float
    eer: float
    insiders: int
    outsiders: int
    how: str

    def to_dict(self) -> dict[str, Any]:
        """What stands in model.toml, ``[classifier.rejection]``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Rejection:
        """Read what `to_dict` made.

        Raises
        ------
        TrialError
            A key is missing.
        """
        missing = [field.name for field in fields(cls) if field.name not in table]
        if missing:
            raise TrialError(f"a rejection lacks {', '.join(missing)}")
        return cls(**{field.name: table[field.name] for field in fields(cls)})


def centroids_of(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The unit-length mean of each class, (classes, dim), of unit-length embeddings (n, dim)."""
    return normalize(np.stack([embeddings[labels == c].mean(axis=0) for c in range(int(labels.max()) + 1)]))


def similarity(embeddings: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine (n,) of unit-length embeddings (n, dim) to the nearest of the centroids (classes, dim)."""
    nearest: NDArray[np.float32] = (embeddings @ centroids.T).max(axis=1)
    return nearest


def leave_one_out(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], centroids: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What clips (n, dim) of each class would score if it were none of the classes, (n,)."""
    cosines = embeddings @ centroids.T
    cosines[np.arange(len(labels)), labels] = -np.inf
    nearest: NDArray[np.float32] = cosines.max(axis=1)
    return nearest


def fit_rejection(insiders: NDArray[np.float32], outsiders: NDArray[np.float32], *, how: str) -> Rejection:
    """Choose the threshold at which as many insiders are rejected as outsiders accepted.

    Parameters
    ----------
    insiders, outsiders : ndarray, shapes (n,) and (m,)
        Similarities of clips of the people, and of others.
    how : str
        Whose the outsiders' clips are.
    """
    curve = det_curve(insiders, outsiders)
    return Rejection(
        threshold=float(eer_threshold(curve)),
        eer=float(eer_interpolated(curve)),
        insiders=len(insiders),
        outsiders=len(outsiders),
        how=how,
    )
