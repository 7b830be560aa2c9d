"""The cohort of a model folder: voices of nobody in particular, the rivals of whoever a search finds best."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import ModelError
from voiceprint.files.arrays import read_npz
from voiceprint.files.whole import write_whole
from voiceprint.model.card import COHORT_FILE, ModelCard
from voiceprint.scoring import normalize


def write_cohort(folder: Path, cohort: NDArray[np.float32]) -> str:
    """Write a cohort (n, dim) into a model folder, in half precision; returns the file's sha256."""
    file = io.BytesIO()
    np.savez(file, centres=cohort.astype(np.float16))
    write_whole(folder / COHORT_FILE, file.getvalue())
    return hashlib.sha256(file.getvalue()).hexdigest()


def read_cohort(folder: Path, card: ModelCard) -> NDArray[np.float32] | None:
    """Read the cohort (n, dim), float32, of unit length; None where the card names none.

    ModelError if the file is missing, damaged, or not the one that the card describes.
    """
    if COHORT_FILE not in card.files:
        return None
    path = folder / COHORT_FILE
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != card.files[COHORT_FILE]:
            raise ValueError("it is not the file that the card describes")
        centres = read_npz(data)["centres"].astype(np.float32)
        if centres.ndim != 2 or centres.shape[1] != card.dim:
            raise ValueError(f"shape {centres.shape} does not go with {card.dim} dimensions")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", path=str(folder)) from error
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path}: is no cohort of this model: {error}", path=str(folder)) from error
    return normalize(centres)
