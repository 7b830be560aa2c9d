"""Error rates of groups of people, of lengths of clips, and under conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.conditions import CONDITIONS
from voiceprint.calibration import Decider
from voiceprint.corpus import Corpus
from voiceprint.errors import TrialError
from voiceprint.evaluation.embedding import EmbeddedClips, Length
from voiceprint.evaluation.report import speaker_trials
from voiceprint.evaluation.results import GroupRow, LengthRow
from voiceprint.evaluation.scores import as_test, score_apart
from voiceprint.evaluation.verification import (
    ScoredSet,
    eer_interval,
    measure_decision,
)
from voiceprint.metrics import FEWEST_SPEAKERS, SpeakerTrials
from voiceprint.trials import TrialList

AGE_GROUPS = (("under 13", 0, 12), ("13 to 17", 13, 17), ("18 and over", 18, 200))
"""Name, youngest and oldest in years."""

RATE = 0.01
"""The false-accept rate at which groups are compared."""

_REPETITIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerFacts:
    """Facts about the speakers and sessions of a corpus.

    Parameters
    ----------
    speakers, sessions : mapping of str to str
        By clip; sessions are empty where unknown.
    genders, ages : mapping of str to str
        By speaker: gender, and the name of an age group; empty where unknown.
    """

    speakers: Mapping[str, str]
    sessions: Mapping[str, str]
    genders: Mapping[str, str]
    ages: Mapping[str, str]

    @classmethod
    def of(cls, corpus: Corpus) -> SpeakerFacts:
        """Collect them."""
        return cls(
            speakers={u.id: u.speaker_id for u in corpus},
            sessions={u.id: u.session_id for u in corpus},
            genders={u.speaker_id: u.gender for u in corpus},
            ages={u.speaker_id: _age_group(u.age) for u in corpus},
        )


def measure_groups(found: ScoredSet, facts: SpeakerFacts, *, seed: int) -> tuple[GroupRow, ...]:
    """Verify within each gender and age group: impostors come from the same one, which is harder."""
    masks = [
        *_within("gender", {"f": "women", "m": "men"}, facts.genders, found.sides),
        *_within("age", {name: name for name, _, _ in AGE_GROUPS}, facts.ages, found.sides),
    ]
    return tuple(_row(kind, name, keep, found, seed=seed) for kind, name, keep in masks)


def measure_sessions(found: ScoredSet, facts: SpeakerFacts, *, seed: int) -> tuple[GroupRow, ...]:
    """Verify with a clip of the enrolled clip's session, and of another one; impostors come from everywhere.

    `found` must be of voiceprints of one clip: those of several clips mostly mix sessions.
    """
    return tuple(_row(kind, name, keep, found, seed=seed) for kind, name, keep in _sessions(found, facts))


def measure_lengths(
    trials: TrialList,
    lengths: Mapping[Length, EmbeddedClips],
    facts: SpeakerFacts,
    decider: Decider,
    *,
    seed: int,
) -> tuple[LengthRow, ...]:
    """Verify with test clips cut to each length, against voiceprints of whole clips."""
    rows = []
    for seconds, tested in lengths.items():
        found = _score(trials, lengths[None], tested, facts, decider)
        rows.append(
            LengthRow(
                seconds=seconds,
                eer=None if found is None else eer_interval(found.sides, repetitions=_REPETITIONS, seed=seed),
                decision=None if found is None else measure_decision(found, RATE, seed=seed),
                n_clips=len(tested.names),
                n_speakers=len({facts.speakers[name] for name in tested.names}),
            )
        )
    return tuple(rows)


def measure_conditions(
    trials: TrialList,
    clean: EmbeddedClips,
    conditions: Mapping[str, EmbeddedClips],
    facts: SpeakerFacts,
    decider: Decider,
    *,
    seed: int,
) -> tuple[GroupRow, ...]:
    """Verify with degraded test clips, against voiceprints of clean clips; the first row is clean."""
    rows = []
    for name, tested in {"clean": clean, **conditions}.items():
        found = _score(trials, clean, tested, facts, decider)
        if found is not None:
            kind = CONDITIONS[name].kind if name in CONDITIONS else name
            everything = np.ones(len(found.scored.scores), dtype=np.bool_)
            rows.append(_row(kind, name, everything, found, seed=seed))
    return tuple(rows)


def _score(
    trials: TrialList,
    enrolled: EmbeddedClips,
    tested: EmbeddedClips,
    facts: SpeakerFacts,
    decider: Decider,
) -> ScoredSet | None:
    if not tested.names:
        return None
    try:
        scored, clips = score_apart(trials, enrolled=enrolled, tested=tested)
    except TrialError:  # no test clip is left
        return None
    speakers = {**facts.speakers, **{as_test(clip): who for clip, who in facts.speakers.items()}}
    sides = speaker_trials(scored, speakers)
    if len(np.unique(sides.enroll == sides.test)) < 2:  # trials of one kind alone: too few long clips
        return None
    return ScoredSet(scored=scored, clips=clips, sides=sides, decider=decider)


def _row(kind: str, name: str, keep: NDArray[np.bool_], found: ScoredSet, *, seed: int) -> GroupRow:
    mine = found.sides.select(keep)
    n_speakers = len(np.unique(mine.enroll))
    eer = eer_interval(mine, repetitions=_REPETITIONS, seed=seed) if n_speakers >= FEWEST_SPEAKERS else None
    return GroupRow(
        kind=kind,
        name=name,
        eer=eer,
        decision=None if eer is None else measure_decision(found, RATE, seed=seed, keep=keep),
        n_speakers=n_speakers,
    )


def _within(
    kind: str, names: Mapping[str, str], of_speaker: Mapping[str, str], sides: SpeakerTrials
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    claimed = np.array([of_speaker[str(who)] for who in sides.enroll])
    tested = np.array([of_speaker[str(who)] for who in sides.test])
    for value, name in names.items():
        keep = (claimed == value) & (tested == value)
        if keep.any():
            yield kind, name, keep


def _sessions(found: ScoredSet, facts: SpeakerFacts) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    trials = found.scored.trials
    enrolled = [{facts.sessions[clip] for clip in model.clips} for model in trials.models]
    tested = [facts.sessions[clip] for clip in trials.tests]
    same = np.array([tested[t] in enrolled[m] for m, t in zip(trials.enroll, trials.test, strict=True)])
    known = np.array([bool(tested[t]) for t in trials.test])
    target = found.sides.is_target
    if not (known & target & ~same).any():
        return  # the corpus has no sessions, or one for each speaker
    for name, keep in (("same session", target & same), ("other session", target & ~same)):
        if keep.any():
            yield "session", name, known & (keep | ~target)


def _age_group(age: int | None) -> str:
    if age is None:
        return ""
    return next((name for name, youngest, oldest in AGE_GROUPS if youngest <= age <= oldest), "")
