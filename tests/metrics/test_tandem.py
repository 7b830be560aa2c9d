"""Tandem measures by hand: the t-DCF of Kinnunen et al. (2020), the EERs of SASV 2022, both ratios joined."""

from __future__ import annotations

import numpy as np
import pytest

from voiceprint.errors import TrialError
from voiceprint.metrics import (
    TandemCosts,
    VerificationErrors,
    det_curve,
    min_t_dcf,
    sasv_rates,
    tandem_llrs,
)

COSTS = TandemCosts(p_spoof=0.2, p_target=0.75, c_miss=1.0, c_fa=2.0, c_fa_spoof=5.0)
ERRORS = VerificationErrors(p_miss=0.1, p_fa=0.05, p_fa_spoof=0.8)


def test_the_tandem_cost_is_that_of_the_equations() -> None:
    # C0 = 0.8 0.75 0.1 + 0.8 0.25 2 0.05 = 0.08; C1 = 0.6 - 0.08 = 0.52; C2 = 0.2 5 0.8 = 0.8.
    # Live 1, 3 and spoofs 0, 2: the thresholds 1 (p_miss 0, p_fa 1/2) and 3 (1/2, 0) cost 0.48 and 0.34.
    curve = det_curve([1.0, 3.0], [0.0, 2.0])
    assert min_t_dcf(curve, ERRORS, COSTS) == pytest.approx(0.34 / (0.08 + 0.52))


def test_a_useless_countermeasure_costs_1_and_a_perfect_one_what_verification_alone_costs() -> None:
    useless, perfect = det_curve([0.0], [0.0]), det_curve([1.0], [0.0])
    assert min_t_dcf(useless, ERRORS, COSTS) == pytest.approx(1.0)
    assert min_t_dcf(perfect, ERRORS, COSTS) == pytest.approx(0.08 / 0.60)


def test_where_verification_accepts_no_spoof_there_is_no_tandem_cost() -> None:
    errors = VerificationErrors(p_miss=0.1, p_fa=0.05, p_fa_spoof=0.0)
    with pytest.raises(TrialError, match="accepts 0 of the spoofs"):
        min_t_dcf(det_curve([1.0], [0.0]), errors)


@pytest.mark.parametrize("wrong", [{"p_spoof": 0.0}, {"p_target": 1.0}, {"c_fa": 0.0}, {"c_miss": np.inf}])
def test_costs_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(TrialError, match="must be above 0"):
        TandemCosts(**wrong)


def test_equal_error_rates_with_spoofs_among_the_trials() -> None:
    # Targets 2, 3 against others 0, 1: apart. Against spoofs 2.5, 1: one of two lies between.
    rates = sasv_rates([2.0, 3.0], [0.0, 1.0], [2.5, 1.0])
    assert (rates.verification, rates.spoof, rates.together) == (0.0, 0.5, 0.25)


def test_what_is_refused_whatever_the_voice_ranks_lowest() -> None:
    rates = sasv_rates([2.0, 3.0], [0.0, 1.0], [-np.inf, -np.inf])
    assert (rates.spoof, rates.together) == (0.0, 0.0)
    with pytest.raises(TrialError, match="spoof score 0 is NaN"):
        sasv_rates([2.0], [0.0], [np.nan])


def test_both_ratios_together_are_the_likelihood_against_the_mixture() -> None:
    # Target 1; others 1/4, spoofs 1/2, in shares of 0.6 and 0.4: 1 / (0.6 / 4 + 0.4 / 2).
    joined = tandem_llrs([np.log(4.0)], [np.log(2.0)], spoof_share=0.4)
    assert joined[0] == pytest.approx(np.log(1 / 0.35))


def test_neither_a_strange_voice_nor_a_machine_is_outweighed_by_the_other_ratio() -> None:
    joined = tandem_llrs([50.0, -8.0], [-8.0, 50.0])
    assert joined == pytest.approx([-8.0 + np.log(2.0)] * 2)
    with pytest.raises(TrialError, match="spoof_share is 1"):
        tandem_llrs([0.0], [0.0], spoof_share=1.0)
