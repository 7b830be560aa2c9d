"""The countermeasure's benchmark: machines kept apart, and what each shortcut alone is worth."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.spoof.countermeasure import speed_line
from benchmarks.spoof.cues import CUES, cue_rate
from benchmarks.spoof.machines import MACHINES
from voiceprint.countermeasure import Countermeasure


def tones(hertz: float, *, count: int = 6, gain: float = 0.1) -> list[NDArray[np.float32]]:
    """Tones that all differ a little."""
    time = np.arange(16_000) / 16_000
    return [(gain * np.sin(2 * np.pi * (hertz + k) * time)).astype(np.float32) for k in range(count)]


def test_no_machine_is_in_two_splits_and_each_does_one_thing() -> None:
    assert Counter(machine.name for machine in MACHINES).most_common(1)[0][1] == 1
    assert {machine.split for machine in MACHINES} == {"train", "dev", "test"}
    assert all((machine.speaks is None) != (machine.resynthesizes is None) for machine in MACHINES)


def test_a_cue_that_tells_all_apart_has_no_error_whichever_way_round() -> None:
    low, high = tones(300), tones(3000)
    assert cue_rate("upper edge of the band", low, high) == 0.0
    assert cue_rate("upper edge of the band", high, low) == 0.0
    assert cue_rate("level", tones(300, gain=0.1), tones(300, gain=0.2)) == 0.0


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_that_both_sides_share_is_worth_nothing(cue: str) -> None:
    assert cue_rate(cue, tones(300), tones(300)) == pytest.approx(0.5)


def test_pauses_and_offsets_are_seen() -> None:
    spoken = tones(300)
    paused = [np.concatenate([clip, np.zeros_like(clip)]) for clip in spoken]
    assert CUES["share of silence"](paused[0]) == pytest.approx(0.5, abs=0.02)
    assert CUES["constant offset"](spoken[0] + np.float32(0.05)) > 0.5 > CUES["constant offset"](spoken[0])


def test_the_speed_is_that_of_the_length_that_is_asked_for(countermeasure: Path) -> None:
    said = speed_line(Countermeasure.open(countermeasure), seconds=1.5)
    assert re.match(r"1\.5 s of speech take \d+\.\d ms of one core, .", said)
