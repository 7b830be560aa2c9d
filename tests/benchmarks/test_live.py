"""When to stop listening, on one hand-made talk: looks at 1 to 8 s against owner and impostor."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny_calibration

from benchmarks.live.looks import People, Talk
from benchmarks.live.stopping import Rule, at_length, measure_rule, sequentially, while_peeking
from benchmarks.live.table import listen_for_hours
from benchmarks.program import ROOT
from voiceprint import Verifier
from voiceprint.calibration import Decider, TrialShape
from voiceprint.engine.sequential import SequentialTest

SECONDS = np.array([1.0, 2.0, 4.0, 8.0])
DECIDER = Decider(calibration=tiny_calibration())
TEST = SequentialTest(far=0.01, miss=0.05)
UPPER = 0.80 + math.log(95) / 50  # 0.891, of one clip; the ordinary threshold at 1 % is 0.86


def talk(*columns: list[float]) -> Talk:
    scores = np.array(columns).T  # (looks, people)
    seconds = np.broadcast_to(SECONDS[:, None], scores.shape)
    shape = TrialShape(n_enroll=np.ones(scores.shape), seconds=seconds)
    return Talk(speaker=0, shape=shape, scores=scores)


def decided(rule: Rule, *columns: list[float]) -> list[tuple[bool, float]]:
    found = rule(talk(*columns), DECIDER)
    return list(zip(found.accepted.tolist(), found.seconds.tolist(), strict=True))


def test_the_sequential_test_stops_at_the_first_look_that_suffices() -> None:
    rule = sequentially(TEST, latest=8.0, min_speech=1.0)
    owner, impostor = [0.85, UPPER + 0.001, 0.0, 0.0], [0.80, 0.87, 0.70, 0.99]
    assert decided(rule, owner, impostor) == [(True, 2.0), (False, 4.0)]


def test_nothing_is_decided_before_there_is_enough_speech() -> None:
    rule = sequentially(TEST, latest=8.0, min_speech=2.0)
    assert decided(rule, [0.99, 0.1, 0.99, 0.99]) == [(False, 2.0)]


@pytest.mark.parametrize(("score", "accepted"), [(0.87, True), (0.85, False)])
def test_the_latest_moment_decides_at_the_ordinary_threshold(score: float, accepted: bool) -> None:
    rule = sequentially(TEST, latest=4.0, min_speech=1.0)
    assert decided(rule, [0.82, 0.82, score, 0.99]) == [(accepted, 4.0)]


def test_a_fixed_length_looks_once_and_peeking_at_every_look() -> None:
    scores = [0.80, 0.87, 0.85, 0.99]
    assert decided(at_length(0.01, 4.0), scores) == [(False, 4.0)]
    assert decided(while_peeking(0.01, 4.0), scores) == [(True, 2.0)]
    assert decided(while_peeking(0.01, 1.0), scores) == [(False, 1.0)]
    assert decided(at_length(0.01, 60.0), scores) == [(True, 8.0)]  # the last look there is


def test_rates_are_counted_over_claims() -> None:
    owner, impostor = [0.9] * 4, [0.87] * 4
    people = People(names=["ada", "bert"], talks=[talk(owner, impostor), talk(impostor, owner)])
    outcome = measure_rule(people, DECIDER, at_length(0.01, 2.0), seed=0)
    assert outcome.p_fa.value == 1.0
    assert outcome.p_miss.value == 0.0
    assert (outcome.median, outcome.p90) == (2.0, 2.0)


def test_memory_is_looked_at_first_and_after_each_tenth(tmp_path: Path, model_folder: Path) -> None:
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        endured = listen_for_hours(verifier, 0.005)
    assert len(endured.megabytes) == 11
    assert endured.events > 0


def test_a_split_of_nobody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "manifest.csv").write_text("path,speaker\n", encoding="utf-8")
    command = [
        sys.executable,
        str(ROOT / "scripts/benchmark_live"),
        "--corpora",
        str(tmp_path),
        "--corpus",
        "none",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
