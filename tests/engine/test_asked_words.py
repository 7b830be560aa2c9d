"""A claim that has to hold the words of a challenge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_countermeasure import inverted
from tiny_words import RATE, saying

from voiceprint import ArgumentError, Verification, Verifier

Voice = Callable[..., NDArray[np.float32]]
Samples = NDArray[np.float32]
ASKED = ("left", "cat", "up", "five")
OTHER = ("cat", "left", "up", "five")


@pytest.fixture
def verifier(
    tmp_path: Path, model_folder: Path, people: Path, countermeasure: Path, hears_tones: None
) -> Iterator[Verifier]:
    with Verifier(
        tmp_path / "store", model=model_folder, spoof_far=0.01, countermeasure=countermeasure
    ) as opened:
        for name in ("ada", "bert"):
            opened.enroll(name, [people / name / f"{number}.wav" for number in range(3)])
        yield opened


def verify(verifier: Verifier, clip: Samples, words: object = ASKED, **options: object) -> Verification:
    return verifier.verify("ada", clip, sample_rate=RATE, words=words, **options)  # type: ignore[arg-type]


def test_the_words_and_the_voice_are_accepted(verifier: Verifier, voice: Voice) -> None:
    answer = verify(verifier, saying(voice("ada", 70), ASKED))
    assert (bool(answer), answer.decision) == (True, "accepted")
    assert answer.words and answer.words.score >= answer.words.threshold


def test_other_words_of_the_voice_are_not_accepted_and_not_remembered(
    verifier: Verifier, voice: Voice
) -> None:
    clip = saying(voice("ada", 70), OTHER)
    for _ in range(2):
        answer = verify(verifier, clip)
        assert (bool(answer), answer.accepted, answer.decision) == (False, False, "wrong_words")
        assert answer.words is not None and not answer.words
        assert "not the words" in answer.reason
        assert answer.score is not None and answer.threshold is not None and answer.score >= answer.threshold
    assert verifier.drift("ada") is None
    assert verify(verifier, clip, OTHER).decision == "accepted"
    assert verify(verifier, clip, OTHER).decision == "replayed"
    assert verify(verifier, clip, ASKED).decision == "replayed"
    assert verify(verifier, clip, ASKED, allow_replay=True).decision == "wrong_words"


def test_another_voice_is_rejected_whatever_it_says(verifier: Verifier, voice: Voice) -> None:
    for words in (ASKED, OTHER):
        answer = verify(verifier, saying(voice("bert", 70), words))
        assert answer.decision == "rejected"
        assert bool(answer.words) == (words == ASKED)


def test_a_machine_is_spoofed_whatever_it_says(verifier: Verifier, voice: Voice) -> None:
    assert verify(verifier, inverted(saying(voice("ada", 70), ASKED))).decision == "spoofed"


def test_no_words_are_asked_for_unless_they_are_given(verifier: Verifier, voice: Voice) -> None:
    answer = verify(verifier, voice("ada", 70), None)
    assert (answer.decision, answer.words) == ("accepted", None)


@pytest.mark.parametrize("words", [(), ("cat",), ("cat", "left", "up", "seven"), "cat"])
def test_words_that_are_none_of_a_challenge_are_refused(
    verifier: Verifier, voice: Voice, words: object
) -> None:
    with pytest.raises(ArgumentError, match="words"):
        verify(verifier, voice("ada", 70), words)


def test_too_little_speech_is_said_first(verifier: Verifier, voice: Voice) -> None:
    answer = verify(verifier, voice("ada", 70)[:4000])
    assert (answer.decision, answer.words) == ("not_enough_speech", None)
