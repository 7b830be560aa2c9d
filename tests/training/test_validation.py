"""The dev suite: rates known by hand, and conditions that are the same for every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.corpus import Corpus, read_manifest
from voiceprint.errors import CorpusError
from voiceprint.training.augment import NoiseBank
from voiceprint.training.validation import CONDITIONS, DevSuite, ValidationConfig, embed_clips


@pytest.fixture
def dev(tiny_corpora: Path) -> Corpus:
    return read_manifest(tiny_corpora / "tiny").filter(split="dev")


def suite_of(dev: Corpus, *conditions: str, clips: int = 2) -> DevSuite:
    noise = NoiseBank.from_arrays([np.random.default_rng(0).integers(-99, 99, 32_000).astype(np.int16)])
    return DevSuite(dev, ValidationConfig(conditions=conditions, clips_per_speaker=clips), noise=noise)


def test_an_encoder_that_knows_the_speaker_makes_no_errors(dev: Corpus) -> None:
    suite = suite_of(dev, "clean")
    speaker_of = {
        clip[:50].tobytes(): name for clip, name in zip(suite.clips["clean"], suite.speakers, strict=True)
    }
    names = sorted(set(suite.speakers))

    def oracle(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.eye(len(names), dtype=np.float32)[
            [names.index(speaker_of[row[:50].tobytes()]) for row in batch]
        ]

    assert suite.measure(oracle) == {"eer": 0.0, "eer/tiny/clean": 0.0}


def test_an_encoder_that_puts_own_clips_apart_errs_always(dev: Corpus) -> None:
    suite = suite_of(dev, "clean")
    place = {clip[:50].tobytes(): number % 2 for number, clip in enumerate(suite.clips["clean"])}

    def contrary(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        # Two clips a speaker: the first at +1, the second at -1. Same-speaker scores are all -1.
        signs = [1.0 - 2.0 * place[row[:50].tobytes()] for row in batch]
        return np.array([[sign, 0.0] for sign in signs], dtype=np.float32)

    assert suite.measure(contrary)["eer"] > 0.5


def test_conditions_are_reproducible_and_differ(dev: Corpus) -> None:
    first, second = suite_of(dev, *CONDITIONS), suite_of(dev, *CONDITIONS)
    for condition in CONDITIONS:
        assert all(
            np.array_equal(a, b) for a, b in zip(first.clips[condition], second.clips[condition], strict=True)
        )
        if condition not in {"clean", "1s"}:  # the clips are one second long
            assert not np.array_equal(first.clips[condition][0], first.clips["clean"][0])
    assert {len(clip) for clip in first.clips["0.4s"]} == {6400}


def test_the_first_clips_of_every_speaker(dev: Corpus) -> None:
    assert len(suite_of(dev, "clean", clips=3).speakers) == 8 * 3
    assert len(suite_of(dev, "clean", clips=0).speakers) == len(dev)


def test_embeddings_come_back_in_order_and_of_unit_length() -> None:
    clips = [np.full(length, length, dtype=np.float32) for length in (3, 5, 3, 4)]
    rows = embed_clips(lambda batch: np.stack([batch[:, 0], np.ones(len(batch))], axis=1).astype("f4"), clips)
    assert rows[:, 0] / rows[:, 1] == pytest.approx([3, 5, 3, 4])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0)


def test_conditions_that_cannot_be_made(dev: Corpus) -> None:
    with pytest.raises(CorpusError, match=r"validation.conditions: 'loud' is not one of clean"):
        suite_of(dev, "loud")
    with pytest.raises(CorpusError, match="'noise' needs a noise corpus"):
        DevSuite(dev, ValidationConfig(conditions=("noise",)), noise=None)
