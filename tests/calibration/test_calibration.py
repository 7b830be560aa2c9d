import dataclasses
import math
import tomllib
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import tomli_w
from made_cells import ANY_SHA256, cell, gaussian_scores, grid, scores
from numpy.typing import NDArray

from voiceprint.calibration import (
    Calibration,
    CellScores,
    fit_calibration,
    fit_cell,
)
from voiceprint.errors import CalibrationError
from voiceprint.metrics import SpeakerTrials, cllr, det_curve, min_cllr
from voiceprint.scoring import centroid, cosine_matrix, normalize

# Fitting


def test_a_measured_threshold_accepts_exactly_the_asked_share_of_its_nontargets() -> None:
    nontargets = np.arange(3000) / 3000.0
    fitted = fit_cell(scores(np.linspace(0.9, 2.0, 100), nontargets))
    for point in fitted.points[:4]:
        assert point.resolved
        assert np.count_nonzero(nontargets >= point.threshold) == round(point.p_fa * 3000)
    assert fitted.threshold(0.01) == nontargets[2970]
    assert fitted.n_target == 100
    assert fitted.n_nontarget == 3000


def test_tied_nontargets_never_push_a_threshold_over_its_rate() -> None:
    nontargets = np.concatenate([np.zeros(900), np.full(100, 0.5)])
    fitted = fit_cell(scores(np.linspace(0.4, 1.0, 50), nontargets))
    point = fitted.points[2]
    assert (point.p_fa, point.resolved) == (0.05, True)
    assert point.threshold > 0.5
    assert point.threshold == pytest.approx(0.5)


def test_a_rate_without_thirty_expected_false_accepts_is_marked_unresolved(rng: np.random.Generator) -> None:
    rates = (0.01, 0.001)
    fitted = fit_cell(gaussian_scores(rng, n_nontarget=29_999), rates=rates)
    assert [point.resolved for point in fitted.points] == [True, False]
    fitted = fit_cell(gaussian_scores(rng, n_nontarget=30_000), rates=rates)
    assert all(point.resolved for point in fitted.points)


def test_a_rate_of_too_few_speaker_pairs_is_marked_unresolved(rng: np.random.Generator) -> None:
    many_clips = gaussian_scores(rng)
    few_voices = dataclasses.replace(many_clips, n_speakers=20, n_pairs=190)
    points = fit_cell(few_voices, rates=(0.05, 0.01, 0.001)).points
    assert [point.resolved for point in points] == [True, False, False]


def test_an_unresolved_threshold_continues_the_measured_tail(rng: np.random.Generator) -> None:
    nontargets = rng.exponential(0.05, 10_000) - 0.2  # a tail that goes on evenly
    fitted = fit_cell(scores(np.linspace(0.4, 1.0, 50), nontargets), rates=(0.05, 0.01, 0.001))
    measured, extrapolated = fitted.points[-2:]
    assert (measured.p_fa, extrapolated.p_fa, extrapolated.resolved) == (0.01, 0.001, False)
    # Over one decade an exponential law rises by 0.05 ln 10; one standard error of its mean is a tenth.
    assert extrapolated.threshold - measured.threshold == pytest.approx(1.1 * 0.05 * math.log(10.0), rel=0.2)
    assert fitted.threshold(0.0001) > extrapolated.threshold


def test_the_tail_of_bounded_scores_ends(rng: np.random.Generator) -> None:
    nontargets = 0.6 - 0.4 * np.sqrt(rng.uniform(size=100_000))  # a Pareto law of shape -1/2 that ends at 0.6
    fitted = fit_cell(scores(np.linspace(0.7, 1.0, 50), nontargets), rates=(0.05, 0.01))
    assert -0.6 < fitted.tail_shape < -0.3
    assert fitted.threshold(1e-4) == pytest.approx(np.quantile(nontargets, 1 - 1e-4), abs=0.01)
    assert fitted.threshold(1e-12) < 0.65


def test_alike_trials_of_few_pairs_make_the_tail_longer(rng: np.random.Generator) -> None:
    few = dataclasses.replace(gaussian_scores(rng), nontarget_pairs=np.arange(50_000) % 500, n_pairs=500)
    many = dataclasses.replace(few, nontarget_pairs=None)
    rates = (0.05, 0.01)
    assert fit_cell(few, rates=rates).threshold(1e-4) > fit_cell(many, rates=rates).threshold(1e-4)


@pytest.mark.parametrize("shape", ["gaussian", "exponential", "cosines of random directions"])
@pytest.mark.parametrize("p_fa", [1e-4, 1e-5])
def test_extrapolated_rates_are_kept_by_tails_up_to_exponential(
    rng: np.random.Generator, shape: str, p_fa: float
) -> None:
    draws: dict[str, Callable[[int], NDArray[np.float64]]] = {
        "gaussian": lambda n: rng.normal(0.1, 0.1, n),
        "exponential": lambda n: rng.exponential(0.1, n),
        "cosines of random directions": lambda n: normalize(rng.normal(size=(n, 6)))[:, 0].astype(float),
    }
    draw = draws[shape]
    fitted = fit_cell(scores(rng.normal(2.0, 0.1, 100), draw(50_000)))
    strangers = draw(1_000_000)
    assert np.mean(strangers >= fitted.threshold(p_fa)) <= p_fa * 1.5


def test_llr_of_gaussian_scores_is_the_true_one() -> None:
    # Equal-variance Gaussians: llr = (m1 - m0) (s - (m1 + m0) / 2) / sd^2 = 40 s - 12.
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / 4000) for i in range(4000)])
    fitted = fit_cell(scores(0.5 + 0.1 * quantiles, 0.1 + 0.1 * quantiles))
    assert fitted.slope == pytest.approx(40.0, rel=0.03)
    assert fitted.offset == pytest.approx(-12.0, rel=0.03)
    assert fitted.eer == pytest.approx(1.0 - NormalDist().cdf(2.0), abs=1e-3)
    assert fitted.eer_threshold == pytest.approx(0.3, abs=1e-3)


def test_scores_without_overlap_still_give_finite_ratios() -> None:
    fitted = fit_cell(scores(np.linspace(0.6, 0.7, 50), np.linspace(0.0, 0.3, 1000)))
    assert fitted.eer == 0.0
    assert 0.0 < fitted.slope < 1000.0
    assert fitted.slope * 0.65 + fitted.offset > 3.0


def test_all_equal_high_nontargets_still_give_rising_thresholds() -> None:
    fitted = fit_cell(scores(np.linspace(0.5, 0.9, 50), np.concatenate([np.zeros(50), np.full(50, 0.4)])))
    thresholds = [fitted.threshold(p) for p in (0.1, 0.01, 1e-3, 1e-6)]
    assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_speakers": 4}, "4 speakers are too few"),
        ({"targets": np.ones(14)}, "14 target trials are too few"),
        ({"nontargets": np.zeros(59)}, "59 nontarget trials are too few"),
        ({"n_pairs": 5}, "5 speaker pairs measure none of the rates"),
        ({"targets": np.full(500, np.nan)}, "must be finite"),
        ({"targets": np.linspace(-1.0, -0.5, 20)}, "do not score higher"),
    ],
)
def test_scores_that_cannot_calibrate_are_refused(
    rng: np.random.Generator, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit_calibration([dataclasses.replace(gaussian_scores(rng), **wrong)])


@pytest.mark.parametrize("rates", [(), (0.01, 0.05), (1.0, 0.5), (0.1, 0.0)])
def test_rates_must_fall_within_bounds(rng: np.random.Generator, rates: tuple[float, ...]) -> None:
    with pytest.raises(CalibrationError, match="they must fall, above 0 and below 1"):
        fit_cell(gaussian_scores(rng), rates=rates)


def test_cell_scores_count_speakers_and_pairs() -> None:
    trials = SpeakerTrials(
        scores=np.array([0.9, 0.1, 0.2, 0.3, 0.8]),
        enroll=np.array(["a", "a", "b", "a", "c"]),
        test=np.array(["a", "b", "a", "c", "c"]),
    )
    counted = CellScores.from_trials(trials, n_enroll=3, seconds=1.5)
    assert counted.targets.tolist() == [0.9, 0.8]
    assert counted.nontargets.tolist() == [0.1, 0.2, 0.3]
    assert (counted.n_speakers, counted.n_pairs, counted.n_enroll, counted.seconds) == (3, 2, 3, 1.5)


def test_the_fingerprint_is_of_the_scores_whatever_their_order(rng: np.random.Generator) -> None:
    first, second = gaussian_scores(rng), gaussian_scores(rng, n_enroll=3)
    shuffled = dataclasses.replace(first, targets=first.targets[::-1])
    changed = dataclasses.replace(first, targets=first.targets + 1e-9)
    fitted = fit_calibration([first, second])
    assert fit_calibration([second, shuffled]).fingerprint == fitted.fingerprint
    assert fit_calibration([changed, second]).fingerprint != fitted.fingerprint
    assert fit_calibration([first], fingerprint=ANY_SHA256).fingerprint == ANY_SHA256


def test_a_grid_with_a_hole_is_refused(rng: np.random.Generator) -> None:
    shapes = [(1, 1.0), (1, 2.0), (3, 1.0)]
    with pytest.raises(CalibrationError, match="exactly once, got 3 cells"):
        fit_calibration([gaussian_scores(rng, n_enroll=n, seconds=seconds) for n, seconds in shapes])


def test_strangers_are_named_at_most_at_the_asked_rate(rng: np.random.Generator) -> None:
    """A stranger compared with N voiceprints at far / N each is given any name at most far of the time."""
    voices = normalize(rng.normal(size=(300, 24)))
    clips = normalize(voices[:, None] + rng.normal(0.0, 0.12, size=(300, 6, 24)))
    development, held_out = clips[:150], clips[150:]
    matrix = cosine_matrix(centroid(development[:, :3]), development[:, 3:].reshape(-1, 24))
    enroll, test = np.indices(matrix.shape)
    trials = SpeakerTrials(scores=matrix.ravel(), enroll=enroll.ravel(), test=(test // 3).ravel())
    fitted = fit_calibration([CellScores.from_trials(trials, n_enroll=3, seconds=2.0)])
    threshold = fitted.threshold(p_fa=0.05 / 20, n_enroll=3, seconds=2.0)
    named = [
        cosine_matrix(centroid(held_out[people[:20], :3]), held_out[people[20:], 3:].reshape(-1, 24)).max(
            axis=0
        )
        >= threshold
        for people in (rng.permutation(150) for _ in range(40))
    ]
    assert 0.01 < np.mean(named) <= 0.1


# The grid


def test_thresholds_between_cells_are_linear_in_the_logarithms() -> None:
    fitted = grid()
    assert fitted.threshold(p_fa=0.01, n_enroll=1, seconds=1.0) == pytest.approx(0.4)
    assert fitted.threshold(p_fa=0.01, n_enroll=1, seconds=2.0) == pytest.approx(0.42)
    assert fitted.threshold(p_fa=0.01, n_enroll=2, seconds=1.0) == pytest.approx(0.45)
    assert fitted.threshold(p_fa=0.01, n_enroll=2, seconds=2.0) == pytest.approx(0.47)
    assert fitted.threshold(n_enroll=2, seconds=2.0) == pytest.approx(0.32)


def test_outside_the_grid_the_nearest_cell_speaks() -> None:
    fitted = grid()
    inside = fitted.threshold(p_fa=0.01, n_enroll=4, seconds=4.0)
    assert fitted.threshold(p_fa=0.01, n_enroll=50, seconds=60.0) == inside
    assert fitted.threshold(p_fa=0.01, n_enroll=1, seconds=0.3) == pytest.approx(0.4)


def test_thresholds_between_rates_lie_on_the_normal_deviate_scale() -> None:
    deviate = NormalDist().inv_cdf
    middle = NormalDist().cdf((deviate(0.05) + deviate(0.01)) / 2.0)
    assert cell().threshold(middle) == pytest.approx(0.35)


def test_thresholds_past_the_points() -> None:
    assert cell().threshold(0.001 / math.e) == pytest.approx(0.55)
    assert cell().threshold(0.2) == 0.3


def test_llr_is_interpolated_too() -> None:
    fitted = grid()
    assert fitted.llr(0.5, n_enroll=1, seconds=1.0) == pytest.approx(10.0 * 0.5 - 4.0)
    assert fitted.llr(0.5, n_enroll=2, seconds=2.0) == pytest.approx(13.0 * 0.5 - 4.0)
    np.testing.assert_allclose(fitted.llrs([0.4, 0.5], n_enroll=1, seconds=1.0), [0.0, 1.0], atol=1e-12)


def test_resolves_only_what_was_measured() -> None:
    fitted = grid()
    assert fitted.resolves(0.01, n_enroll=2, seconds=2.0)
    assert not fitted.resolves(0.009, n_enroll=2, seconds=2.0)
    assert not fitted.resolves(0.01, n_enroll=2, seconds=0.5)
    assert fitted.resolves(0.01, n_enroll=20, seconds=20.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p_fa": 0.0, "n_enroll": 1, "seconds": 1.0}, "false-accept rate is 0.0"),
        ({"p_fa": 1.0, "n_enroll": 1, "seconds": 1.0}, "false-accept rate is 1.0"),
        ({"p_fa": math.nan, "n_enroll": 1, "seconds": 1.0}, "false-accept rate is nan"),
        ({"n_enroll": 0, "seconds": 1.0}, "n_enroll is 0"),
        ({"n_enroll": 1, "seconds": 0.0}, "seconds 0.0"),
        ({"n_enroll": 1, "seconds": math.inf}, "seconds inf"),
    ],
)
def test_questions_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        grid().threshold(**arguments)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_llr_of_no_score_is_refused(score: float) -> None:
    with pytest.raises(CalibrationError, match="must be finite"):
        grid().llr(score, n_enroll=1, seconds=1.0)


def test_a_cell_is_found_or_named_as_missing() -> None:
    assert grid().cell(n_enroll=4, seconds=1.0).slope == 14.0
    with pytest.raises(CalibrationError, match="no calibration cell of 2 clips and 1 s"):
        grid().cell(n_enroll=2, seconds=1.0)


# The card


def as_toml(data: dict[str, Any]) -> str:
    """Write what `to_dict` gives as TOML; its values are numbers, strings, booleans and lists of these."""

    def value(item: object) -> str:
        if isinstance(item, list):
            return f"[{', '.join(map(value, item))}]"
        return str(item).lower() if isinstance(item, bool) else repr(item)

    lines = [f"{key} = {value(item)}" for key, item in data.items() if key != "cells"]
    for table in data["cells"]:
        lines += ["[[cells]]", *(f"{key} = {value(item)}" for key, item in table.items())]
    return "\n".join(lines)


def test_the_card_gives_back_an_equal_calibration(rng: np.random.Generator) -> None:
    fitted = fit_calibration([gaussian_scores(rng, n_enroll=n) for n in (1, 3)])
    assert Calibration.from_dict(tomllib.loads(as_toml(fitted.to_dict()))) == fitted


def damaged(**changes: object) -> dict[str, Any]:
    data = grid().to_dict()
    data["cells"][1].update(changes)
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"missing keys \['cells', 'fingerprint', 'p_target'\]"),
        (grid().to_dict() | {"extra": 1}, r"unknown keys \['extra'\]"),
        (grid().to_dict() | {"cells": []}, "got 0 cells"),
        (grid().to_dict() | {"cells": "none"}, "cells is 'none'; it must be a list"),
        (grid().to_dict() | {"cells": [3]}, "cell 1 is 3; it must be a table"),
        (grid().to_dict() | {"cells": grid().to_dict()["cells"] * 2}, "exactly once, got 8 cells"),
        (grid().to_dict() | {"p_target": 1}, "p_target is 1.0"),
        (grid().to_dict() | {"p_target": True}, "p_target is True; it must be a number"),
        (grid().to_dict() | {"fingerprint": "abc"}, "fingerprint is 'abc'"),
        (grid().to_dict() | {"fingerprint": 7}, "fingerprint is 7; it must be a string"),
        (damaged(slope=0.0), "cell of 1 clips and 4 s: slope is 0.0; it must be above 0"),
        (damaged(slope="steep"), "cell 2: slope is 'steep'; it must be a number"),
        (damaged(slope=math.nan), "slope is nan"),
        (damaged(offset=math.inf), "offset is inf; it must be finite"),
        (damaged(tail=-1.0), "tail is -1.0"),
        (damaged(eer=1.5), "eer is 1.5; it must be from 0 to 1"),
        (damaged(n_target=0), "n_target is 0"),
        (damaged(n_target=10.5), "n_target is 10.5; it must be a whole number"),
        (damaged(p_fa=[0.05, 0.01]), "differ in length"),
        (damaged(p_fa=[0.01, 0.05, 0.001]), "thresholds must rise as rates fall"),
        (damaged(threshold=[0.5, 0.4, 0.3]), "thresholds must rise as rates fall"),
        (damaged(threshold=[0.1, 0.2, math.nan]), "out of range"),
        (damaged(p_miss=[0.1, 0.2, 2.0]), "out of range"),
        (damaged(resolved=[1, 1, 1]), "resolved is 1; it must be true or false"),
        (damaged(p_fa=[], p_miss=[], threshold=[], resolved=[]), "there are no thresholds"),
    ],
)
def test_a_damaged_card_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibration.from_dict(data)


# Isotonic steps on a card


def stepped() -> Calibration:
    """A grid of one cell, whose ratio is -2 below 0.2, 0 from there and 3 from 0.6."""
    made = replace(cell(), step_scores=(-0.1, 0.2, 0.6), step_llrs=(-2.0, 0.0, 3.0))
    return Calibration(cells=(made,), p_target=0.5, fingerprint=ANY_SHA256)


def test_steps_stand_instead_of_the_line() -> None:
    ratios = stepped().llrs([-0.9, 0.1, 0.2, 0.59, 0.6, 1.0], n_enroll=1, seconds=1.0)
    np.testing.assert_array_equal(ratios, [-2.0, -2.0, 0.0, 0.0, 3.0, 3.0])
    assert Calibration.from_dict(tomllib.loads(tomli_w.dumps(stepped().to_dict()))) == stepped()


def test_the_score_of_a_ratio_is_found_on_a_line_and_on_steps() -> None:
    shape = {"n_enroll": 1, "seconds": 1.0}
    assert grid().scores_at(1.0, **shape) == pytest.approx(0.5)  # 10 s - 4
    assert [stepped().scores_at(llr, **shape) for llr in (-5.0, -1.0, 0.0, 3.0)] == [-0.1, 0.2, 0.2, 0.6]
    assert 1.0 < stepped().scores_at(3.1, **shape) < 1.0 + 1e-9  # beyond every cosine


def test_isotonic_ratios_are_as_good_as_any_and_leave_thresholds_alone(rng: np.random.Generator) -> None:
    fitted = gaussian_scores(rng)
    line, steps = (fit_calibration([fitted], method=method) for method in ("logistic", "isotonic"))
    assert line.threshold(p_fa=0.01, n_enroll=1, seconds=2.0) == steps.threshold(
        p_fa=0.01, n_enroll=1, seconds=2.0
    )
    targets, nontargets = (
        steps.llrs(scores, n_enroll=1, seconds=2.0) for scores in (fitted.targets, fitted.nontargets)
    )
    found = cllr(targets, nontargets)
    lowest = min_cllr(det_curve(fitted.targets, fitted.nontargets))
    assert lowest <= found < lowest + 0.002  # the ends are bounded


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step_scores": (0.1,)}, "1 steps have 0 ratios"),
        ({"step_scores": (0.2, 0.1), "step_llrs": (0.0, 1.0)}, "step_scores must be finite and never fall"),
        ({"step_scores": (0.1,), "step_llrs": (math.inf,)}, "step_llrs must be finite"),
    ],
)
def test_damaged_steps_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        replace(cell(), **wrong)
