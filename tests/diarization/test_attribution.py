from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.calibration import Decider
from voiceprint.diarization import attribution, clustering
from voiceprint.diarization.activity import Activity
from voiceprint.diarization.attribution import Attribution, attribute
from voiceprint.diarization.clustering import SpeakerRange
from voiceprint.diarization.steps import Steps
from voiceprint.model import SpeakerModel

LENGTH = 40  # frames of a step


@pytest.fixture(scope="module")
def decider() -> Decider:
    return SpeakerModel.open().decider()


def attributed(
    decider: Decider, who: list[int], *, noise: float = 0.15, speakers: SpeakerRange | None = None
) -> Attribution:
    """Attribute steps end to end of these people."""
    count = len(who)
    places = np.arange(count, dtype=np.int64) * LENGTH
    none = np.full(count, -1, dtype=np.int64)
    steps = Steps(
        start=places, stop=places + LENGTH, first=places, last=places + 2 * LENGTH, window=none, local=none
    )
    frames = np.ones(count * LENGTH, dtype=np.bool_)
    activity = Activity(speech=frames, overlap=~frames, windows=np.zeros((0, 500), dtype=np.uint8))
    rows = np.eye(16)[who] + noise * np.random.default_rng(0).standard_normal((count, 16))

    def listen(parts: NDArray[np.int64]) -> NDArray[np.float32]:
        sums = np.array([rows[parts == part].sum(axis=0) for part in range(parts.max() + 1)])
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)

    embeddings = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return attribute(
        activity, steps, embeddings, listen=listen, decider=decider, speakers=speakers or SpeakerRange()
    )


def people(found: Attribution) -> list[int]:
    """Who speaks in each step."""
    return [int(each) for each in found.active[::LENGTH].argmax(axis=1)]


def test_turns_go_to_their_speakers(decider: Decider) -> None:
    who = [0] * 8 + [1] * 6 + [0] * 5 + [2] * 9
    found = attributed(decider, who)
    assert found.active.sum(axis=1).tolist() == [1] * (len(who) * LENGTH)
    same = np.equal.outer(people(found), people(found))
    assert (same == np.equal.outer(who, who)).all()
    assert found.seconds.sum() == pytest.approx(len(who) * 0.8)


def test_who_says_little_is_not_lost_in_a_long_recording(
    decider: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "AT_ONCE", 60)
    monkeypatch.setattr(attribution, "AT_ONCE", 60)
    draw = np.random.default_rng(1)
    turns = np.repeat(draw.integers(0, 3, size=60), 10).tolist()
    who = [*turns[:215], *[3] * 7, *turns[215:]]
    found = attributed(decider, who)
    same = np.equal.outer(people(found), people(found))
    assert (same == np.equal.outer(who, who)).all()


def test_so_many_speakers_as_are_asked_for(decider: Decider) -> None:
    who = [0] * 10 + [1] * 10
    assert attributed(decider, who, speakers=SpeakerRange(most=1)).active.shape[1] == 1
    assert attributed(decider, who, speakers=SpeakerRange(least=2, most=2)).active.shape[1] == 2
