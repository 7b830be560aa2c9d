"""Who was taken for whom: the confusion matrix."""

import json

import pytest

from voiceprint.errors import TrialError
from voiceprint.metrics import (
    ConfusionMatrix,
)


def test_answers_are_counted_by_hand() -> None:
    matrix = ConfusionMatrix.count(["ada", "ada", "bert", "ada"], ["ada", "bert", "bert", "ada"])
    assert (matrix.names, matrix.counts) == (("ada", "bert"), ((2, 1), (0, 1)))
    assert (matrix.correct, matrix.total, matrix.accuracy) == (3, 4, 0.75)
    ordered = ConfusionMatrix.count(["ada"], ["bert"], names=["bert", "cleo", "ada"])
    assert ordered.counts == ((0, 0, 0), (0, 0, 0), (1, 0, 0))


def test_a_confusion_matrix_comes_back_from_json() -> None:
    matrix = ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4)))
    plain = json.loads(json.dumps(matrix.to_dict()))
    assert ConfusionMatrix.from_dict(plain) == matrix
    assert ConfusionMatrix.from_dict({"accuracy": 0.875, "confusion": plain}) == matrix


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "an object with `names` and `counts`"),
        ({"names": ["ada"]}, "an object with `names` and `counts`"),
        ({"names": [1], "counts": [[1]]}, "a list of names"),
        ({"names": ["ada"], "counts": [[True]]}, "rows of whole numbers"),
        ({"names": ["ada"], "counts": [[0.5]]}, "rows of whole numbers"),
        ({"names": ["ada"], "counts": [[-1]]}, "a count is negative"),
        ({"names": ["ada", "ada"], "counts": [[1, 0], [0, 1]]}, "each of them once"),
        ({"names": ["ada", "bert"], "counts": [[1, 0], [0]]}, r"2 rows of 2 counts, got rows of \[2, 1\]"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(data: object, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        ConfusionMatrix.from_dict(data)


def test_answers_must_match_clips_and_classes() -> None:
    with pytest.raises(TrialError, match="1 clips have 2 answers"):
        ConfusionMatrix.count(["ada"], ["ada", "ada"])
    with pytest.raises(TrialError, match="'cleo' is not one of the 1 classes"):
        ConfusionMatrix.count(["ada"], ["cleo"], names=["ada"])
