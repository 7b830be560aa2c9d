"""Who was taken for whom: the confusion matrix of a classifier over a closed set of people.

A classifier's figures cross from the command that makes them to the report as JSON::

    {"names": ["ada", "bert"], "counts": [[3, 1], [0, 4]]}

Row i counts the clips of ``names[i]``, column j those that were answered ``names[j]``.
`ConfusionMatrix.count` makes it from answers; `to_dict` and `from_dict` write and read the JSON, alone or
under the key ``confusion`` of a larger document. `voiceprint.evaluation.Confusion` gives it a title,
`voiceprint.evaluation.read_confusion` reads the file that ``voiceprint report --confusion FILE`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voiceprint.errors import TrialError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """Counts of answers: rows who it was, columns who was answered.

    Parameters
    ----------
    names : tuple of str (k,)
        The classes, in the order of rows and columns; each once.
    counts : tuple of tuple of int (k, k)
        ``counts[i][j]`` clips of ``names[i]`` were answered ``names[j]``.

    Raises
    ------
    TrialError
        If a name stands twice, the counts are not as many rows and columns as names, or a count is negative.

    Examples
    --------
    >>> ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4))).accuracy
    0.875
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        size = len(self.names)
        if not size or len(set(self.names)) != size:
            raise TrialError(f"a confusion matrix needs names, each of them once, got {self.names}")
        lengths = [len(row) for row in self.counts]
        if lengths != [size] * size:
            raise TrialError(
                f"a confusion matrix of {size} names needs {size} rows of {size} counts, "
                f"got rows of {lengths}"
            )
        if any(count < 0 for row in self.counts for count in row):
            raise TrialError("a confusion matrix counts clips; a count is negative")

    @classmethod
    def count(
        cls, actual: Sequence[str], answered: Sequence[str], *, names: Sequence[str] = ()
    ) -> ConfusionMatrix:
        """Count answers.

        Parameters
        ----------
        actual, answered : sequence of str (n,)
            Who it was, and who was answered, clip by clip.
        names : sequence of str, optional
            The classes in their order; where left out, every name that occurs, sorted.

        Raises
        ------
        TrialError
            If the two differ in length, or a name is not among `names`.

        Examples
        --------
        >>> from voiceprint.metrics import ConfusionMatrix
        >>> right, answered = ["ada", "ada", "bert"], ["ada", "bert", "bert"]
        >>> ConfusionMatrix.count(right, answered, names=["ada", "bert"]).counts
        ((1, 1), (0, 1))
        """
        if len(actual) != len(answered):
            raise TrialError(f"{len(actual)} clips have {len(answered)} answers; each needs one")
        order = tuple(names) or tuple(sorted({*actual, *answered}))
        place = {name: index for index, name in enumerate(order)}
        unknown = next((name for name in (*actual, *answered) if name not in place), None)
        if unknown is not None:
            raise TrialError(f"{unknown!r} is not one of the {len(order)} classes {order}")
        counts = np.zeros((len(order), len(order)), dtype=np.int64)
        np.add.at(counts, ([place[name] for name in actual], [place[name] for name in answered]), 1)
        return cls(names=order, counts=tuple(tuple(row) for row in counts.tolist()))

    @property
    def total(self) -> int:
        """Clips in all."""
        return sum(map(sum, self.counts))

    @property
    def correct(self) -> int:
        """Clips that were answered rightly."""
        return sum(row[place] for place, row in enumerate(self.counts))

    @property
    def accuracy(self) -> float:
        """Fraction of clips that were answered rightly; 0 where there are none.

        Examples
        --------
        >>> from voiceprint.metrics import ConfusionMatrix
        >>> matrix = ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4)))
        >>> matrix.correct, matrix.total, matrix.accuracy
        (7, 8, 0.875)
        """
        return self.correct / self.total if self.total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return names and counts as JSON knows them."""
        return {"names": list(self.names), "counts": [list(row) for row in self.counts]}

    @classmethod
    def from_dict(cls, data: Any) -> ConfusionMatrix:
        """Read what `to_dict` made.

        Parameters
        ----------
        data : mapping
            With ``names`` and ``counts``, or with both under the key ``confusion``; other keys are ignored.

        Raises
        ------
        TrialError
            If it is not that, or the values are out of range.
        """
        found = data.get("confusion", data) if isinstance(data, Mapping) else data
        if not isinstance(found, Mapping) or not {"names", "counts"} <= set(found):
            raise TrialError("a confusion matrix is an object with `names` and `counts`")
        names, counts = found["names"], found["counts"]
        if not _is_list_of(names, str) or not isinstance(counts, list):
            raise TrialError("`names` of a confusion matrix must be a list of names, `counts` a list of rows")
        if not all(_is_list_of(row, int) for row in counts):
            raise TrialError("`counts` of a confusion matrix must be rows of whole numbers")
        return cls(names=tuple(names), counts=tuple(map(tuple, counts)))


def _is_list_of(value: Any, kind: type) -> bool:
    # JSON's true and false are integers to Python.
    return isinstance(value, list) and all(
        isinstance(each, kind) and not isinstance(each, bool) for each in value
    )
