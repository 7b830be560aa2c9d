import math
from collections.abc import Callable

import numpy as np
import pytest
from llreval.cllr import cllr as bosaris_cllr
from llreval.cllr import min_cllr as bosaris_min_cllr
from llreval.pav_rocch import PAV, ROCCH
from numpy.typing import ArrayLike, NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import det_curve as sklearn_det_curve
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

from voiceprint.errors import TrialError
from voiceprint.metrics import (
    DetCurve,
    act_dcf,
    auc,
    cllr,
    convex_hull,
    det_curve,
    det_points,
    eer_hull,
    eer_interpolated,
    eer_threshold,
    min_cllr,
    min_dcf,
    reliability_bins,
    tpr_at_far,
    verification_metrics,
)

Scores = NDArray[np.float64]

SEPARATED = ([0.8, 0.9], [0.1, 0.2, 0.3])
REVERSED = ([0.1, 0.2], [0.7, 0.8, 0.9])
TIED = ([0.5, 0.5], [0.5, 0.5, 0.5])
# One error of either kind: accepting 0.6 and above misses 0.4 of four and lets 0.7 of five in.
OVERLAPPING = ([0.4, 0.6, 0.8, 0.9], [0.1, 0.2, 0.3, 0.5, 0.7])


def simulated(
    rng: np.random.Generator, n_target: int = 400, n_nontarget: int = 5000, decimals: int | None = None
) -> tuple[Scores, Scores]:
    targets, nontargets = rng.normal(1.0, 1.0, n_target), rng.normal(-1.0, 1.0, n_nontarget)
    if decimals is None:
        return targets, nontargets
    return np.round(targets, decimals), np.round(nontargets, decimals)


# The curve


def test_det_curve_by_hand() -> None:
    curve = det_curve([0.4, 0.6], [0.4, 0.1])
    np.testing.assert_array_equal(curve.thresholds, [0.1, 0.4, 0.6, np.inf])
    np.testing.assert_array_equal(curve.misses, [0, 0, 1, 2])
    np.testing.assert_array_equal(curve.false_accepts, [2, 1, 0, 0])
    np.testing.assert_array_equal(curve.p_miss, [0.0, 0.0, 0.5, 1.0])
    np.testing.assert_array_equal(curve.p_fa, [1.0, 0.5, 0.0, 0.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_det_curve_counts_as_a_plain_loop_does(rng: np.random.Generator, dtype: type[np.floating]) -> None:
    targets, nontargets = (scores.astype(dtype) for scores in simulated(rng, 50, 80, decimals=1))
    curve = det_curve(targets, nontargets)
    assert curve.thresholds.dtype == dtype
    for threshold, misses, false_accepts in zip(
        curve.thresholds, curve.misses, curve.false_accepts, strict=True
    ):
        assert misses == sum(score < threshold for score in targets)
        assert false_accepts == sum(score >= threshold for score in nontargets)


def test_curve_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    targets, nontargets = simulated(rng, decimals=2)
    labels, scores = np.repeat([1, 0], [400, 5000]), np.concatenate([targets, nontargets])
    curve = det_curve(targets, nontargets)
    p_fa, p_miss, thresholds = sklearn_det_curve(labels, scores)
    place = np.searchsorted(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.p_fa[place], p_fa, atol=1e-9)
    np.testing.assert_allclose(curve.p_miss[place], p_miss, atol=1e-9)
    p_fa, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.p_fa[::-1], p_fa, atol=1e-9)
    np.testing.assert_allclose(1.0 - curve.p_miss[::-1], tpr, atol=1e-9)
    np.testing.assert_array_equal(curve.thresholds[::-1], thresholds)
    assert auc(curve) == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)


def test_hull_by_hand() -> None:
    hull = convex_hull(det_curve(*OVERLAPPING))
    np.testing.assert_array_equal(hull.misses, [0, 0, 2, 4])
    np.testing.assert_array_equal(hull.false_accepts, [5, 2, 0, 0])


@pytest.mark.parametrize("n", [30, 3000, 30_000])
def test_hull_is_below_the_curve_and_turns_one_way_only(rng: np.random.Generator, n: int) -> None:
    curve = det_curve(*simulated(rng, n, n))
    hull = convex_hull(curve)
    line = np.interp(-curve.false_accepts, -hull.false_accepts, hull.misses)
    # At p_fa = 0 the hull drops straight down, where np.interp takes the upper end.
    inside = curve.false_accepts > 0
    assert np.all(line[inside] <= curve.misses[inside] + 1e-6)
    dx, dy = -np.diff(hull.false_accepts), np.diff(hull.misses)
    assert np.all(dx[:-1] * dy[1:] > dy[:-1] * dx[1:])


def test_det_points_keep_the_shape_in_few_points(rng: np.random.Generator) -> None:
    curve = det_curve(*simulated(rng, 4000, 50_000))
    drawn = det_points(curve, limit=200)
    assert len(drawn.thresholds) <= 200
    assert (drawn.p_fa[0], drawn.p_miss[0], drawn.p_fa[-1], drawn.p_miss[-1]) == (1.0, 0.0, 0.0, 1.0)
    kept = np.interp(curve.p_fa[::-1], drawn.p_fa[::-1], drawn.p_miss[::-1])[::-1]
    assert np.max(np.abs(kept - curve.p_miss)[curve.p_fa > 1e-3]) < 0.02


# Hand-made cases


@pytest.mark.parametrize(
    ("scores", "interpolated", "hull", "area", "bits"),
    [
        (SEPARATED, 0.0, 0.0, 1.0, 0.0),
        (REVERSED, 1.0, 0.5, 0.0, 1.0),
        (TIED, 0.5, 0.5, 0.5, 1.0),
    ],
)
def test_extreme_cases(
    scores: tuple[list[float], list[float]], interpolated: float, hull: float, area: float, bits: float
) -> None:
    curve = det_curve(*scores)
    assert eer_interpolated(curve) == interpolated
    assert eer_hull(curve) == hull
    assert auc(curve) == area
    assert min_cllr(curve) == pytest.approx(bits)
    assert min_dcf(curve, p_target=0.5) == pytest.approx(2.0 * hull)


def test_overlapping_case_by_hand() -> None:
    curve = det_curve(*OVERLAPPING)
    # Points (p_fa, p_miss) (0.4, 0.25), (0.2, 0.25): the level stretch crosses the diagonal at 0.25.
    assert eer_interpolated(curve) == pytest.approx(0.25)
    # Hull from (0.4, 0) to (0, 0.5): x = 0.5 - 1.25 x at 2 / 9.
    assert eer_hull(curve) == pytest.approx(2.0 / 9.0)
    # 17 of 20 pairs are in the right order.
    assert auc(curve) == pytest.approx(17.0 / 20.0)
    # Costs 1 at P 0.5: the best is p_fa 0.4 with p_miss 0.
    assert min_dcf(curve, p_target=0.5) == pytest.approx(0.4)


def test_eer_threshold_is_where_the_errors_are_closest() -> None:
    assert eer_threshold(det_curve(*OVERLAPPING)) == 0.6
    assert eer_threshold(det_curve(*SEPARATED)) == 0.8
    assert eer_threshold(det_curve(*TIED)) == 0.5
    assert math.isfinite(eer_threshold(det_curve(*REVERSED)))


def test_hull_eer_is_the_worst_best_error_over_all_priors(rng: np.random.Generator) -> None:
    curve = det_curve(*simulated(rng, 100, 300))
    priors = np.linspace(0.0, 1.0, 4001)[:, None]
    best = np.min(priors * curve.p_miss + (1.0 - priors) * curve.p_fa, axis=1)
    assert eer_hull(curve) == pytest.approx(best.max(), abs=1e-3)


def test_min_dcf_weighs_prior_and_costs() -> None:
    curve = det_curve(*OVERLAPPING)
    # P 0.01: accept nothing but 0.8 and above: (0.01 * 0.5) / 0.01.
    assert min_dcf(curve, p_target=0.01) == pytest.approx(0.5)
    # Ten times dearer misses at P 0.5: 0.4 * 0.5 / 0.5 beats any miss.
    assert min_dcf(curve, p_target=0.5, c_miss=10.0) == pytest.approx(0.4)
    assert min_dcf(curve, p_target=0.5, c_fa=99.0) == pytest.approx(min_dcf(curve, p_target=0.01))


def test_act_dcf_by_hand() -> None:
    # Accept if llr >= log(1) = 0: one miss of two, one false accept of four, at equality.
    assert act_dcf([-0.1, 3.0], [0.0, -1.0, -2.0, -3.0], p_target=0.5) == pytest.approx(0.5 + 0.25)
    # log(99) = 4.6: both targets missed.
    assert act_dcf([-0.1, 3.0], [0.0, -1.0, -2.0, -3.0], p_target=0.01) == pytest.approx(1.0)


def test_cllr_by_hand() -> None:
    assert cllr([0.0, 0.0], [0.0]) == pytest.approx(1.0)
    assert cllr([np.inf], [-np.inf]) == 0.0
    assert cllr([-np.inf], [-1.0]) == np.inf
    # Targets at odds 3: log2(4 / 3); nontargets at odds 1: 1 bit.
    assert cllr([math.log(3.0)], [0.0]) == pytest.approx((math.log2(4.0 / 3.0) + 1.0) / 2.0)


def test_cllr_is_the_balanced_log_loss_in_bits(rng: np.random.Generator) -> None:
    targets, nontargets = simulated(rng)
    posterior = 1.0 / (1.0 + np.exp(-np.concatenate([targets, nontargets])))
    weight = np.repeat([0.5 / 400, 0.5 / 5000], [400, 5000])
    expected = log_loss(np.repeat([1, 0], [400, 5000]), posterior, sample_weight=weight) / math.log(2.0)
    assert cllr(targets, nontargets) == pytest.approx(expected, abs=1e-9)


def test_min_cllr_is_that_of_isotonic_regression(rng: np.random.Generator) -> None:
    targets, nontargets = simulated(rng, decimals=1)
    scores, labels = np.concatenate([targets, nontargets]), np.repeat([1.0, 0.0], [400, 5000])
    weight = np.repeat([0.5 / 400, 0.5 / 5000], [400, 5000])
    posterior = IsotonicRegression().fit(scores, labels, sample_weight=weight).predict(scores)
    right = np.where(labels == 1.0, posterior, 1.0 - posterior)
    assert min_cllr(det_curve(targets, nontargets)) == pytest.approx(-(weight @ np.log2(right)), abs=1e-9)


def test_tpr_at_far_by_hand() -> None:
    half, fifth, tenth = tpr_at_far(det_curve(*OVERLAPPING), [0.5, 0.2, 0.1])
    # Two of five false accepts are within 0.5, one within 0.2, none within 0.1.
    assert (half.tpr, half.threshold) == (1.0, 0.4)
    assert (fifth.tpr, fifth.threshold) == (0.75, 0.6)
    assert (tenth.tpr, tenth.threshold) == (0.5, 0.8)
    assert not half.resolved


def test_tpr_at_far_does_not_lose_a_trial_to_rounding() -> None:
    # 0.29 * 100 is 28.999999999999996 in floating point.
    (rate,) = tpr_at_far(det_curve([71.0], np.arange(100.0)), [0.29])
    assert (rate.tpr, rate.threshold) == (1.0, 71.0)


@pytest.mark.parametrize(("n_nontarget", "resolved"), [(2999, False), (3000, True)])
def test_a_rate_is_resolved_by_thirty_expected_false_accepts(n_nontarget: int, resolved: bool) -> None:
    (rate,) = tpr_at_far(det_curve([1.0], np.zeros(n_nontarget)), [0.01])
    assert rate.resolved is resolved


def test_reliability_by_hand() -> None:
    targets, nontargets = [2.0] * 30 + [-1.0] * 10, [-1.0] * 50 + [2.0] * 10
    bins = reliability_bins(np.array(targets), np.array(nontargets))
    assert [(each.n_target, each.n_nontarget) for each in bins] == [(10, 50), (30, 10)]
    assert [each.llr for each in bins] == pytest.approx([-1.0, 2.0])
    # A ratio of 2 is seen in 30 of 40 targets and 10 of 60 nontargets.
    assert bins[1].observed == pytest.approx(math.log((30 / 40) / (10 / 60)))


def test_reliability_of_true_ratios_is_on_the_diagonal(rng: np.random.Generator) -> None:
    # Unit-variance Gaussians at +1 and -1: the log-likelihood ratio of score s is 2 s.
    targets, nontargets = simulated(rng, 200_000, 200_000)
    for bin_ in reliability_bins(2.0 * targets, 2.0 * nontargets):
        assert bin_.observed == pytest.approx(bin_.llr, abs=0.1 * max(1.0, abs(bin_.llr)))


# The summary


def test_summary_holds_each_measure(rng: np.random.Generator) -> None:
    targets, nontargets = simulated(rng)
    curve = det_curve(targets, nontargets)
    summary = verification_metrics(
        targets, nontargets, target_llrs=2.0 * targets, nontarget_llrs=2.0 * nontargets
    )
    assert (summary.n_target, summary.n_nontarget) == (400, 5000)
    assert summary.eer == eer_hull(curve)
    assert summary.eer_interpolated == eer_interpolated(curve)
    assert summary.eer_threshold == eer_threshold(curve)
    assert summary.auc == pytest.approx(auc(curve))
    assert summary.cllr == cllr(2.0 * targets, 2.0 * nontargets)
    assert summary.min_cllr == min_cllr(curve)
    assert summary.tpr == tpr_at_far(curve)
    for cost in summary.costs:
        assert cost.minimum == pytest.approx(min_dcf(curve, p_target=cost.p_target))
        assert cost.actual == act_dcf(2.0 * targets, 2.0 * nontargets, p_target=cost.p_target)


def test_scores_that_are_no_ratios_have_no_actual_cost() -> None:
    summary = verification_metrics(*OVERLAPPING)
    assert summary.cllr is None
    assert [cost.actual for cost in summary.costs] == [None, None]
    with pytest.raises(TrialError, match="one kind of trial only"):
        verification_metrics(*OVERLAPPING, target_llrs=[0.0] * 4)


# Bad input


@pytest.mark.parametrize("measure", [det_curve, cllr, act_dcf, reliability_bins, verification_metrics])
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (([], [0.1]), "there are no target trials"),
        (([0.1], []), "there are no nontarget trials"),
        (([0.1, np.nan], [0.1]), "target score 1 is NaN"),
        (([0.1], [np.nan]), "nontarget score 0 is NaN"),
        (([[0.1]], [0.1]), "one row of numbers"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    measure: Callable[[ArrayLike, ArrayLike], object], scores: tuple[ArrayLike, ArrayLike], message: str
) -> None:
    with pytest.raises(TrialError, match=message):
        measure(*scores)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda curve: det_curve([np.inf], [0.1]), "target score 0 is inf; scores must be finite"),
        (lambda curve: min_dcf(curve, p_target=0.0), "p_target is 0.0"),
        (lambda curve: min_dcf(curve, c_fa=-1.0), "c_fa -1.0; both costs must be above 0"),
        (lambda curve: act_dcf([0.1], [0.1], c_miss=math.inf), "c_miss is inf"),
        (lambda curve: tpr_at_far(curve, [1.0]), "false-accept rate is 1.0"),
        (lambda curve: det_points(curve, limit=3), "with 3 points"),
    ],
)
def test_arguments_out_of_range_are_refused(call: Callable[[DetCurve], object], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        call(det_curve(*OVERLAPPING))


# Scale


def test_a_million_trials_fit_in_little_memory(rng: np.random.Generator) -> None:
    """The arrays of the curve bound the memory: no pairs of trials, no copy per threshold."""
    targets, nontargets = simulated(rng, 100_000, 900_000)
    curve = det_curve(targets, nontargets)
    assert len(curve.thresholds) == 1_000_001
    assert sum(array.nbytes for array in (curve.thresholds, curve.misses, curve.false_accepts)) < 25e6
    assert len(convex_hull(curve).thresholds) < 1000
    assert eer_hull(curve) == pytest.approx(0.158655, abs=2e-3)


# An implementation by others: PYLLR, the BOSARIS toolkit's authors' own translation into Python


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("seed", range(3))
def test_measures_agree_with_those_of_the_bosaris_authors(seed: int, decimals: int | None) -> None:
    targets, nontargets = simulated(np.random.default_rng(seed), decimals=decimals)
    curve = det_curve(targets, nontargets)
    labels = np.repeat([1, 0], [len(targets), len(nontargets)])
    pav = PAV(np.concatenate([targets, nontargets]), labels)
    hull = ROCCH(pav)
    assert eer_hull(curve) == pytest.approx(hull.EER(), abs=1e-9)
    assert min_cllr(curve) == pytest.approx(bosaris_min_cllr(pav), abs=1e-9)
    assert cllr(targets, nontargets) == pytest.approx(bosaris_cllr(targets, nontargets), abs=1e-9)
    for p_target in (0.01, 0.05, 0.5):
        bayes = hull.Bayes_error_rate(math.log(p_target / (1.0 - p_target))) / min(p_target, 1.0 - p_target)
        assert min_dcf(curve, p_target=p_target) == pytest.approx(bayes, abs=1e-9)
