"""What a model's calibration makes of scored trials: likelihood ratios, and decisions at its thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Calibration
from voiceprint.evaluation.embedding import EmbeddedClips
from voiceprint.trials import ScoredTrials

CARD_RATES = (0.05, 0.01, 0.001)
"""False-accept rates whose thresholds stand on a model card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRate:
    """A false-accept rate that the card promises, and what its thresholds do on other trials.

    Parameters
    ----------
    promised : float or None
        The rate; None is the card's equal error rate.
    p_fa, p_miss : float
        The rates found.
    resolved : bool
        Whether the card's own trials were enough for every threshold used.
    """

    promised: float | None
    p_fa: float
    p_miss: float
    resolved: bool


def trial_llrs(scored: ScoredTrials, clips: EmbeddedClips, calibration: Calibration) -> NDArray[np.float64]:
    """Turn scores into log-likelihood ratios, by the enrollment clips and seconds of speech of each trial.

    Parameters
    ----------
    scored : ScoredTrials
        Plain cosine scores against centroids.
    clips : EmbeddedClips
        The clips that were scored.
    calibration : Calibration
        Of the model's card.

    Returns
    -------
    NDArray of float64 (n,)
        Natural-log ratios.
    """
    scores = _shifted(scored, clips, calibration)
    llrs = np.empty(len(scores))
    for n_enroll, seconds, places in _shapes(scored, clips):
        llrs[places] = calibration.llrs(scores[places], n_enroll=n_enroll, seconds=seconds)
    return llrs


def measure_card(
    scored: ScoredTrials,
    clips: EmbeddedClips,
    calibration: Calibration,
    *,
    rates: Sequence[float | None] = (None, *CARD_RATES),
) -> tuple[CardRate, ...]:
    """Decide every trial at the thresholds that ``verify`` uses, and count the errors.

    Parameters
    ----------
    scored, clips, calibration
        As for `trial_llrs`; there must be trials of both kinds.
    rates : sequence of float or None
        False-accept rates to ask the card for; None is its equal error rate.

    Returns
    -------
    tuple of CardRate
    """
    return tuple(_measure_rate(scored, clips, calibration, rate) for rate in rates)


def decide(
    scored: ScoredTrials, clips: EmbeddedClips, calibration: Calibration, *, p_fa: float | None
) -> NDArray[np.bool_]:
    """Decide every trial at the threshold that ``verify`` uses for it.

    Parameters
    ----------
    scored, clips, calibration
        As for `trial_llrs`.
    p_fa : float or None
        The false-accept rate to ask for; None is the equal error rate.

    Returns
    -------
    NDArray of bool (n,)
        Whether each is accepted.
    """
    scores = _shifted(scored, clips, calibration)
    accepted = np.empty(len(scores), dtype=np.bool_)
    for n_enroll, seconds, places in _shapes(scored, clips):
        threshold = calibration.threshold(p_fa=p_fa, n_enroll=n_enroll, seconds=seconds)
        accepted[places] = scores[places] >= threshold
    return accepted


def _measure_rate(
    scored: ScoredTrials, clips: EmbeddedClips, calibration: Calibration, rate: float | None
) -> CardRate:
    accepted = decide(scored, clips, calibration, p_fa=rate)
    target = scored.trials.target
    return CardRate(
        promised=rate,
        p_fa=float(accepted[~target].mean()),
        p_miss=float(1.0 - accepted[target].mean()),
        resolved=rate is None
        or all(
            calibration.resolves(rate, n_enroll=n_enroll, seconds=seconds)
            for n_enroll, seconds, _ in _shapes(scored, clips)
        ),
    )


def trial_snr(scored: ScoredTrials, clips: EmbeddedClips) -> NDArray[np.float64] | None:
    """Signal-to-noise ratio of the test clip of each trial (n,), NaN where unknown; None if not measured."""
    if clips.snr_db is None:
        return None
    rows = clips.rows
    of_test = np.array([clips.snr_db[rows[t]] if t in rows else np.nan for t in scored.trials.tests])
    found: NDArray[np.float64] = of_test[scored.trials.test]
    return found


def _shifted(scored: ScoredTrials, clips: EmbeddedClips, calibration: Calibration) -> NDArray[np.float64]:
    """Scores with what the noise in the test clips adds to them, where the calibration goes by it."""
    snr_db = None if calibration.snr is None else trial_snr(scored, clips)
    if calibration.snr is None or snr_db is None:
        return scored.scores
    return scored.scores + calibration.snr.shifts(snr_db)


def _shapes(scored: ScoredTrials, clips: EmbeddedClips) -> Iterator[tuple[int, float, NDArray[np.intp]]]:
    """Yield the places of the trials that have as many enrollment clips and as much test speech."""
    trials, rows = scored.trials, clips.rows
    n_enroll = np.array([len(model.clips) for model in trials.models])[trials.enroll]
    seconds = np.array([clips.seconds[rows[t]] if t in rows else np.nan for t in trials.tests])[trials.test]
    order = np.lexsort((seconds, n_enroll))
    changes = (np.diff(n_enroll[order]) != 0) | (np.diff(seconds[order]) != 0)
    for places in np.split(order, np.flatnonzero(changes) + 1):
        yield int(n_enroll[places[0]]), float(seconds[places[0]]), places
