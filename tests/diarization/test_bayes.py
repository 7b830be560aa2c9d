from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.diarization.bayes import infer_voices


def spoken(who: list[int], seed: int = 0) -> NDArray[np.float32]:
    """Embeddings of these people in order; half of the variance lies within a person."""
    draw = np.random.default_rng(seed)
    voices = draw.standard_normal((max(who) + 1, 64))
    rows = voices[who] + draw.standard_normal((len(who), 64))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


WHO = [0] * 30 + [1] * 25 + [0] * 20 + [2] * 25


@pytest.mark.parametrize("seed", range(5))
def test_superfluous_speakers_lose_what_they_say(seed: int) -> None:
    many = np.arange(len(WHO)) // 5
    found, _ = infer_voices(spoken(WHO, seed), many)
    same = np.equal.outer(found, found) == np.equal.outer(WHO, WHO)
    assert same.mean() > 0.97


def test_one_speaker_stays_one() -> None:
    assert infer_voices(spoken([0] * 20), np.zeros(20, dtype=np.int64))[0].tolist() == [0] * 20
    assert infer_voices(spoken([0]), np.zeros(1, dtype=np.int64))[0].tolist() == [0]


def test_silence_gives_finite_answers() -> None:
    labels, evidence = infer_voices(np.zeros((10, 8), dtype=np.float32), np.arange(10) // 4)
    assert len(labels) == 10 and np.isfinite(evidence)


def test_the_right_number_of_speakers_has_more_evidence() -> None:
    rows = spoken(WHO)
    _, right = infer_voices(rows, np.array(WHO))
    _, one = infer_voices(rows, np.zeros(len(WHO), dtype=np.int64))
    assert right > one
