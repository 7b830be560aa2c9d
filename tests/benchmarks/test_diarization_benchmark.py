from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.diarization.measure import sum_errors
from benchmarks.diarization.oracle import oracles, true_activity
from benchmarks.diarization.recordings import Margins
from benchmarks.diarization.scenes import Scene
from benchmarks.diarization.senko import Senko
from voiceprint.diarization.segmentation import members
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.errors import VoiceprintError
from voiceprint.model import SpeakerModel

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def scene(voice: Callable[..., Floats]) -> Scene:
    """Ada, then Bert, the last second of her at the same time."""
    samples = np.zeros(16 * 16_000, np.float32)
    samples[16_000 : 9 * 16_000] += 0.3 * voice("ada", 1, 8.0)
    samples[8 * 16_000 : 15 * 16_000] += 0.3 * voice("bert", 2, 7.0)
    turns = (
        SpeakerTurn(start=1.0, stop=9.0, speaker="ada"),
        SpeakerTurn(start=8.0, stop=15.0, speaker="bert"),
    )
    return Scene(name="two", samples=samples, turns=turns, enrolled={})


def test_the_true_segmentation_is_what_a_perfect_network_finds(scene: Scene) -> None:
    activity = true_activity(scene.turns, 800)
    assert np.flatnonzero(activity.overlap).tolist() == list(range(400, 450))
    assert activity.speech.sum() == 700
    active = members()[activity.windows[0]]
    assert active.sum(axis=0).tolist() == [400, 100, 0]


def test_what_is_taken_from_the_truth_has_no_error(scene: Scene) -> None:
    ways = oracles(SpeakerModel.open(), None)
    rates = {
        name: sum_errors([(scene.turns, ways[name](scene), scene.seconds)], 0.0)
        for name in ("segmentation", "speakers", "one speaker")
    }
    # The two synthetic voices may well be one to an encoder; then their overlap is missed.
    assert rates["segmentation"].missed + rates["segmentation"].false_alarm < 0.08
    assert rates["speakers"].confusion < 0.01
    assert rates["one speaker"].missed == pytest.approx(1 / 15, abs=0.01)
    assert rates["one speaker"].confusion < 0.01


def test_a_peer_that_cannot_run_says_so() -> None:
    with pytest.raises(VoiceprintError, match="senko could not run"):
        Senko(Path(sys.executable)).diarize(np.zeros(16_000, np.float32))


def test_the_term_holds_the_rate_in_mixed_stores_and_three_times_it_in_each() -> None:
    few, many, alike = (np.full(1000, -0.5) for _ in range(3))
    stores = {(10, False): few, (40, False): many, (10, True): alike}
    few[:20] = np.linspace(-0.2, -0.1, 20)
    alike[:30] = -0.05
    found = Margins(right={}, strange=stores)
    # 20 of the 2,000 in mixed stores are 1 %, 30 of the 1,000 that are alike 3 %.
    assert found.term(0.01) == pytest.approx(0.49)
    alike[30] = -0.3
    assert found.term(0.01) == pytest.approx(0.29)
    many[0] = -0.2 + 1e-9
    assert found.term(0.01) == pytest.approx(0.19)
    many[:] = 0.1
    assert found.term(0.01) == 0.0
