import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from voiceprint.calibration import (
    Calibration,
    CellScores,
    LogisticCalibration,
    fit_calibration,
    fit_isotonic,
    fit_logistic,
)
from voiceprint.errors import CalibrationError
from voiceprint.metrics import act_dcf, cllr, det_curve, min_cllr, min_dcf

Scores = NDArray[np.float64]

# A coarse grid of scores, so that ties are common.
SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(-20, 20).map(lambda n: n / 10.0))
RATES = st.floats(1e-9, 0.999)
CLIPS = st.integers(1, 30)
SECONDS = st.floats(0.1, 100.0)


def fitted_grid() -> Calibration:
    rng = np.random.default_rng(5)
    return fit_calibration(
        CellScores(
            n_enroll=n_enroll,
            seconds=seconds,
            targets=rng.normal(0.5, 0.1 / seconds, 200),
            nontargets=rng.normal(0.1, 0.1, 4000),
            n_speakers=40,
            n_pairs=780,
        )
        for n_enroll in (1, 3, 10)
        for seconds in (1.0, 2.0, 5.0)
    )


GRID = fitted_grid()


@given(rates=st.tuples(RATES, RATES), n_enroll=CLIPS, seconds=SECONDS)
def test_a_lower_rate_is_never_more_lenient(
    rates: tuple[float, float], n_enroll: int, seconds: float
) -> None:
    strict, lenient = (
        GRID.threshold(p_fa=rate, n_enroll=n_enroll, seconds=seconds) for rate in sorted(rates)
    )
    assert strict >= lenient


@given(pair=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)), n_enroll=CLIPS, seconds=SECONDS)
def test_a_higher_score_is_never_less_evidence(
    pair: tuple[float, float], n_enroll: int, seconds: float
) -> None:
    low, high = (GRID.llr(score, n_enroll=n_enroll, seconds=seconds) for score in sorted(pair))
    assert low <= high


@given(n_enroll=CLIPS, seconds=SECONDS, p_fa=RATES)
def test_interpolation_stays_between_the_cells(n_enroll: int, seconds: float, p_fa: float) -> None:
    thresholds = [cell.threshold(p_fa) for cell in GRID.cells]
    value = GRID.threshold(p_fa=p_fa, n_enroll=n_enroll, seconds=seconds)
    assert min(thresholds) - 1e-12 <= value <= max(thresholds) + 1e-12


def test_reading_what_was_written_changes_nothing() -> None:
    assert Calibration.from_dict(GRID.to_dict()) == GRID


@given(targets=SCORES, nontargets=SCORES, p_target=st.sampled_from([0.01, 0.05, 0.3, 0.5, 0.9]))
def test_isotonic_calibration_reaches_the_minimum_cost_of_its_own_data(
    targets: Scores, nontargets: Scores, p_target: float
) -> None:
    curve, fitted = det_curve(targets, nontargets), fit_isotonic(targets, nontargets)
    llrs = fitted.llrs(targets), fitted.llrs(nontargets)
    assert abs(act_dcf(*llrs, p_target=p_target) - min_dcf(curve, p_target=p_target)) < 1e-9
    assert abs(cllr(*llrs) - min_cllr(curve)) < 1e-9


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1), p_target=st.sampled_from([0.01, 0.05, 0.5]), distance=st.floats(1.5, 2.5)
)
def test_logistic_calibration_comes_near_the_minimum_cost_at_its_prior(
    seed: int, p_target: float, distance: float
) -> None:
    """Equal-variance Gaussian scores, on which logistic regression is the right model."""
    rng = np.random.default_rng(seed)
    targets, nontargets = rng.normal(distance, 1.0, 50_000), rng.normal(0.0, 1.0, 100_000)
    fitted = fit_logistic(targets, nontargets, p_target=p_target)
    actual = act_dcf(fitted.llrs(targets), fitted.llrs(nontargets), p_target=p_target)
    assert actual <= 1.05 * min_dcf(det_curve(targets, nontargets), p_target=p_target)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 2000),
    distance=st.floats(0.5, 100.0),
    scale=st.floats(1e-3, 1e3),
)
def test_logistic_regression_settles_at_the_optimum(seed: int, n: int, distance: float, scale: float) -> None:
    """Whatever the overlap, the fit has a loss no neighbour beats: shifted ratios cost more."""
    rng = np.random.default_rng(seed)
    targets, nontargets = scale * rng.normal(distance, 1.0, n), scale * rng.normal(0.0, 1.0, 3 * n)
    try:
        fitted = fit_logistic(targets, nontargets)
    except CalibrationError as error:
        assert "do not score higher" in str(error)
        return
    assert abs(_smoothed_gradient(fitted, targets, nontargets)) < 1e-9


def _smoothed_gradient(fitted: LogisticCalibration, targets: Scores, nontargets: Scores) -> float:
    """Derivative of the smoothed loss by the offset."""
    parts = [
        float(np.mean(1.0 / (1.0 + np.exp(-np.clip(fitted.llrs(scores), -700, 700))) - label))
        for scores, label in (
            (targets, (len(targets) + 1) / (len(targets) + 2)),
            (nontargets, 1 / (len(nontargets) + 2)),
        )
    ]
    return sum(parts)
