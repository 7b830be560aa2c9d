"""Rejecting out-of-set speakers: a threshold on the similarity to the nearest person of a classifier.

The probabilities of a softmax reject them badly: on one-second clips they err about twice as often as a
cosine does (docs/how-to/classification.md).
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

IN_SET_REJECTED = 0.05
"""Fraction of the people's dev clips to reject where no out-of-set clips are at hand to choose by."""


# What a model folder calls the two counts.
_KEYS = {"in_set": "insiders", "out_of_set": "outsiders"}
_FIELDS = {key: field for field, key in _KEYS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """The similarity below which a clip is nobody's.

    Parameters
    ----------
    threshold : float
        A clip is somebody's if its similarity to the nearest of the people is this or more.
    p_miss : float
        Fraction of the people's dev clips that are rejected.
    p_fa : float or None
        Fraction of out-of-set clips that are accepted; None where there were none.
    in_set, out_of_set : int
        Clips that the threshold was chosen on.
    """

    threshold: float
    p_miss: float
    p_fa: float | None
    in_set: int
    out_of_set: int
    how: str

    def to_dict(self) -> dict[str, Any]:
        """What stands in model.toml, ``[classifier.rejection]``; without ``p_fa`` where it is not known."""
        return {_KEYS.get(key, key): value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Rejection:
        """Read what `to_dict` made.

        Raises
        ------
        TrialError
            A key is missing or unknown.
        """
        try:
            return cls(**{"p_fa": None, **{_FIELDS.get(key, key): value for key, value in table.items()}})
        except TypeError as error:
            raise TrialError(f"the rejection is wrong: {error}") from error


def centroids_of(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The unit-length mean of each class, (classes, dim), of unit-length embeddings (n, dim).

    Examples
    --------
    >>> centroids_of(np.eye(2, dtype=np.float32), np.array([0, 1])).shape
    (2, 2)
    """
    return normalize(np.stack([embeddings[labels == c].mean(axis=0) for c in range(int(labels.max()) + 1)]))


def similarity(embeddings: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine (n,) of unit-length embeddings (n, dim) to the nearest of the centroids (classes, dim).

    Examples
    --------
    >>> similarity(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)).tolist()
    [1.0, 1.0]
    """
    nearest: NDArray[np.float32] = (embeddings @ centroids.T).max(axis=1)
    return nearest


def fit_rejection(
    in_set: NDArray[np.floating], out_of_set: NDArray[np.floating] | None = None, *, who: str = ""
) -> Rejection:
    """Choose a threshold on dev clips.

    With out-of-set clips the threshold is that of equal error rates; without, `IN_SET_REJECTED` of the
    people's clips are rejected.

    Parameters
    ----------
    in_set, out_of_set : ndarray, shapes (n,) and (m,)
        Similarities of clips of the people, and of others.
    """
    if out_of_set is None:
        threshold = float(np.quantile(in_set, IN_SET_REJECTED, method="higher"))
        how = f"{IN_SET_REJECTED:.0%} of the people's dev clips rejected; out-of-set speakers not measured"
    else:
        threshold = float(eer_threshold(det_curve(in_set, out_of_set)))
        how = f"as many dev clips of the people rejected as clips of {who} accepted"
    return Rejection(
        threshold=threshold,
        p_miss=float(np.mean(in_set < threshold)),
        p_fa=None if out_of_set is None else float(np.mean(out_of_set >= threshold)),
        in_set=len(in_set),
        out_of_set=0 if out_of_set is None else len(out_of_set),
        how=how,
    )
