"""The word checker that ships."""

from __future__ import annotations

import numpy as np

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import read_clip
from voiceprint.challenge import WORDS, WordChecker
from voiceprint.challenge.card import NETWORK_FILE
from voiceprint.challenge.checker import CLASSES


def test_it_is_small_and_says_what_it_is() -> None:
    checker = WordChecker.open()
    assert (checker.folder / NETWORK_FILE).stat().st_size < 2_000_000
    assert (checker.folder / "NOTICE").is_file()
    assert checker.card.licence == "CC BY 4.0"
    assert checker.card.measured["dev_right_passed"] >= 0.95
    assert checker.card.measured["dev_wrong_passed"] <= 0.01


def test_it_hears_frames_of_probabilities_and_no_words_in_noise() -> None:
    checker, draw = WordChecker.open(), np.random.default_rng(0)
    noise = (0.05 * draw.standard_normal(3 * SAMPLE_RATE)).astype(np.float32)
    heard = checker.log_probabilities(noise)
    assert heard.shape == (151, len(CLASSES))
    np.testing.assert_allclose(np.exp(heard).sum(axis=1), 1.0, rtol=1e-4)
    assert not checker.judge(read_clip(noise, sample_rate=SAMPLE_RATE), WORDS[:4])
