"""Challenges: drawn from all orders, answered once and in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from voiceprint.challenge import LENGTH, WORDS, Challenge, Challenges
from voiceprint.errors import ArgumentError, ChallengeError


def test_a_challenge_is_of_different_words_and_no_two_are_alike() -> None:
    drawn = [Challenge.issue() for _ in range(50)]
    for each in drawn:
        assert len(set(each.words)) == LENGTH and set(each.words) <= set(WORDS)
    assert len({each.id for each in drawn}) == 50
    assert len({each.words for each in drawn}) > 40
    assert {word for each in drawn for word in each.words} == set(WORDS)


def test_a_challenge_expires() -> None:
    past = datetime.now(UTC) - timedelta(seconds=61)
    assert Challenge.issue(now=past).expired
    assert not Challenge.issue(seconds=120, now=past).expired
    with pytest.raises(ArgumentError, match="seconds"):
        Challenge.issue(seconds=0)


def test_what_is_shown_of_a_challenge_does_not_hold_its_words() -> None:
    assert "words" not in repr(Challenge.issue())


def test_a_challenge_is_answered_once() -> None:
    challenges = Challenges()
    asked, other = challenges.issue(), challenges.issue()
    assert challenges.redeem(asked.id) == asked
    for over in (asked.id, "unknown"):
        with pytest.raises(ChallengeError, match="answered before"):
            challenges.redeem(over)
    assert challenges.redeem(other.id).words == other.words


def test_an_expired_challenge_is_no_answer_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    challenges = Challenges()
    asked = challenges.issue()
    monkeypatch.setattr(Challenge, "expired", True)
    with pytest.raises(ChallengeError):
        challenges.redeem(asked.id)


def test_of_many_threads_one_redeems_it() -> None:
    challenges = Challenges()

    def redeem(challenge_id: str) -> bool:
        try:
            return bool(challenges.redeem(challenge_id))
        except ChallengeError:
            return False

    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            asked = challenges.issue()
            assert sum(threads.map(redeem, [asked.id] * 8)) == 1


def test_the_oldest_is_forgotten_where_very_many_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceprint.challenge.challenges._MOST", 3)
    challenges = Challenges()
    first, *others = [challenges.issue() for _ in range(4)]
    with pytest.raises(ChallengeError):
        challenges.redeem(first.id)
    assert [challenges.redeem(each.id) for each in others] == others
