"""Confusion matrices of classifiers, read from JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from voiceprint.errors import TrialError
from voiceprint.evaluation.results import Confusion
from voiceprint.files.text import read_text
from voiceprint.metrics import ConfusionMatrix


def read_confusion(path: str | os.PathLike[str]) -> Confusion:
    """Read a classifier's confusion matrix.

    Parameters
    ----------
    path : path
        A JSON object as `ConfusionMatrix.from_dict` takes it: ``names`` and ``counts``, alone or under
        ``confusion``; with a ``title``, where it has one.

    Returns
    -------
    Confusion
        With the file's name for a title where it gives none.

    Raises
    ------
    TrialError
        If the file cannot be read or is no confusion matrix.
    """
    file = Path(path)
    try:
        data = json.loads(read_text(file))
        matrix = ConfusionMatrix.from_dict(data)
    except OSError as error:
        raise TrialError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not JSON, or not text
        raise TrialError(f"{file}: is not JSON: {error}") from error
    except TrialError as error:
        raise TrialError(f"{file}: {error}") from error
    title = data.get("title")
    return Confusion(title=title if isinstance(title, str) and title else file.stem, matrix=matrix)
