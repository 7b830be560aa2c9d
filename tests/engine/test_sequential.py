"""Wald's test, by hand-checkable numbers: the tiny calibration's ratio is 50 x (score - 0.82)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import tiny_calibration

from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.engine.sequential import SequentialTest
from voiceprint.errors import ArgumentError, NotCalibratedError

SHAPE = TrialShape(n_enroll=3, seconds=2.0)
TEST = SequentialTest(far=0.01, miss=0.05)
UPPER, LOWER = math.log(0.95 / 0.01), math.log(0.05 / 0.99)  # 4.554 and -2.986


def decider(shift: float = 0.0) -> Decider:
    return Decider(calibration=tiny_calibration(), shift=shift)


def score_at(llr: float) -> float:
    return 0.82 + llr / 50


def decision(
    score: float, *, people: int = 1, shift: float = 0.0, test: SequentialTest = TEST
) -> bool | None:
    verdict = test.decide(score, SHAPE, people=people, decider=decider(shift), tuned=shift != 0.0).verdict
    return None if verdict is None else verdict.accepted


@pytest.mark.parametrize(
    ("llr", "accepted"),
    [(UPPER + 0.01, True), (UPPER - 0.01, None), (0.0, None), (LOWER + 0.01, None), (LOWER - 0.01, False)],
)
def test_walds_bounds_decide(llr: float, accepted: bool | None) -> None:
    assert decision(score_at(llr)) is accepted


def test_a_store_that_asks_for_more_moves_both_bounds() -> None:
    assert decision(score_at(UPPER + 0.01), shift=0.01) is None
    assert decision(score_at(UPPER + 0.51), shift=0.01) is True
    assert decision(score_at(LOWER + 0.49), shift=0.01) is False
    assert decision(score_at(LOWER + 0.51), shift=0.01) is None


def test_among_many_people_each_has_a_share_of_the_false_accepts() -> None:
    assert decision(score_at(UPPER + math.log(20) - 0.01), people=20) is None
    assert decision(score_at(UPPER + math.log(20) + 0.01), people=20) is True
    assert decision(score_at(LOWER - 0.01), people=20) is False


def test_the_verdict_says_by_what_it_was_decided() -> None:
    verdict = TEST.decide(0.99, SHAPE, decider=decider(), tuned=False).verdict
    assert verdict is not None
    assert verdict.threshold == pytest.approx(score_at(UPPER))
    assert verdict.llr == pytest.approx(50 * (0.99 - 0.82))
    assert (verdict.threshold_source, verdict.accepted) == ("model", True)
    rejected = TEST.decide(0.1, SHAPE, decider=decider(shift=0.01), tuned=True).verdict
    assert rejected is not None
    assert rejected.threshold == pytest.approx(score_at(LOWER) + 0.01)
    assert (rejected.threshold_source, rejected.accepted) == ("store", False)


def test_the_latest_moment_decides_as_any_clip_is_decided() -> None:
    between = 0.87  # above 0.86 + 0.02 it would be accepted at 1 %
    assert decision(between) is None
    assert finally_accepted(between, TEST) is False
    assert finally_accepted(0.881, TEST) is True
    assert (
        finally_accepted(between, SequentialTest(far=0.01, miss=0.05, final=OperatingPoint.far(0.05))) is True
    )


def finally_accepted(score: float, test: SequentialTest) -> bool | None:
    verdict = test.decide_finally(score, SHAPE, decider=decider(), tuned=False).verdict
    return None if verdict is None else verdict.accepted


def test_a_look_says_which_score_would_be_accepted() -> None:
    for score in (0.1, score_at(0.0), 0.99):  # rejected, undecided, accepted
        look = TEST.decide(score, SHAPE, decider=decider(), tuned=False)
        assert look.threshold == pytest.approx(score_at(UPPER))
    assert TEST.decide(score_at(0.0), SHAPE, decider=decider(), tuned=False).verdict is None


@given(st.floats(-1, 1), st.integers(1, 1000), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_one_look_and_many_decide_alike(score: float, people: int, far: float, miss: float) -> None:
    test = SequentialTest(far=far, miss=miss)
    one = decision(score, people=people, test=test)
    (many,) = test.outcomes([score], SHAPE, people=people, decider=decider())
    assert {True: 1, False: -1, None: 0}[one] == many


@pytest.mark.parametrize(("far", "miss"), [(0.05, 0.05), (0.01, 0.1)])
def test_the_rates_hold_whenever_it_stops(far: float, miss: float) -> None:
    """Sums of independent ratios, for which Wald proved it: impostors and owners, 20,000 walks each."""
    rng, test = np.random.default_rng(0), SequentialTest(far=far, miss=miss)
    upper, lower = math.log(test.upper.c_fa), math.log(test.lower.c_fa)
    for owner, wrong, rate in ((False, 1, far), (True, -1, miss)):
        steps = rng.normal(1.0 if owner else 0.0, 1.0, size=(20_000, 200)) - 0.5  # N(1, 1) against N(0, 1)
        walks = np.cumsum(steps, axis=1)
        out = np.where(walks >= upper, 1, np.where(walks < lower, -1, 0))
        first = out[np.arange(len(out)), (out != 0).argmax(axis=1)]
        assert np.all(first != 0)
        assert np.mean(first == wrong) <= rate


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("far", partial(SequentialTest, far=0.0)),
        ("far", partial(SequentialTest, far=0.6)),
        ("miss", partial(SequentialTest, miss=0.0)),
        ("miss", partial(SequentialTest, miss=math.nan)),
    ],
)
def test_rates_out_of_range_are_refused(name: str, made: Callable[[], SequentialTest]) -> None:
    with pytest.raises(ArgumentError, match=name):
        made()


def test_without_a_calibration_there_is_no_evidence() -> None:
    with pytest.raises(NotCalibratedError):
        TEST.decide(0.5, SHAPE, decider=Decider(calibration=None), tuned=False)
