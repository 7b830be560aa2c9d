"""Verification: a trial list under one model, with everything the page draws of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.evaluation.calibrated import CARD_RATES, measure_card, trial_llrs, trial_shape
from voiceprint.evaluation.embedding import EmbeddedClips
from voiceprint.evaluation.report import evaluate_scores, speaker_trials
from voiceprint.evaluation.results import DecisionRate, DetLine, Histogram, Protocol
from voiceprint.evaluation.scores import score_trials
from voiceprint.metrics import (
    FEWEST_SPEAKERS,
    DetCurve,
    Interval,
    SpeakerTrials,
    det_curve,
    det_points,
    eer_hull,
    pair_rate_interval,
    rate_interval,
    reliability_bins,
    speaker_bootstrap,
)
from voiceprint.trials import ScoredTrials, TrialList

BAND_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""False-accept rates at which the band of a DET curve is drawn."""

_DET_POINTS = 160
_HISTOGRAM_BINS = 48


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredSet:
    """Scored trials with everything known of them; `sides` has the speakers."""

    scored: ScoredTrials
    clips: EmbeddedClips
    sides: SpeakerTrials
    decider: Decider

    def accepted(self, rate: float) -> NDArray[np.bool_] | None:
        """What the model decides when asked for a false-accept rate, (n,); None without calibration."""
        if self.decider.calibration is None:
            return None
        shape = trial_shape(self.scored, self.clips)
        return self.decider.accepts(self.scored.scores, shape, OperatingPoint.far(rate))

    def llrs(self) -> NDArray[np.float64] | None:
        """Log-likelihood ratios (n,); None without calibration."""
        return trial_llrs(self.scored, self.clips, self.decider)


def score_set(
    trials: TrialList, clips: EmbeddedClips, speakers: Mapping[str, str], decider: Decider
) -> ScoredSet:
    """Score a trial list."""
    scored = score_trials(trials, clips)
    return ScoredSet(scored=scored, clips=clips, sides=speaker_trials(scored, speakers), decider=decider)


def measure_protocol(
    found: ScoredSet, speakers: Mapping[str, str], *, n_enroll: int, repetitions: int, seed: int
) -> Protocol:
    """Measure scored trials."""
    llrs = found.llrs()
    scored, target = found.scored, found.scored.trials.target
    card_rates = measure_card(scored, found.clips, found.decider)
    return Protocol(
        n_enroll=n_enroll,
        evaluation=evaluate_scores(
            scored,
            llrs=llrs,
            card_rates=card_rates,
            speakers=speakers,
            repetitions=repetitions,
            seed=seed,
        ),
        det=_det(found.sides, repetitions=min(repetitions, 200), seed=seed),
        histogram=_histogram(scored.target_scores, scored.nontarget_scores),
        decisions=tuple(
            rate for asked in CARD_RATES if (rate := measure_decision(found, asked, seed=seed)) is not None
        ),
        reliability=() if llrs is None else reliability_bins(llrs[target], llrs[~target]),
    )


def measure_decision(
    found: ScoredSet, asked: float, *, seed: int, keep: NDArray[np.bool_] | None = None
) -> DecisionRate | None:
    """Count what the model's thresholds do, on the trials to keep (n,) or all; None without calibration."""
    accepted = found.accepted(asked)
    if accepted is None:
        return None
    sides, places = found.sides, slice(None) if keep is None else keep
    counts = count_decisions(accepted[places], sides.enroll[places], sides.test[places])
    p_fa, p_miss = counts.intervals(seed=seed)
    return DecisionRate(
        asked=asked,
        p_fa=p_fa,
        p_miss=p_miss,
        false_accepts=counts.false_accepts,
        n_nontarget=counts.n_nontarget,
        misses=counts.misses,
        n_target=counts.n_target,
        resolved=_resolved(found, asked),
    )


def eer_interval(sides: SpeakerTrials, *, repetitions: int, seed: int) -> Interval | None:
    """EER and where it lies for other speakers; None for under five speakers or one kind of trial."""
    target = sides.is_target
    few = len(np.union1d(sides.enroll, sides.test)) < FEWEST_SPEAKERS
    if few or target.all() or not target.any():
        return None
    generator = np.random.default_rng(seed)
    return speaker_bootstrap(sides, [eer_hull], generator=generator, repetitions=repetitions)[0]


def _resolved(found: ScoredSet, asked: float) -> bool:
    """Whether the card has measured the rate for a voiceprint and a clip such as these mostly are."""
    fewest = min(len(model.clips) for model in found.scored.trials.models)
    seconds = float(np.median(found.clips.seconds))
    shape = TrialShape(n_enroll=fewest, seconds=seconds)
    decider = found.decider
    return decider.calibration is not None and decider.resolves(shape, OperatingPoint.far(asked))


def _det(sides: SpeakerTrials, *, repetitions: int, seed: int) -> DetLine:
    target = sides.is_target
    curve = det_points(det_curve(sides.scores[target], sides.scores[~target]), limit=_DET_POINTS)
    p_fa, p_miss = _listed(curve.p_fa), _listed(curve.p_miss)
    if len(np.union1d(sides.enroll, sides.test)) < FEWEST_SPEAKERS:
        return DetLine(p_fa=p_fa, p_miss=p_miss)
    rates = [rate for rate in BAND_RATES if rate * curve.n_nontarget >= 1.0]
    band = speaker_bootstrap(
        sides,
        [_miss_at(rate) for rate in rates],
        generator=np.random.default_rng(seed),
        repetitions=repetitions,
    )
    return DetLine(
        p_fa=p_fa,
        p_miss=p_miss,
        band_p_fa=tuple(rates),
        band_low=tuple(each.low for each in band),
        band_high=tuple(each.high for each in band),
    )


def _miss_at(rate: float) -> Callable[[DetCurve], float]:
    def p_miss(curve: DetCurve) -> float:
        # Rates fall along the curve, and np.interp wants them rising.
        return float(np.interp(rate, curve.p_fa[::-1], curve.p_miss[::-1]))

    return p_miss


def _histogram(targets: NDArray[np.float64], nontargets: NDArray[np.float64]) -> Histogram:
    both = np.concatenate([targets, nontargets])
    edges = np.linspace(both.min(), both.max() + 1e-9, _HISTOGRAM_BINS + 1)
    shares = [np.histogram(scores, edges)[0] / len(scores) for scores in (targets, nontargets)]
    return Histogram(edges=_listed(edges), target=_listed(shares[0]), nontarget=_listed(shares[1]))


def _listed(values: NDArray[np.floating]) -> tuple[float, ...]:
    # Four digits are finer than a pixel and keep the page small.
    return tuple(float(f"{value:.4g}") for value in values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecisionCounts:
    """How many trials of each pair of speakers were accepted, of how many: (s, s) each, claimed by tested."""

    accepted: NDArray[np.int64]
    trials: NDArray[np.int64]

    @property
    def false_accepts(self) -> int:
        """Nontargets accepted."""
        return int(self.accepted.sum() - self.accepted.trace())

    @property
    def n_nontarget(self) -> int:
        """Nontargets."""
        return int(self.trials.sum() - self.trials.trace())

    @property
    def misses(self) -> int:
        """Targets rejected."""
        return int(self.trials.trace() - self.accepted.trace())

    @property
    def n_target(self) -> int:
        """Targets."""
        return int(self.trials.trace())

    def intervals(self, *, seed: int) -> tuple[Interval, Interval]:
        """False-accept and miss rate, each with 95 % for other speakers like these."""
        rejected = np.diag(self.trials - self.accepted)
        return (
            pair_rate_interval(self.accepted, self.trials, generator=np.random.default_rng(seed)),
            rate_interval(rejected, np.diag(self.trials), generator=np.random.default_rng(seed)),
        )


def count_decisions(
    accepted: NDArray[np.bool_], claimed: NDArray[np.generic], tested: NDArray[np.generic]
) -> DecisionCounts:
    """Count decisions by pair of speakers.

    Parameters
    ----------
    accepted : NDArray of bool (n,)
        The decision of each trial.
    claimed, tested : NDArray (n,)
        Speaker of the voiceprint and of the clip.
    """
    names, codes = np.unique(np.concatenate([claimed, tested]), return_inverse=True)
    pair = codes[: len(claimed)] * len(names) + codes[len(claimed) :]
    shape, size = (len(names), len(names)), len(names) ** 2
    return DecisionCounts(
        accepted=np.bincount(pair, weights=accepted, minlength=size).astype(np.int64).reshape(shape),
        trials=np.bincount(pair, minlength=size).reshape(shape),
    )
