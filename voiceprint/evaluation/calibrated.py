"""What a model's calibration makes of scored trials: likelihood ratios, and decisions at its thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, OperatingPoint, TrialShape
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
    resolved : bool
        Whether the card's trials were enough for every threshold used.
    """

    promised: float | None
    p_fa: float
    p_miss: float
    resolved: bool


def trial_shape(scored: ScoredTrials, clips: EmbeddedClips) -> TrialShape:
    """Return what a decision on each trial goes by.

    Parameters
    ----------
    scored : ScoredTrials
        Plain cosine scores against centroids.

    Returns
    -------
    TrialShape
        Enrollment clips, seconds of test speech and, where it was measured, SNR of each trial, (n,) each.
    """
    trials, rows = scored.trials, clips.rows
    seconds = np.array([clips.seconds[rows[t]] if t in rows else np.nan for t in trials.tests])
    return TrialShape(
        n_enroll=np.array([len(model.clips) for model in trials.models])[trials.enroll],
        seconds=seconds[trials.test],
        snr_db=trial_snr(scored, clips),
    )


def trial_llrs(scored: ScoredTrials, clips: EmbeddedClips, decider: Decider) -> NDArray[np.float64] | None:
    """Turn scores into log-likelihood ratios, as ``verify`` does.

    Parameters
    ----------
    scored, clips
        As for `trial_shape`.

    Returns
    -------
    NDArray of float64 (n,) or None
        Natural-log ratios; None where the model has no calibration.
    """
    return decider.llrs(scored.scores, trial_shape(scored, clips))


def measure_card(
    scored: ScoredTrials,
    clips: EmbeddedClips,
    decider: Decider,
    *,
    rates: Sequence[float | None] = (None, *CARD_RATES),
) -> tuple[CardRate, ...]:
    """Decide every trial at the thresholds that ``verify`` uses, and count the errors.

    Parameters
    ----------
    scored, clips, decider
        As for `trial_llrs`; there must be trials of both kinds.
    rates : sequence of float or None
        False-accept rates to ask the card for; None is its equal error rate.

    Returns
    -------
    tuple of CardRate
        Empty where the model has no calibration.
    """
    if decider.calibration is None:
        return ()
    shape, target = trial_shape(scored, clips), scored.trials.target
    found = []
    for rate in rates:
        point = OperatingPoint.eer() if rate is None else OperatingPoint.far(rate)
        accepted = decider.accepts(scored.scores, shape, point)
        found.append(
            CardRate(
                promised=rate,
                p_fa=float(accepted[~target].mean()),
                p_miss=float(1.0 - accepted[target].mean()),
                resolved=decider.resolves(shape, point),
            )
        )
    return tuple(found)


def trial_snr(scored: ScoredTrials, clips: EmbeddedClips) -> NDArray[np.float64] | None:
    """Signal-to-noise ratio of the test clip of each trial (n,), NaN where unknown; None if not measured."""
    if clips.snr_db is None:
        return None
    rows = clips.rows
    of_test = np.array([clips.snr_db[rows[t]] if t in rows else np.nan for t in scored.trials.tests])
    found: NDArray[np.float64] = of_test[scored.trials.test]
    return found
