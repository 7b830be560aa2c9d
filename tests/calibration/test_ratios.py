"""Logistic and isotonic regression, against scikit-learn and by hand."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from voiceprint.calibration import (
    LogisticCalibration,
    fit_isotonic,
    fit_logistic,
)
from voiceprint.errors import CalibrationError


def simulated(
    rng: np.random.Generator, n_target: int = 300, n_nontarget: int = 2000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return rng.normal(1.0, 1.0, n_target), rng.normal(-1.0, 1.0, n_nontarget)


@pytest.mark.parametrize("p_target", [0.5, 0.05])
def test_logistic_agrees_with_scikit_learn(rng: np.random.Generator, p_target: float) -> None:
    targets, nontargets = simulated(rng)
    sides = rng.normal(size=(300, 2)), rng.normal(size=(2000, 2))
    fitted = fit_logistic(
        targets, nontargets, p_target=p_target, target_side=sides[0], nontarget_side=sides[1]
    )
    # Smoothed labels are trials of both labels with fractional weights.
    columns = np.column_stack([np.concatenate([targets, nontargets]), np.concatenate(sides)])
    counts = np.repeat([300, 2000], [300, 2000])
    weight = np.repeat([p_target, 1.0 - p_target], [300, 2000]) / counts
    label = np.repeat([1, 0], [300, 2000])
    right = (counts + 1) / (counts + 2)
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
        np.concatenate([columns, columns]),
        np.concatenate([label, 1 - label]),
        sample_weight=1e4 * np.concatenate([weight * right, weight * (1.0 - right)]),
    )
    slopes = [fitted.slope, *fitted.side_weights]
    np.testing.assert_allclose(slopes, reference.coef_[0], rtol=1e-4, atol=1e-5)
    log_odds = math.log(p_target / (1.0 - p_target))
    assert fitted.offset + log_odds == pytest.approx(reference.intercept_[0], rel=1e-4)


def test_side_information_shifts_the_ratio() -> None:
    fitted = LogisticCalibration(slope=2.0, offset=-1.0, side_weights=(0.5,))
    np.testing.assert_allclose(fitted.llrs([1.0, 1.0], side=[[0.0], [2.0]]), [1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": []}, "got 0 target and 2 nontarget"),
        ({"targets": [[0.1]]}, "one row of numbers"),
        ({"targets": [math.inf]}, "must be finite"),
        ({"targets": [0.2], "nontargets": [0.2]}, r"column 0 \(0 is the score\) is the same"),
        ({"p_target": 1.0}, "p_target is 1.0"),
        ({"target_side": [[1.0], [2.0]]}, "the same columns"),
        ({"target_side": [[1.0]]}, r"must have shape \(2, q\)"),
    ],
)
def test_logistic_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit_logistic(**({"targets": [0.4, 0.6], "nontargets": [0.1, 0.2]} | arguments))


def test_side_information_must_have_the_fitted_columns() -> None:
    with pytest.raises(CalibrationError, match="fitted with 1 columns of side information, got 0"):
        LogisticCalibration(slope=1.0, offset=0.0, side_weights=(0.5,)).llrs([0.1])


def test_isotonic_by_hand() -> None:
    # Nontarget, then target and nontarget in the wrong order (pooled), then target.
    fitted = fit_isotonic([0.2, 0.4], [0.1, 0.3])
    np.testing.assert_array_equal(
        fitted.llrs([0.0, 0.1, 0.2, 0.25, 0.3, 0.4, 9.0]), [-np.inf] * 2 + [0.0] * 3 + [np.inf] * 2
    )


def test_finite_isotonic_steps_are_bounded_by_one_more_trial() -> None:
    fitted = fit_isotonic([0.2, 0.4], [0.1, 0.3], finite=True)
    # Half of the nontargets alone: one target more would make it one of two against one of two.
    np.testing.assert_allclose(fitted.values, [0.0, 0.0, 0.0], atol=1e-12)
    apart = fit_isotonic([0.8] * 9, [0.1] * 99, finite=True)
    np.testing.assert_allclose(apart.values, [-math.log(9.0), math.log(99.0)])


def test_isotonic_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    targets, nontargets = (np.round(values, 1) for values in simulated(rng))
    both = np.concatenate([targets, nontargets])
    label = np.repeat([1.0, 0.0], [300, 2000])
    weight = np.repeat([1.0 / 300, 1.0 / 2000], [300, 2000])
    expected = IsotonicRegression().fit(both, label, sample_weight=weight).predict(both)
    posterior = np.exp(-np.logaddexp(0.0, -fit_isotonic(targets, nontargets).llrs(both)))
    np.testing.assert_allclose(posterior, expected, atol=1e-9)


def test_isotonic_refuses_one_class_only() -> None:
    with pytest.raises(CalibrationError, match="no target trials"):
        fit_isotonic([], [0.1])
