"""Who is none of the people a classifier knows: a threshold on the cosine to the nearest of them.

The probabilities of a softmax say little about strangers: on one-second clips they err about twice as often
as this cosine (docs/classification.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics import det_curve, eer_threshold
from voiceprint.scoring import normalize

__all__ = ["OWN_REJECTED", "Rejection", "centroids_of", "fit_rejection", "similarity"]

OWN_REJECTED = 0.05
"""Fraction of the people's own clips that is rejected where no outsiders are at hand to choose by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Below which similarity a clip is nobody's.

    Parameters
    ----------
    threshold : float
        A clip is somebody's if its similarity to the nearest of the people is this or more.
    p_miss : float
        Fraction of the people's dev clips that are rejected.
    p_fa : float or None
        Fraction of outsiders' clips that are accepted; None where there were none.
    insiders, outsiders : int
        Clips that the threshold was chosen on.
    how : str
        How it was chosen.
    """

    threshold: float
    p_miss: float
    p_fa: float | None
    insiders: int
    outsiders: int
    how: str

    def to_dict(self) -> dict[str, Any]:
        """What stands in model.toml, ``[classifier.rejection]``; without ``p_fa`` where it is not known."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Rejection:
        """Read what `to_dict` made.

        Raises
        ------
        TrialError
            A key is missing or unknown.
        """
        try:
            return cls(**{"p_fa": None, **table})
        except TypeError as error:
            raise TrialError(f"the rejection is wrong: {error}") from error


def centroids_of(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The unit-length mean of each class, (classes, dim), of unit-length embeddings (n, dim)."""
    return normalize(np.stack([embeddings[labels == c].mean(axis=0) for c in range(int(labels.max()) + 1)]))


def similarity(embeddings: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine (n,) of unit-length embeddings (n, dim) to the nearest of the centroids (classes, dim)."""
    nearest: NDArray[np.float32] = (embeddings @ centroids.T).max(axis=1)
    return nearest


def fit_rejection(
    insiders: NDArray[np.floating], outsiders: NDArray[np.floating] | None = None, *, who: str = ""
) -> Rejection:
    """Choose a threshold on dev clips.

    With outsiders, where as many insiders are rejected as outsiders accepted; without, where `OWN_REJECTED`
    of the insiders are rejected.

    Parameters
    ----------
    insiders, outsiders : ndarray, shapes (n,) and (m,)
        Similarities of clips of the people, and of others.
    who : str
        Whose the outsiders' clips are.
    """
    if outsiders is None:
        threshold = float(np.quantile(insiders, OWN_REJECTED, method="higher"))
        how = f"{OWN_REJECTED:.0%} of the people's dev clips rejected; how many outsiders pass is not known"
    else:
        threshold = float(eer_threshold(det_curve(insiders, outsiders)))
        how = f"as many dev clips of the people rejected as clips of {who} accepted"
    return Rejection(
        threshold=threshold,
        p_miss=float(np.mean(insiders < threshold)),
        p_fa=None if outsiders is None else float(np.mean(outsiders >= threshold)),
        insiders=len(insiders),
        outsiders=0 if outsiders is None else len(outsiders),
        how=how,
    )
