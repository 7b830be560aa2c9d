"""The word checker: words in their order and nothing else, and files that are damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_words import RATE, saying

from voiceprint.audio.clips import pool_clips, read_clip
from voiceprint.challenge import WordChecker
from voiceprint.challenge.card import CARD_FILE, NETWORK_FILE, read_word_card
from voiceprint.errors import ArgumentError, ModelError

Voice = Callable[..., NDArray[np.float32]]
ASKED = ("left", "cat", "up", "five")


@pytest.fixture
def checker(word_checker: Path) -> WordChecker:
    return WordChecker.open(word_checker)


def test_the_words_in_their_order_pass_and_no_other_order(checker: WordChecker, voice: Voice) -> None:
    clip = read_clip(saying(voice("ada", 1), ASKED), sample_rate=RATE)
    for order in permutations(ASKED):
        assert bool(checker.judge(clip, order)) == (order == ASKED), order
    said = checker.judge(clip, ASKED)
    assert said.score >= said.threshold == -5.0
    assert "were said" in said.reason and "not the words" in checker.judge(clip, ASKED[::-1]).reason


@pytest.mark.parametrize("more", [("left",), ("go", "left", "cat", "up", "five"), ("left", "cat", "up")])
def test_more_or_fewer_words_do_not_pass(checker: WordChecker, voice: Voice, more: tuple[str, ...]) -> None:
    clip = read_clip(saying(voice("ada", 1), more), sample_rate=RATE)
    assert not checker.judge(clip, ASKED)


@pytest.mark.parametrize(
    "words",
    [(), ("left",), ("left", "cat", "up", "seven"), ("left", "left", "up", "five"), "left cat up five", None],
)
def test_words_that_may_not_be_asked_for_are_refused(
    checker: WordChecker, voice: Voice, words: object
) -> None:
    clip = read_clip(voice("ada", 1), sample_rate=RATE)
    with pytest.raises(ArgumentError, match="words"):
        checker.judge(clip, words)  # type: ignore[arg-type]


def test_several_clips_are_no_answer(checker: WordChecker, voice: Voice) -> None:
    clips = [read_clip(saying(voice("ada", n), ASKED), sample_rate=RATE) for n in (1, 2)]
    with pytest.raises(ArgumentError, match="one clip"):
        checker.judge(pool_clips(clips), ASKED)


def test_a_clip_without_words_far_too_long_or_too_short_does_not_pass(
    checker: WordChecker, voice: Voice
) -> None:
    silence = read_clip(np.zeros(RATE, np.float32), sample_rate=RATE)
    long = read_clip(np.tile(saying(voice("ada", 1), ASKED), 11), sample_rate=RATE)
    short = read_clip(voice("ada", 1)[:2000], sample_rate=RATE)
    said = [checker.judge(clip, ASKED) for clip in (silence, long, short)]
    assert not any(said)
    assert [json.loads(json.dumps(asdict(each)))["score"] for each in said[1:]] == [-500.0] * 2


def test_a_folder_that_is_damaged_is_refused(word_checker: Path, tmp_path: Path) -> None:
    network, card = (word_checker / NETWORK_FILE).read_bytes(), (word_checker / CARD_FILE).read_text()
    for name, content, match in (
        (NETWORK_FILE, network + b"x", "is not the network"),
        (CARD_FILE, card.replace("threshold = -5.0", ""), "is no card"),
        (CARD_FILE, card.replace("-5.0", "nan"), "is no card"),
        (CARD_FILE, "more = 1\n" + card, "is no card"),
    ):
        (tmp_path / NETWORK_FILE).write_bytes(network)
        (tmp_path / CARD_FILE).write_text(card)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ModelError, match=match):
            WordChecker.open(tmp_path)
    with pytest.raises(ModelError, match="is no card"):
        read_word_card(tmp_path / "nowhere")
