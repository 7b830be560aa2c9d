"""Noise as side information: a term for the signal-to-noise ratio."""

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import tomli_w
from made_cells import gaussian_scores, grid

from voiceprint.calibration import (
    Calibration,
    CellScores,
    SnrTerm,
    fit_pooled,
    fit_snr,
)
from voiceprint.errors import CalibrationError


def in_noise(rng: np.random.Generator, *, gain: float = -0.01, seconds: float = 2.0) -> CellScores:
    """Scores that fall by 0.01 for each dB under 20 dB, of whomever."""
    made = gaussian_scores(rng, seconds=seconds, n_nontarget=5000)
    target_snr, nontarget_snr = rng.uniform(0.0, 30.0, 500), rng.uniform(0.0, 30.0, 5000)
    return replace(
        made,
        targets=made.targets - gain * (target_snr - 20.0),
        nontargets=made.nontargets - gain * (nontarget_snr - 20.0),
        target_snr=target_snr,
        nontarget_snr=nontarget_snr,
    )


def test_a_term_adds_what_noise_takes() -> None:
    term = SnrTerm(gain=-0.01, reference_db=20.0, low_db=5.0, high_db=30.0)
    np.testing.assert_allclose(term.shifts([20.0, 10.0, -9.0, 99.0, np.nan]), [0.0, 0.1, 0.15, -0.1, 0.0])
    fitted = replace(grid(), snr=term)
    np.testing.assert_allclose(fitted.snr_shifts([10.0, np.nan]), [0.1, 0.0])
    assert float(fitted.snr_shifts(None)) == float(grid().snr_shifts(10.0)) == 0.0
    assert Calibration.from_dict(tomllib.loads(tomli_w.dumps(fitted.to_dict()))) == fitted


def test_the_cost_of_a_dB_is_found(rng: np.random.Generator) -> None:
    cells = [in_noise(rng), in_noise(rng, seconds=5.0)]
    term = fit_snr(cells)
    assert term.gain == pytest.approx(-0.01, rel=0.05)
    assert term.low_db < term.reference_db < term.high_db
    plain, aware = fit_pooled({"a": cells}), fit_pooled({"a": cells}, snr=True)
    assert aware.snr == term
    assert aware.cells[0].eer < plain.cells[0].eer


def test_unknown_noise_is_the_reference(rng: np.random.Generator) -> None:
    made = in_noise(rng)
    assert made.target_snr is not None and made.nontarget_snr is not None
    made.target_snr[::2], made.nontarget_snr[::2] = np.nan, np.nan
    assert np.isfinite(fit_snr([made]).gain)


def test_noise_that_was_not_measured_cannot_be_gone_by(rng: np.random.Generator) -> None:
    with pytest.raises(CalibrationError, match="2 s: the signal-to-noise ratio of the trials was not"):
        fit_pooled({"a": [gaussian_scores(rng)]}, snr=True)
    same = replace(gaussian_scores(rng), target_snr=np.full(500, 9.0), nontarget_snr=np.full(50_000, 9.0))
    with pytest.raises(CalibrationError, match="the same in every clip"):
        fit_snr([same])


@pytest.mark.parametrize("wrong", [{"gain": math.inf}, {"low_db": 25.0}])
def test_a_damaged_term_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(CalibrationError, match="calibration: snr is"):
        SnrTerm(**{"gain": -0.01, "reference_db": 20.0, "low_db": 5.0, "high_db": 30.0} | wrong)
