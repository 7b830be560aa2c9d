"""The head of a classifier: embeddings to one number a class; numpy only."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import ModelError
from voiceprint.files.arrays import read_npz
from voiceprint.scoring import unit_length


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearHead:
    """A linear classifier on embeddings as they come: logits = W e + b.

    W is float32, (classes, dim), b (classes,).
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        """Classes, and the length of an embedding."""
        return self.weight.shape[0], self.weight.shape[1]

    @property
    def size(self) -> int:
        """Numbers that were learned."""
        return self.weight.size + self.bias.size

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, classes) of embeddings (n, dim)."""
        logits: NDArray[np.float32] = embeddings @ self.weight.T + self.bias
        return logits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CosineHead:
    """Cosines to the nearest of each class's centres, times a scale: what the margin losses train.

    Parameters
    ----------
    centres : ndarray of float32, shape (classes, sub_centres, dim)
        Of any length.
    """

    centres: NDArray[np.float32]
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Classes, and the length of an embedding."""
        return self.centres.shape[0], self.centres.shape[2]

    @property
    def size(self) -> int:
        """Numbers that were learned."""
        return self.centres.size

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, classes) of embeddings (n, dim)."""
        cosines = np.einsum("nd,ckd->nck", unit_length(embeddings), unit_length(self.centres))
        logits: NDArray[np.float32] = np.float32(self.scale) * cosines.max(axis=2)
        return logits


Head = LinearHead | CosineHead
"""What turns embeddings into logits."""


def to_probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities (..., classes) of logits (..., classes).

    Examples
    --------
    >>> to_probabilities(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def pack_head(head: Head, centroids: NDArray[np.float32]) -> bytes:
    """The content of ``classifier.npz``; equal heads and centroids give equal bytes.

    Parameters
    ----------
    centroids : ndarray of float32, shape (classes, dim)
        The unit-length mean of each class's embeddings.
    """
    file = io.BytesIO()
    if isinstance(head, LinearHead):
        np.savez(file, centroids=centroids, weight=head.weight, bias=head.bias)
    else:
        np.savez(file, centroids=centroids, centres=head.centres, scale=np.float32(head.scale))
    return file.getvalue()


def unpack_head(data: bytes, *, path: Path) -> tuple[Head, NDArray[np.float32]]:
    """Read what `pack_head` made: the head and the centroids (classes, dim).

    Parameters
    ----------
    path : Path
        Where it came from, for messages.

    Raises
    ------
    ModelError
        If it is no such file, or its arrays do not belong together.
    """
    try:
        found = {name: array.astype(np.float32) for name, array in read_npz(data).items()}
        centroids, head = found["centroids"], _head_of(found)
        if centroids.shape != head.shape:
            raise ValueError(f"centroids {centroids.shape} for a head {head.shape}")
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: is no classifier ({error}); export the model again", path=str(path)
        ) from error
    return head, centroids


def _head_of(arrays: Mapping[str, NDArray[np.float32]]) -> Head:
    ranks = {name: array.ndim for name, array in arrays.items() if name != "centroids"}
    if ranks == {"weight": 2, "bias": 1} and len(arrays["weight"]) == len(arrays["bias"]):
        return LinearHead(weight=arrays["weight"], bias=arrays["bias"])
    if ranks == {"centres": 3, "scale": 0}:
        return CosineHead(centres=arrays["centres"], scale=float(arrays["scale"]))
    raise ValueError(f"the arrays {sorted(arrays)} are no head")
