from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.calibration import Decider
from voiceprint.diarization import attribution, clustering
from voiceprint.diarization.activity import Activity
from voiceprint.diarization.attribution import Attribution, attribute
from voiceprint.diarization.clustering import SpeakerRange
from voiceprint.diarization.segmentation import CLASSES
from voiceprint.diarization.steps import cut_steps
from voiceprint.model import SpeakerModel

LENGTH = 12  # frames of a step


@pytest.fixture(scope="module")
def decider() -> Decider:
    return SpeakerModel.open().decider()


@dataclass
class Heard:
    """Stands for what embeds steps: a direction of each person, and noise."""

    rows: NDArray[np.float64]

    def around(self, places: NDArray[np.int64], seconds: float) -> NDArray[np.float32]:
        reach = int(seconds / 0.48)
        near = [self.rows[max(0, place - reach) : place + reach + 1].sum(axis=0) for place in places]
        return unit(np.array(near))

    def together(self, parts: NDArray[np.int64]) -> NDArray[np.float32]:
        return unit(np.array([self.rows[parts == part].sum(axis=0) for part in range(parts.max() + 1)]))


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def attributed(
    decider: Decider,
    who: list[int],
    *,
    speakers: SpeakerRange | None = None,
    overlap: NDArray[np.bool_] | None = None,
    windows: NDArray[np.uint8] | None = None,
) -> Attribution:
    """Attribute steps end to end of these people."""
    count = len(who)
    places = np.arange(count, dtype=np.int64) * LENGTH
    speech = np.ones(count * LENGTH, dtype=np.bool_)
    activity = Activity(
        speech=speech,
        overlap=~speech if overlap is None else overlap,
        windows=np.zeros((0, 500), dtype=np.uint8) if windows is None else windows,
    )
    steps = cut_steps(activity)
    assert steps.start.tolist() == places.tolist()
    noise = np.random.default_rng(0).standard_normal((count, 192))
    heard = Heard(rows=np.eye(192)[who] + 0.04 * noise)
    return attribute(activity, steps, heard, decider=decider, speakers=speakers or SpeakerRange())


def people(found: Attribution) -> list[int]:
    """Who speaks in each step."""
    return [int(each) for each in found.active[LENGTH // 2 :: LENGTH].argmax(axis=1)]


def same(found: list[int], true: list[int]) -> float:
    """Share of pairs of steps that are rightly of one person or of two."""
    return float((np.equal.outer(found, found) == np.equal.outer(true, true)).mean())


def test_turns_go_to_their_speakers(decider: Decider) -> None:
    who = [0] * 28 + [1] * 20 + [0] * 18 + [2] * 30
    found = attributed(decider, who)
    assert found.active.sum(axis=1).tolist() == [1] * (len(who) * LENGTH)
    assert same(people(found), who) > 0.95
    assert found.seconds.sum() == pytest.approx(len(who) * 0.24)


def test_blocks_give_one_number_to_a_speaker_and_lose_nobody(
    decider: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "AT_ONCE", 60)
    monkeypatch.setattr(attribution, "AT_ONCE", 60)
    turns = np.repeat(np.random.default_rng(1).integers(0, 3, size=40), 25).tolist()
    who = [*turns[:415], *[3] * 25, *turns[415:]]
    found = attributed(decider, who)
    assert found.active.shape[1] == 4
    assert same(people(found), who) > 0.95


def test_so_many_speakers_as_are_asked_for(decider: Decider) -> None:
    who = [0] * 30 + [1] * 30
    assert attributed(decider, who, speakers=SpeakerRange(most=1)).active.shape[1] == 1
    assert attributed(decider, who, speakers=SpeakerRange(least=2, most=2)).active.shape[1] == 2


def test_where_two_speak_the_second_is_whom_the_network_follows(decider: Decider) -> None:
    who = [0] * 28 + [1] * 28 + [2] * 28
    overlap = np.zeros(len(who) * LENGTH, dtype=np.bool_)
    overlap[200:230] = True
    window = np.full(500, CLASSES.index((0,)), dtype=np.uint8)
    window[28 * LENGTH :] = CLASSES.index((1,))
    window[200:230] = CLASSES.index((0, 1))
    found = attributed(decider, who, overlap=overlap, windows=window[None])
    assert (found.active.sum(axis=1) == 1 + overlap).all()
    talking = people(found)
    both = np.flatnonzero(found.active[215]).tolist()
    assert sorted(both) == sorted({talking[2], talking[30]})


def test_speech_of_which_none_is_alone_still_has_a_speaker(decider: Decider) -> None:
    found = attributed(decider, [0] * 10, overlap=np.ones(10 * LENGTH, dtype=np.bool_))
    assert found.active[:, 0].all() and found.active.shape[1] == 1
