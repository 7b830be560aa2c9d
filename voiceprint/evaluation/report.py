"""Scored trials to the figures that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.errors import TrialError
from voiceprint.evaluation.calibrated import CardRate
from voiceprint.html import card, grid
from voiceprint.metrics import (
    Interval,
    SpeakerTrials,
    VerificationMetrics,
    eer_hull,
    speaker_bootstrap,
    verification_metrics,
)
from voiceprint.percent import percent, percent_range
from voiceprint.trials import ScoredTrials, UnscoredTrial

EER_METHOD = "ROC convex hull"
"""How the figure printed as EER is made; ``eer_interpolated`` stands beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What a list of scored trials says about a system.

    Parameters
    ----------
    n_speakers : int or None
        Speakers in the trials, where it is known who speaks.
    unscored : tuple of UnscoredTrial
        Trials that have no score, and why; they are in no other figure.
    notes : tuple of str
        What a reader must know: what the list left out, why a figure is missing.
    """

    metrics: VerificationMetrics
    eer_method: str
    eer_interval: Interval | None
    card_rates: tuple[CardRate, ...]
    n_speakers: int | None
    n_models: int
    n_tests: int
    unscored: tuple[UnscoredTrial, ...]
    notes: tuple[str, ...]

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        measured, interval = self.metrics, self.eer_interval
        within = "" if interval is None else f" ({percent_range(interval.low, interval.high)})"
        rows = [
            (
                "the EER" if rate.promised is None else percent(rate.promised),
                percent(rate.p_fa),
                percent(rate.p_miss),
            )
            for rate in self.card_rates
        ]
        return card(
            f"EER {percent(measured.eer)}{within}",
            f"{measured.n_target} target and {measured.n_nontarget} nontarget trials",
            grid(["promised FAR", "FAR", "FRR"], rows),
            f"{len(self.unscored)} trials have no score" if self.unscored else "",
            *self.notes,
        )


def evaluate_scores(
    scored: ScoredTrials,
    *,
    llrs: NDArray[np.float64] | None = None,
    card_rates: tuple[CardRate, ...] = (),
    speakers: Mapping[str, str] | None = None,
    repetitions: int = 1000,
    seed: int = 0,
) -> EvaluationReport:
    """Measure scored trials.

    Parameters
    ----------
    llrs : NDArray of float64 (n,), optional
        Their log-likelihood ratios, as `trial_llrs` gives them: needed for Cllr and actual costs.
    card_rates : tuple of CardRate, optional
        As `measure_card` gives them.
    speakers : mapping of str to str, optional
        Who speaks in each clip: needed for the interval.
    repetitions : int
        Draws of speakers behind the interval; 0 for none.

    Raises
    ------
    TrialError
        If trials of one kind are missing, or a label contradicts `speakers`.

    Examples
    --------
    >>> from voiceprint.trials import make_trials
    >>> trials = make_trials(corpus)
    >>> scored = ScoredTrials(trials=trials, scores=np.where(trials.target, 1.0, 0.0))
    >>> report = evaluate_scores(scored)
    >>> report.metrics.eer, report.eer_interval
    (0.0, None)
    """
    check_count("repetitions", repetitions, least=0)
    check_count("seed", seed, least=0)
    target = scored.trials.target
    named = None if speakers is None else speaker_trials(scored, speakers)
    interval, no_interval = _interval(named, repetitions, seed)
    uncalibrated = ("no Cllr or actual cost: the scores are not calibrated",) if llrs is None else ()
    return EvaluationReport(
        metrics=verification_metrics(
            scored.target_scores,
            scored.nontarget_scores,
            target_llrs=None if llrs is None else llrs[target],
            nontarget_llrs=None if llrs is None else llrs[~target],
        ),
        eer_method=EER_METHOD,
        eer_interval=interval,
        card_rates=card_rates,
        n_speakers=None if named is None else len(np.union1d(named.enroll, named.test)),
        n_models=len(np.unique(scored.trials.enroll)),
        n_tests=len(np.unique(scored.trials.test)),
        unscored=scored.unscored,
        notes=(*scored.trials.left_out, *no_interval, *uncalibrated),
    )


def speaker_trials(scored: ScoredTrials, speakers: Mapping[str, str]) -> SpeakerTrials:
    """Put the speakers of either side beside the scores; TrialError if they are unknown, or deny a label."""
    trials = scored.trials
    try:
        enrolled = [{speakers[clip] for clip in model.clips} for model in trials.models]
        tested = np.array([speakers[test] for test in trials.tests])
    except KeyError as error:
        raise TrialError(f"who speaks in {error.args[0]!r}? The corpus does not have it") from error
    for model, found in zip(trials.models, enrolled, strict=True):
        if len(found) > 1:
            raise TrialError(f"model {model.name!r} has clips of several people: {', '.join(sorted(found))}")
    claimed = np.array([found.pop() for found in enrolled])
    named = SpeakerTrials(scores=scored.scores, enroll=claimed[trials.enroll], test=tested[trials.test])
    wrong = np.flatnonzero(named.is_target != trials.target)
    if len(wrong):
        trial = trials[int(wrong[0])]
        raise TrialError(
            f"{len(wrong)} labels contradict the corpus, such as {trial.enroll.name!r} against "
            f"{trial.test!r}, which is called {'target' if trial.target else 'nontarget'}"
        )
    return named


def _interval(
    named: SpeakerTrials | None, repetitions: int, seed: int
) -> tuple[Interval | None, tuple[str, ...]]:
    if named is None:
        return None, ("no interval: it needs to know who speaks (name the corpus)",)
    if repetitions == 0:
        return None, ()
    try:
        (interval,) = speaker_bootstrap(
            named, [eer_hull], generator=np.random.default_rng(seed), repetitions=repetitions
        )
    except TrialError as error:
        return None, (f"no interval: {error}",)
    return interval, ()
