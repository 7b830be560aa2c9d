"""When to stop listening, and how often the decision is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.live.looks import People, Talk
from voiceprint.calibration import Decider, OperatingPoint
from voiceprint.engine.sequential import SequentialTest
from voiceprint.metrics import Interval, pair_rate_interval, rate_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What a rule decided of one talk, for everybody who may be claimed.

    Attributes
    ----------
    accepted : ndarray of bool, shape (people,)
    seconds : ndarray of shape (people,)
        Speech at the decision.
    """

    accepted: NDArray[np.bool_]
    seconds: NDArray[np.float64]


Rule = Callable[[Talk, Decider], Decisions]
"""Decides a talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a rule did.

    Attributes
    ----------
    p_fa, p_miss : Interval
        Impostors accepted, right claims rejected.
    median, p90 : float
        Seconds of speech that right claims took.
    """

    p_fa: Interval
    p_miss: Interval
    median: float
    p90: float


def sequentially(test: SequentialTest, *, latest: float, min_speech: float) -> Rule:
    """Stop when the evidence suffices, as a session does."""

    def rule(talk: Talk, decider: Decider) -> Decisions:
        last = _place(talk, latest)
        outcomes = test.outcomes(talk.scores, talk.shape, decider=decider)[: last + 1]
        outcomes[talk.seconds[: last + 1] < min_speech] = 0
        final = decider.accepts(talk.scores, talk.shape, OperatingPoint.far(test.far))[last]
        outcomes[last] = np.where(outcomes[last] == 0, np.where(final, 1, -1), outcomes[last])
        stopped = (outcomes != 0).argmax(axis=0)
        return Decisions(
            accepted=outcomes[stopped, np.arange(len(stopped))] > 0, seconds=talk.seconds[stopped]
        )

    return rule


def at_length(far: float, seconds: float) -> Rule:
    """Decide once, at a length fixed before."""

    def rule(talk: Talk, decider: Decider) -> Decisions:
        place = _place(talk, seconds)
        accepted = decider.accepts(talk.scores, talk.shape, OperatingPoint.far(far))[place]
        return Decisions(accepted=accepted, seconds=np.full(len(accepted), talk.seconds[place]))

    return rule


def while_peeking(far: float, seconds: float) -> Rule:
    """Accept at the first look above the ordinary threshold; reject at a length fixed before."""

    def rule(talk: Talk, decider: Decider) -> Decisions:
        last = _place(talk, seconds)
        reached = decider.accepts(talk.scores, talk.shape, OperatingPoint.far(far))[: last + 1]
        accepted = np.asarray(reached.any(axis=0))
        stopped = np.where(accepted, reached.argmax(axis=0), last)
        return Decisions(accepted=accepted, seconds=talk.seconds[stopped])

    return rule


def measure_rule(people: People, decider: Decider, rule: Rule, *, seed: int) -> Outcome:
    """Decide every talk against everybody, and count."""
    size = len(people.names)
    wrong, chances = np.zeros((2, size, size))
    missed, claims = np.zeros((2, size))
    needed: list[float] = []
    for talk in people.talks:
        decided, own = rule(talk, decider), talk.speaker
        others = np.arange(size) != own
        wrong[own, others] += decided.accepted[others]
        chances[own, others] += 1
        missed[own] += not decided.accepted[own]
        claims[own] += 1
        needed.append(float(decided.seconds[own]))
    generator = np.random.default_rng(seed)
    return Outcome(
        p_fa=pair_rate_interval(wrong, chances, generator=generator),
        p_miss=rate_interval(missed, claims, generator=generator),
        median=float(np.median(needed)),
        p90=float(np.percentile(needed, 90)),
    )


def _place(talk: Talk, seconds: float) -> int:
    """The first look at so much speech, or the last there is."""
    return min(int(np.searchsorted(talk.seconds, seconds)), len(talk.seconds) - 1)
