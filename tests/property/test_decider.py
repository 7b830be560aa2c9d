"""The Decider against what a loop over cells, trial by trial, makes of the same scores."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceprint.calibration import (
    Calibration,
    CalibrationCell,
    CellScores,
    Decider,
    Method,
    OperatingPoint,
    SnrTerm,
    TrialShape,
    fit_calibration,
)
from voiceprint.errors import CalibrationError

T = TypeVar("T")
SNR = SnrTerm(gain=-0.004, reference_db=18.0, low_db=5.0, high_db=30.0)
RATES = st.floats(1e-9, 0.5)
NOISE = st.none() | st.floats(-20.0, 60.0)


def fitted(method: Method, snr: SnrTerm | None) -> Calibration:
    rng = np.random.default_rng(7)
    grid = fit_calibration(
        (
            CellScores(
                n_enroll=n_enroll,
                seconds=seconds,
                targets=rng.normal(0.5, 0.2 / seconds, 200),
                nontargets=rng.normal(0.1, 0.1, 4000),
                n_speakers=40,
                n_pairs=780,
            )
            for n_enroll in (1, 3, 10)
            for seconds in (1.0, 2.0, 5.0)
        ),
        method=method,
    )
    return Calibration(cells=grid.cells, p_target=grid.p_target, fingerprint=grid.fingerprint, snr=snr)


GRIDS = [fitted(method, snr) for method in ("logistic", "isotonic") for snr in (None, SNR)]
CALIBRATIONS = st.sampled_from(GRIDS)


@st.composite
def shapes(draw: st.DrawFn) -> TrialShape:
    """Some trials, often with the very numbers of the grid."""
    size = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[T]) -> list[T]:
        return draw(st.lists(values, min_size=size, max_size=size))

    return TrialShape(
        n_enroll=column(st.integers(1, 15)),
        seconds=column(st.sampled_from([0.5, 1.0, 2.0, 5.0, 9.0]) | st.floats(0.1, 50.0)),
        snr_db=[math.nan if snr is None else snr for snr in column(NOISE)],
    )


POINTS = st.one_of(
    RATES.map(OperatingPoint.far),
    st.just(OperatingPoint.eer()),
    st.builds(
        lambda p, c: OperatingPoint.cost(p_target=p, c_fa=c), st.floats(0.001, 0.9), st.floats(0.1, 50)
    ),
    st.floats(-1.0, 1.0).map(OperatingPoint.threshold),
)


def each(shape: TrialShape) -> list[tuple[int, float, float]]:
    """The clips, seconds and noise of each of its trials."""
    columns = (np.asarray(values).tolist() for values in (shape.n_enroll, shape.seconds, shape.snr_db))
    return list(zip(*columns, strict=True))


def around(grid: Calibration, n_enroll: int, seconds: float) -> list[tuple[float, CalibrationCell]]:
    """The cells around one trial and their shares, written as plainly as can be."""

    def shares(axis: tuple[float, ...], value: float) -> list[tuple[float, float]]:
        value = min(max(value, axis[0]), axis[-1])
        if value in axis:
            return [(1.0, value)]
        low, high = max(knot for knot in axis if knot < value), min(knot for knot in axis if knot > value)
        share = math.log(value / low) / math.log(high / low)
        return [(1.0 - share, low), (share, high)]

    return [
        (clips_share * seconds_share, grid.cell(n_enroll=int(n), seconds=s))
        for clips_share, n in shares(grid.n_enroll, n_enroll)
        for seconds_share, s in shares(grid.seconds, seconds)
    ]


def noise_shift(grid: Calibration, snr_db: float) -> float:
    if grid.snr is None or math.isnan(snr_db):
        return 0.0
    return grid.snr.gain * (min(max(snr_db, grid.snr.low_db), grid.snr.high_db) - grid.snr.reference_db)


def llr_by_hand(grid: Calibration, score: float, n_enroll: int, seconds: float) -> float:
    return sum(
        share * float(cell.llrs(np.array([score]))[0]) for share, cell in around(grid, n_enroll, seconds)
    )


def threshold_by_hand(
    grid: Calibration, point: OperatingPoint, n_enroll: int, seconds: float, snr_db: float, shift: float
) -> float:
    near = around(grid, n_enroll, seconds)
    if point.kind == "threshold":
        return point.score
    if point.kind == "far":
        limit = sum(share * cell.threshold(point.p_fa / point.people) for share, cell in near)
    elif point.kind == "eer":
        limit = sum(share * cell.eer_threshold for share, cell in near)
    else:
        needed = math.log(point.c_fa * (1.0 - point.p_target) / point.p_target)
        steps = sorted({score for _, cell in near for score in cell.step_scores})
        if steps:
            enough = [s for s in steps if llr_by_hand(grid, s, n_enroll, seconds) >= needed]
            limit = enough[0] if enough else math.nextafter(max(steps[-1], 1.0), math.inf)
        else:
            zero, one = (llr_by_hand(grid, end, n_enroll, seconds) for end in (0.0, 1.0))
            limit = (needed - zero) / (one - zero)
    return limit - noise_shift(grid, snr_db) + shift


@given(grid=CALIBRATIONS, shape=shapes(), point=POINTS, shift=st.floats(-0.2, 0.2))
def test_thresholds_are_those_of_the_cells_around_each_trial(
    grid: Calibration, shape: TrialShape, point: OperatingPoint, shift: float
) -> None:
    decider = Decider(calibration=grid, default=point, shift=shift)
    by_hand = [threshold_by_hand(grid, point, *trial, shift) for trial in each(shape)]
    np.testing.assert_allclose(decider.thresholds(shape), by_hand, rtol=0.0, atol=1e-9)


@given(grid=CALIBRATIONS, shape=shapes(), score=st.floats(-1.0, 1.0), shift=st.floats(-0.2, 0.2))
def test_ratios_are_those_of_the_cells_whatever_the_store_says(
    grid: Calibration, shape: TrialShape, score: float, shift: float
) -> None:
    decider = Decider(calibration=grid, shift=shift)
    by_hand = [
        llr_by_hand(grid, score + noise_shift(grid, snr_db), n_enroll, seconds)
        for n_enroll, seconds, snr_db in each(shape)
    ]
    ratios = decider.llrs(np.full(shape.shape, score), shape)
    assert ratios is not None
    np.testing.assert_allclose(ratios, by_hand, atol=1e-9)


@given(grid=CALIBRATIONS, shape=shapes(), point=POINTS, people=st.integers(1, 1000))
def test_many_trials_are_decided_as_each_by_itself(
    grid: Calibration, shape: TrialShape, point: OperatingPoint, people: int
) -> None:
    decider, point = Decider(calibration=grid, shift=0.01), point.among(people)
    together = decider.thresholds(shape, point)
    for index, alone in enumerate(each(shape)):
        n_enroll, seconds, snr_db = alone
        one = TrialShape(n_enroll=n_enroll, seconds=seconds, snr_db=None if math.isnan(snr_db) else snr_db)
        threshold = decider.thresholds(one, point)
        assert threshold.shape == ()
        assert float(threshold) == together[index]
        assert decider.accepts(float(threshold), one, point)
        assert not decider.accepts(np.nextafter(float(threshold), -2.0), one, point)


@given(grid=CALIBRATIONS, shape=shapes(), point=POINTS, people=st.integers(1, 10_000))
def test_more_people_never_make_it_easier_to_be_named(
    grid: Calibration, shape: TrialShape, point: OperatingPoint, people: int
) -> None:
    decider = Decider(calibration=grid, default=point)
    fewer, more = (decider.thresholds(shape, point.among(n)) for n in (people, people + 1))
    assert (more >= fewer).all()
    if point.kind == "threshold":
        assert (more == point.score).all()


@given(grid=CALIBRATIONS, shape=shapes(), rate=RATES, people=st.integers(1, 1000))
def test_a_rate_among_n_is_the_nth_part_of_it(
    grid: Calibration, shape: TrialShape, rate: float, people: int
) -> None:
    decider = Decider(calibration=grid)
    among = decider.thresholds(shape, OperatingPoint.far(rate).among(people))
    np.testing.assert_array_equal(
        among,
        grid.thresholds(p_fa=rate / people, n_enroll=shape.n_enroll, seconds=shape.seconds)
        - grid.snr_shifts(shape.snr_db),
    )
    resolved = [grid.resolves(rate / people, n_enroll=n, seconds=s) for n, s, _ in each(shape)]
    assert decider.resolves(shape, OperatingPoint.far(rate).among(people)) == all(resolved)


@pytest.mark.parametrize(
    "shape", [TrialShape(n_enroll=0, seconds=1.0), TrialShape(n_enroll=1, seconds=[0.0])]
)
def test_a_trial_that_cannot_be_is_refused(shape: TrialShape) -> None:
    with pytest.raises(CalibrationError, match="n_enroll is"):
        Decider(calibration=GRIDS[0]).thresholds(shape)
