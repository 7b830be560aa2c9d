from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.calibration import Decider
from voiceprint.diarization.clustering import SpeakerRange, cluster, weighted_centroids
from voiceprint.model import SpeakerModel


@pytest.fixture(scope="module")
def decider(model_folder: Path) -> Decider:
    return SpeakerModel.open(model_folder).decider()


def people(count: int, each: int, noise: float = 0.1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embeddings of so many people, in random order, and whose they are."""
    draw = np.random.default_rng(0)
    truth = draw.permutation(np.repeat(np.arange(count), each))
    rows = np.eye(12)[truth] + noise * draw.standard_normal((count * each, 12))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), truth


def same_partition(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    return bool(((a[:, None] == a[None, :]) == (b[:, None] == b[None, :])).all())


def test_the_ratios_tell_how_many_people_there_are(decider: Decider) -> None:
    for count in (1, 2, 5):
        embeddings, truth = people(count, 12)
        labels = cluster(embeddings, np.full(len(truth), 2.0), decider=decider, speakers=SpeakerRange())
        assert same_partition(labels, truth)


def test_a_number_that_is_asked_for_is_obeyed(decider: Decider) -> None:
    embeddings, _ = people(4, 10)
    seconds = np.full(40, 2.0)

    def found(least: int, most: int | None) -> int:
        speakers = SpeakerRange(least=least, most=most)
        return int(cluster(embeddings, seconds, decider=decider, speakers=speakers).max()) + 1

    assert found(2, 2) == 2
    assert found(6, 6) == 6
    assert found(1, 3) == 3
    assert found(5, None) == 5
    assert found(1, 10) == 4


def test_one_piece_is_one_speaker(decider: Decider) -> None:
    embeddings, _ = people(1, 1)
    labels = cluster(embeddings, np.ones(1), decider=decider, speakers=SpeakerRange(least=3))
    assert labels.tolist() == [0]


def test_a_centroid_weighs_pieces_by_their_seconds() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], dtype=np.float32)
    centres, seconds = weighted_centroids(rows, np.array([3.0, 4.0, 2.0]), np.array([0, 0, 1]))
    np.testing.assert_allclose(centres, [[0.6, 0.8], [0.0, 1.0]], atol=1e-6)
    assert seconds.tolist() == [7.0, 2.0]
