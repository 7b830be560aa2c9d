"""Fits the thresholds of one store to the people who are enrolled in it.

With other people enrolled,
each clip can be scored against the centroid of the *other* clips of its person, and against everybody else.
The result differs from the card's promise by a shift of the scores. The end of the shift's interval that is
nearest to 0 is stored in a file of the store, and added to every threshold of the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import DEFAULT_FAR, Calibration, Decider, OperatingPoint, TrialShape
from voiceprint.calibration.fitting import FITTED_RATES
from voiceprint.engine.tuning import StoreTuning
from voiceprint.errors import TooFewTrialsError
from voiceprint.metrics import FEWEST_SPEAKERS, LEVEL, RULE_OF_THIRTY, draw_speakers
from voiceprint.scoring import centroid, cosine, cosine_matrix
from voiceprint.store import EnrolledUtterance, EnrollmentStore

__all__ = ["FEWEST_CLIPS", "fit_tuning"]

FEWEST_CLIPS = 3
"""Clips that a person needs to take part."""

_DRAWS = 1000
_RULE_OF_THREE = 3.0


def fit_tuning(
    store: EnrollmentStore, calibration: Calibration, *, model_id: str, seed: int = 0
) -> StoreTuning:
    """Fit a store's shift by leaving each clip out once.

    Parameters
    ----------
    model_id : str
        The model of the store's voiceprints.
    seed : int
        Of the draws of people behind the interval.

    Returns
    -------
    StoreTuning
        Not yet written: `write_tuning` does that.

    Raises
    ------
    TooFewTrialsError
        If fewer than five people have three clips or more, and recordings that nobody shares.
    """
    mine = [person.name for person in store.everybody() if person.model_id == model_id]
    people = [store.utterances(name) for name in mine]
    able = [clips for clips in _without_copies(people) if len(clips) >= FEWEST_CLIPS]
    if len(able) < FEWEST_SPEAKERS:
        raise TooFewTrialsError(
            f"{store.path}: {len(able)} of {len(people)} people have {FEWEST_CLIPS} clips or more; at least "
            f"{FEWEST_SPEAKERS} are needed to tune thresholds, each with recordings that nobody shares. The "
            "model's thresholds stay in force"
        )
    trials = _leave_one_out(able)
    rate = trials.lowest_rate()
    card = Decider(calibration=calibration)
    margins = trials.margins(card, rate)
    low, high = np.quantile(_shifts(trials, margins, rate, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    estimate = _quantile(margins[~trials.target], rate, np.ones(int((~trials.target).sum())))
    shift = float(min(max(0.0, low), high))
    strict = trials.margins(card, DEFAULT_FAR)[trials.target]
    return StoreTuning(
        model_id=model_id,
        calibration=calibration.fingerprint,
        shift=shift,
        estimate=estimate,
        low=float(low),
        high=float(high),
        rate=rate,
        found=float(np.mean(margins[~trials.target] >= 0.0)),
        misses=float(np.mean(strict < 0.0)),
        misses_tuned=float(np.mean(strict < shift)),
        n_people=len(able),
        n_clips=sum(map(len, able)),
        left_out=len(people) - len(able),
        generation=store.generation,
    )


def _without_copies(people: Sequence[Sequence[EnrolledUtterance]]) -> list[Sequence[EnrolledUtterance]]:
    """Leave out whoever shares a recording with somebody before them: that is one voice under two names.

    Their clips would count as impostors of each other, and move the threshold beyond every right person.
    """
    seen: set[str] = set()
    apart = []
    for utterances in people:
        recordings = {utterance.clip_sha256 for utterance in utterances}
        if not recordings & seen:
            apart.append(utterances)
        seen |= recordings
    return apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trials:
    """Every clip against every person: who is claimed, who speaks, and the shape of the trials; (n,) each."""

    scores: NDArray[np.float64]
    claimed: NDArray[np.int64]
    tested: NDArray[np.int64]
    shape: TrialShape

    @property
    def target(self) -> NDArray[np.bool_]:
        return np.asarray(self.claimed == self.tested, dtype=np.bool_)

    def lowest_rate(self) -> float:
        """The lowest rate that can be measured: 30 false accepts expected, and from 3 pairs of people."""
        size = int(self.claimed.max()) + 1
        pairs, nontargets = size * (size - 1) / 2, int((~self.target).sum())
        return min(
            (
                rate
                for rate in FITTED_RATES
                if rate * nontargets >= RULE_OF_THIRTY and rate * pairs >= _RULE_OF_THREE
            ),
            default=max(FITTED_RATES),
        )

    def margins(self, card: Decider, rate: float) -> NDArray[np.float64]:
        """How far each score is above the card's threshold for a false-accept rate (n,)."""
        return self.scores - card.thresholds(self.shape, OperatingPoint.far(rate))


def _leave_one_out(people: Sequence[Sequence[EnrolledUtterance]]) -> _Trials:
    clips = [clip for utterances in people for clip in utterances]
    embeddings = [np.stack([clip.embedding for clip in utterances]) for utterances in people]
    everything, counts = np.concatenate(embeddings), [len(utterances) for utterances in people]
    tested = np.repeat(np.arange(len(people)), counts)
    voiceprints = np.stack([centroid(each) for each in embeddings])
    scores = cosine_matrix(everything, voiceprints).astype(np.float64)  # (clips, people)
    n_enroll = np.tile(counts, (len(everything), 1))
    for place, (who, embedding) in enumerate(zip(tested, everything, strict=True)):
        others = np.delete(embeddings[int(who)], place - int(np.searchsorted(tested, who)), axis=0)
        scores[place, who] = cosine(embedding, centroid(others))
        n_enroll[place, who] -= 1
    shape = scores.shape
    return _Trials(
        scores=scores.ravel(),
        claimed=np.broadcast_to(np.arange(shape[1]), shape).ravel(),
        tested=np.repeat(tested, shape[1]),
        shape=TrialShape(
            n_enroll=n_enroll.ravel(),
            seconds=np.repeat([clip.quality.seconds_of_speech for clip in clips], shape[1]),
            # None becomes NaN.
            snr_db=np.repeat(np.array([clip.quality.snr_db for clip in clips], dtype=np.float64), shape[1]),
        ),
    )


def _shifts(trials: _Trials, margins: NDArray[np.float64], rate: float, seed: int) -> NDArray[np.float64]:
    """Shifts (draws,) of people drawn anew with replacement; copies of one person never meet as impostors."""
    rng, other = np.random.default_rng(seed), ~trials.target
    size = int(trials.claimed.max()) + 1
    shifts: list[float] = []
    while len(shifts) < _DRAWS:
        copies = draw_speakers(size, generator=rng)[0]
        weights = (copies[trials.claimed] * copies[trials.tested])[other].astype(np.float64)
        if weights.any():
            shifts.append(_quantile(margins[other], rate, weights))
    return np.array(shifts)


def _quantile(margins: NDArray[np.float64], rate: float, weights: NDArray[np.float64]) -> float:
    """The lowest margin at or above which lies at most `rate` of the weight, or a hair above the highest."""
    order = np.argsort(margins)
    at_or_above = np.cumsum(weights[order][::-1])[::-1] / weights.sum()
    good = np.flatnonzero(at_or_above <= rate * (1.0 + 1e-12))
    return float(margins[order][good[0]]) if len(good) else float(np.nextafter(margins.max(), np.inf))
