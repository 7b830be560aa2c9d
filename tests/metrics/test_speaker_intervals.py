"""Intervals over speakers, by draws written out and the rule of three."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.metrics import (
    DetCurve,
    Interval,
    SpeakerTrials,
    accuracy_interval,
    auc,
    bias_corrected,
    det_curve,
    draw_speakers,
    eer_hull,
    eer_interpolated,
    min_cllr,
    min_dcf,
    pair_rate_interval,
    rate_interval,
    speaker_bootstrap,
    speaker_draws,
)


def speaker_trials(
    rng: np.random.Generator, speakers: int, clips: int, *, dim: int = 5, noise: float = 0.2
) -> SpeakerTrials:
    """All pairs of clips of random voices, scored by cosine."""
    voices = rng.normal(size=(speakers, 1, dim))
    voices /= np.linalg.norm(voices, axis=2, keepdims=True)
    embeddings = (voices + noise * rng.normal(size=(speakers, clips, dim))).reshape(-1, dim)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    a, b = np.triu_indices(len(embeddings), 1)
    scores = np.einsum("nd,nd->n", embeddings[a], embeddings[b])
    return SpeakerTrials(scores=scores, enroll=a // clips, test=b // clips)


def literally_resampled(trials: SpeakerTrials, copies: NDArray[np.int64]) -> DetCurve:
    """Write out every trial of every copy; two copies of one speaker never meet."""
    targets: list[float] = []
    nontargets: list[float] = []
    for score, enroll, test in zip(trials.scores, trials.enroll, trials.test, strict=True):
        if enroll == test:
            targets += [score] * copies[enroll]
        else:
            nontargets += [score] * (copies[enroll] * copies[test])
    return det_curve(targets, nontargets)


@pytest.mark.parametrize("metric", [eer_hull, eer_interpolated, min_dcf, auc, min_cllr])
def test_a_draw_of_speakers_equals_the_trials_written_out(
    rng: np.random.Generator, metric: Callable[[DetCurve], float]
) -> None:
    trials = speaker_trials(rng, 8, 3)
    trials = dataclasses.replace(trials, scores=np.round(trials.scores, 2))
    copies = np.bincount(np.random.default_rng(3).integers(8, size=8), minlength=8)
    (interval,) = speaker_bootstrap(trials, [metric], generator=np.random.default_rng(3), repetitions=1)
    expected = metric(literally_resampled(trials, copies))
    assert interval.low == interval.high == pytest.approx(expected, abs=1e-12)


def test_an_interval_is_made_of_the_draws(rng: np.random.Generator) -> None:
    trials = speaker_trials(rng, 8, 3)
    drawn = speaker_draws(trials, [eer_hull, auc], generator=np.random.default_rng(3), repetitions=40)
    assert drawn.shape == (40, 2)
    curve = det_curve(trials.scores[trials.is_target], trials.scores[~trials.is_target])
    made = tuple(
        bias_corrected(metric(curve), column, level=0.9)
        for metric, column in zip([eer_hull, auc], drawn.T, strict=True)
    )
    assert made == speaker_bootstrap(
        trials, [eer_hull, auc], generator=np.random.default_rng(3), repetitions=40, level=0.9
    )


def test_the_interval_is_repeatable_and_does_not_care_how_speakers_are_called(
    rng: np.random.Generator,
) -> None:
    trials = speaker_trials(rng, 10, 3)
    named = dataclasses.replace(
        trials, enroll=np.char.mod("id%02d", trials.enroll), test=np.char.mod("id%02d", trials.test)
    )
    first, second = (
        speaker_bootstrap(kind, [eer_hull, auc], generator=np.random.default_rng(1), repetitions=50)
        for kind in (trials, named)
    )
    assert first == second
    assert all(isinstance(interval, Interval) and interval.low <= interval.high for interval in first)


def test_perfect_scores_of_few_speakers_are_not_taken_for_proof() -> None:
    enroll, test = np.triu_indices(6)
    trials = SpeakerTrials(scores=(enroll == test).astype(float), enroll=enroll, test=test)
    (interval,) = speaker_bootstrap(trials, [eer_hull], generator=np.random.default_rng(0), repetitions=20)
    assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 3 / 6)


def test_draws_are_of_as_many_speakers_as_there_are() -> None:
    copies = draw_speakers(7, generator=np.random.default_rng(0), draws=50)
    assert copies.shape == (50, 7)
    assert (copies.sum(axis=1) == 7).all()
    assert len(np.unique(copies, axis=0)) > 40


def test_a_rate_counted_by_speaker_spreads_as_speakers_do(rng: np.random.Generator) -> None:
    """Ten of twenty speakers always fail: 95 % of drawn rates lie within 0.5 +- 1.96 sqrt(0.25 / 20)."""
    interval = rate_interval(np.repeat([5, 0], 10), np.full(20, 5), generator=rng, draws=20_000)
    assert interval.value == 0.5
    half = 1.96 * np.sqrt(0.25 / 20)
    assert (interval.low, interval.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.03)


def test_whoever_had_no_chance_does_not_count(rng: np.random.Generator) -> None:
    some = rate_interval([2, 1, 0, 3, 1, 0], [4, 4, 4, 4, 4, 0], generator=np.random.default_rng(1))
    assert some == rate_interval([2, 1, 0, 3, 1], [4, 4, 4, 4, 4], generator=np.random.default_rng(1))
    with pytest.raises(TrialError, match="nothing had a chance"):
        rate_interval([0, 0], [0, 0], generator=rng)


@pytest.mark.parametrize(("events", "border"), [(0, (0.0, 0.1)), (4, (0.9, 1.0))])
def test_what_was_never_or_always_seen_follows_the_rule_of_three(
    rng: np.random.Generator, events: int, border: tuple[float, float]
) -> None:
    found = rate_interval(np.full(30, events), np.full(30, 4), generator=rng)
    assert (found.low, found.high) == pytest.approx(border)


def test_fewer_than_five_speakers_say_nothing(rng: np.random.Generator) -> None:
    found = rate_interval([1, 2, 1, 0], [4, 4, 4, 4], generator=rng)
    assert (found.value, found.low, found.high) == (0.25, 0.0, 1.0)


def test_an_interval_of_equal_speakers_has_no_width() -> None:
    found = accuracy_interval(list("aabbccddee"), np.array([1, 0] * 5), generator=np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_an_interval_of_two_speakers_says_nothing() -> None:
    found = accuracy_interval(["a", "a", "b"], np.array([1, 1, 0]), generator=np.random.default_rng(0))
    assert (found.low, found.high) == (0.0, 1.0)
    assert found.value == pytest.approx(2 / 3)


def test_a_rate_of_pairs_counts_no_speaker_against_themselves() -> None:
    """The diagonal holds target trials, which are no chances to be taken for somebody else."""
    chances = np.full((8, 8), 2)
    events = np.zeros((8, 8), dtype=int)
    events[np.diag_indices(8)] = 2
    found = pair_rate_interval(events, chances, generator=np.random.default_rng(0))
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(3 / 28)
    events[0, 1] = 1
    found = pair_rate_interval(events, chances, generator=np.random.default_rng(0))
    assert found.value == pytest.approx(1 / (2 * 56))
    assert found.low == 0.0 and found.high > found.value


def test_resampling_trials_would_be_too_narrow(rng: np.random.Generator) -> None:
    """Many clips of few speakers: the speakers set the width, not the trials."""
    few, many = (speaker_trials(np.random.default_rng(9), 8, clips, noise=0.15) for clips in (4, 12))
    width = {}
    for name, trials in (("few clips", few), ("many clips", many)):
        (interval,) = speaker_bootstrap(trials, [eer_hull], generator=rng, repetitions=200)
        width[name] = interval.high - interval.low
    # Nine times the trials would shrink an interval over trials to a third.
    assert width["many clips"] > 0.5 * width["few clips"]


def test_intervals_need_five_speakers(rng: np.random.Generator) -> None:
    with pytest.raises(TrialError, match="4 speakers are too few"):
        speaker_bootstrap(speaker_trials(rng, 4, 3), [eer_hull], generator=rng)


def test_every_trial_needs_both_speakers() -> None:
    with pytest.raises(TrialError, match="the speaker of either side"):
        SpeakerTrials(scores=np.zeros(2), enroll=np.zeros(2), test=np.zeros(3))
