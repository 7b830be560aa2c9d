from __future__ import annotations

from dataclasses import replace

import pytest
from made_cells import cell, grid

from voiceprint.calibration import Calibration, CalibrationCell, Shortfall, find_shortfall


def missing(seconds: float, *misses: float) -> CalibrationCell:
    """A cell whose thresholds for 5, 1 and 0.1 % reject so many right clips."""
    made = cell(1, seconds)
    points = (replace(point, p_miss=p_miss) for point, p_miss in zip(made.points, misses, strict=True))
    return replace(made, points=tuple(points))


CALIBRATION: Calibration = replace(
    grid(), cells=(missing(0.5, 0.2, 0.7, 0.9), missing(2.0, 0.1, 0.3, 0.6), missing(8.0, 0.0, 0.1, 0.2))
)


def shortfall(far: float, seconds: float) -> Shortfall | None:
    return find_shortfall(CALIBRATION, far, n_enroll=1, seconds=seconds)


def test_a_rate_that_rejects_most_right_people_is_not_promised() -> None:
    found = shortfall(0.01, 0.8)
    assert found is not None
    assert (found.far, found.held_far) == (0.01, 0.02)
    assert found.needed_seconds == pytest.approx(1.0)
    assert str(found) == "too short for 1 %: at least 1.0 s, or ask for 2 %"
    assert shortfall(0.01, 1.0) is None


def test_a_stricter_rate_takes_longer_speech() -> None:
    strict = shortfall(0.001, 1.5)
    assert strict is not None
    assert strict.needed_seconds is not None and strict.needed_seconds > 2.0
    assert strict.held_far == 0.005


def test_nothing_is_promised_below_the_shortest_cell() -> None:
    found = shortfall(0.05, 0.3)
    assert found is not None
    assert str(found) == "too short for 5 %: at least 0.5 s"


def test_a_rate_that_no_length_holds_says_so() -> None:
    never = replace(CALIBRATION, cells=(missing(0.5, 0.6, 0.8, 0.9), missing(2.0, 0.6, 0.8, 0.9)))
    found = find_shortfall(never, 0.01, n_enroll=1, seconds=5.0)
    assert found is not None
    assert (found.needed_seconds, found.held_far) == (None, None)
    assert str(found) == "too short for 1 %: enroll more clips"
