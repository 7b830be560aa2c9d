import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from voiceprint.metrics import (
    SpeakerTrials,
    act_dcf,
    auc,
    cllr,
    det_curve,
    eer_hull,
    eer_interpolated,
    min_cllr,
    min_dcf,
    speaker_bootstrap,
    tpr_at_far,
    verification_metrics,
)

Scores = NDArray[np.float64]

# A coarse grid of scores, so that ties are common.
SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(-20, 20).map(lambda n: n / 10.0))
PRIORS = st.sampled_from([0.01, 0.05, 0.5, 0.9])


@given(targets=SCORES, nontargets=SCORES)
def test_only_the_order_of_scores_counts(targets: Scores, nontargets: Scores) -> None:
    before = verification_metrics(targets, nontargets)
    after = verification_metrics(np.exp(targets) * 3.0 - 7.0, np.exp(nontargets) * 3.0 - 7.0)
    for name in ("eer", "eer_interpolated", "auc", "costs", "min_cllr"):
        assert getattr(before, name) == getattr(after, name)
    assert [rate.tpr for rate in before.tpr] == [rate.tpr for rate in after.tpr]


@given(targets=SCORES, nontargets=SCORES)
def test_swapping_roles_and_signs_swaps_the_errors(targets: Scores, nontargets: Scores) -> None:
    curve, mirrored = det_curve(targets, nontargets), det_curve(-nontargets, -targets)
    assert abs(eer_hull(curve) - eer_hull(mirrored)) < 1e-12
    assert abs(eer_interpolated(curve) - eer_interpolated(mirrored)) < 1e-12
    assert abs(auc(curve) - auc(mirrored)) < 1e-12
    assert abs(min_cllr(curve) - min_cllr(mirrored)) < 1e-12


@given(targets=SCORES, nontargets=SCORES, p_target=PRIORS)
def test_the_best_decision_costs_no_more_than_the_actual_or_a_blind_one(
    targets: Scores, nontargets: Scores, p_target: float
) -> None:
    lowest = min_dcf(det_curve(targets, nontargets), p_target=p_target)
    assert 0.0 <= lowest <= min(1.0, act_dcf(targets, nontargets, p_target=p_target)) + 1e-12


@given(targets=SCORES, nontargets=SCORES)
def test_no_ratios_beat_the_isotonic_ones(targets: Scores, nontargets: Scores) -> None:
    lowest = min_cllr(det_curve(targets, nontargets))
    assert 0.0 <= lowest <= min(1.0, cllr(targets, nontargets)) + 1e-12


@given(targets=SCORES, nontargets=SCORES)
def test_the_hull_never_raises_the_equal_error_rate(targets: Scores, nontargets: Scores) -> None:
    curve = det_curve(targets, nontargets)
    assert 0.0 <= eer_hull(curve) <= min(0.5, eer_interpolated(curve)) + 1e-12


@given(targets=SCORES, nontargets=SCORES, far=st.floats(1e-4, 0.999))
def test_an_accept_rate_keeps_its_promise(targets: Scores, nontargets: Scores, far: float) -> None:
    (rate,) = tpr_at_far(det_curve(targets, nontargets), [far])
    assert np.mean(nontargets >= rate.threshold) <= far * (1.0 + 1e-12)
    assert np.isclose(np.mean(targets >= rate.threshold), rate.tpr)


@given(targets=SCORES, nontargets=SCORES)
def test_area_is_the_share_of_pairs_in_the_right_order(targets: Scores, nontargets: Scores) -> None:
    difference = targets[:, None] - nontargets[None, :]
    expected = np.mean((difference > 0.0) + 0.5 * (difference == 0.0))
    assert abs(auc(det_curve(targets, nontargets)) - expected) < 1e-12


def speaker_trials(
    rng: np.random.Generator, speakers: int, clips: int = 3, *, dim: int = 5, noise: float = 0.2
) -> SpeakerTrials:
    """All pairs of clips of random voices, scored by cosine."""
    voices = rng.normal(size=(speakers, 1, dim))
    voices /= np.linalg.norm(voices, axis=2, keepdims=True)
    embeddings = (voices + noise * rng.normal(size=(speakers, clips, dim))).reshape(-1, dim)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    a, b = np.triu_indices(len(embeddings), 1)
    scores = np.einsum("nd,nd->n", embeddings[a], embeddings[b])
    return SpeakerTrials(scores=scores, enroll=a // clips, test=b // clips)


def test_intervals_cover_the_truth_nineteen_times_in_twenty() -> None:
    """Of 300 worlds of 30 speakers, 90 to 99 % have the truth in their interval of nominal 95 %."""
    world = speaker_trials(np.random.default_rng(1), 600)
    curve = det_curve(world.scores[world.is_target], world.scores[~world.is_target])
    truth = np.array([eer_hull(curve), eer_interpolated(curve)])
    covered = np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng([7, seed])
        intervals = speaker_bootstrap(
            speaker_trials(rng, 30), [eer_hull, eer_interpolated], generator=rng, repetitions=100
        )
        covered += [
            interval.low <= value <= interval.high for interval, value in zip(intervals, truth, strict=True)
        ]
    assert np.all(covered / 300 >= 0.90), covered
    assert np.all(covered / 300 <= 0.99), covered
