from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_cells import cell, grid

from voiceprint.calibration import Calibration, Decider, OpenSet, OperatingPoint, TrialShape, mean_of_nearest
from voiceprint.errors import CalibrationError

COHORT = np.eye(4, dtype=np.float32)[:2]
MARGINS = replace(grid(), cells=(cell(1, 1.0, shift=-0.1),))
DECIDER = Decider(
    calibration=replace(grid(), cells=(cell(1, 1.0),)),
    open_set=OpenSet(grid=MARGINS, people=16, gain=0.5, nearest=2),
    cohort=COHORT,
)
FAR = OperatingPoint.far(0.01)


def threshold(people: int, rivals: float | None) -> float:
    shape = TrialShape(n_enroll=1, seconds=1.0, rivals=rivals)
    return float(DECIDER.thresholds(shape, FAR.among(people)))


def test_the_rivals_are_the_nearest_of_the_store_and_of_the_cohort() -> None:
    clip = np.array([0.6, 0.0, 0.8, 0.0], dtype=np.float32)  # 0.6 and 0 beside the cohort
    assert DECIDER.rivals(clip, [0.1, 0.4]) == pytest.approx((0.6 + 0.4) / 2)
    assert DECIDER.rivals(clip, []) == pytest.approx(0.3)
    assert mean_of_nearest([0.5], nearest=2) == 0.5


def test_a_search_goes_from_the_threshold_of_a_claim_to_that_over_rivals() -> None:
    assert threshold(1, 0.6) == pytest.approx(0.4)  # the claim's
    assert threshold(16, 0.6) == pytest.approx(0.3 + 0.5 * 0.6)
    assert threshold(4, 0.6) == pytest.approx((0.4 + 0.6) / 2)  # half way in the logarithm
    assert threshold(10_000, 0.6) == threshold(16, 0.6)
    assert threshold(10_000, 0.1) == pytest.approx(0.3 + 0.5 * 0.1)


def test_without_rivals_each_of_n_is_decided_on_at_the_nth_part_of_the_rate() -> None:
    alone = Decider(calibration=DECIDER.calibration)
    shape = TrialShape(n_enroll=1, seconds=1.0)
    assert threshold(10, None) == float(alone.thresholds(shape, FAR.among(10))) == pytest.approx(0.5)
    assert alone.rivals(np.ones(4, dtype=np.float32), [0.2]) is None


@pytest.mark.parametrize("point", [OperatingPoint.eer(), OperatingPoint.cost(p_target=0.1)])
def test_other_points_know_no_rivals(point: OperatingPoint) -> None:
    near, far = (
        DECIDER.thresholds(TrialShape(n_enroll=1, seconds=1.0, rivals=rivals), point.among(20))
        for rivals in (0.9, 0.0)
    )
    assert near == far


def test_the_store_s_shift_counts_in_a_search_too() -> None:
    shape = TrialShape(n_enroll=1, seconds=1.0, rivals=0.2)
    shifted = replace(DECIDER, shift=0.05).thresholds(shape, FAR.among(16))
    assert float(shifted) == pytest.approx(threshold(16, 0.2) + 0.05)


def test_misses_are_those_of_the_size() -> None:
    harder = replace(
        MARGINS, cells=(replace(cell(1, 1.0), points=(replace(cell(1, 1.0).points[0], p_miss=0.4),)),)
    )
    decider = replace(DECIDER, open_set=OpenSet(grid=harder, people=16))
    shape = TrialShape(n_enroll=1, seconds=1.0)
    claim, some, many = (decider.p_miss(shape, OperatingPoint.far(0.05).among(n)) for n in (1, 4, 16))
    assert (claim, some, many) == pytest.approx((0.1, 0.25, 0.4))


def test_it_is_written_and_read() -> None:
    assert DECIDER.open_set is not None
    assert OpenSet.from_dict(DECIDER.open_set.to_dict()) == DECIDER.open_set


@pytest.mark.parametrize(
    "wrong", [{"gain": 1.5}, {"gain": "much"}, {"people": 1}, {"nearest": 0}, {"gain": None}]
)
def test_a_damaged_one_is_refused(wrong: dict[str, object]) -> None:
    assert DECIDER.open_set is not None
    with pytest.raises(CalibrationError, match="open_set"):
        OpenSet.from_dict(DECIDER.open_set.to_dict() | wrong)


def test_one_without_its_numbers_is_refused() -> None:
    with pytest.raises(CalibrationError, match="missing keys"):
        OpenSet.from_dict(MARGINS.to_dict())
    assert isinstance(MARGINS, Calibration)
