"""Open-set identification, simulated: some people are enrolled, and out-of-set speakers must not be named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count, check_rate
from voiceprint.errors import TrialError
from voiceprint.evaluation.benchmark.episodes import LabelledEmbeddings
from voiceprint.metrics import RULE_OF_THIRTY
from voiceprint.scoring import centroid, cosine_matrix

_OTHERS = 5  # whoever comes after the nearest and the next five changes no decision


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSetDraw:
    """The clips that were not enrolled in a draw, and the nearest of the enrolled people.

    Parameters
    ----------
    rows : NDArray of int64 (m,)
        Which clips.
    best : NDArray of float32 (m,)
        The score of the nearest person.
    right : NDArray of bool (m,)
        Whether that is the speaker.
    known : NDArray of bool (m,)
        Whether the speaker is enrolled.
    others : NDArray of float32 (m, k)
        The scores of the next nearest, best first; k is 5, or as many as there are.
    """

    rows: NDArray[np.int64]
    best: NDArray[np.float32]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]
    others: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRate:
    """How many enrolled people are found where out-of-set speakers are named at a given rate.

    Parameters
    ----------
    p_fa : float
        The fraction of out-of-set speakers' clips that are given a name, at most.
    dir : float
        The detection and identification rate: the fraction of enrolled people's clips that are given the
        right name.
    threshold : float
        The score that a name takes.
    resolved : bool
        Whether there are enough out-of-set clips to measure the rate.
    """

    p_fa: float
    dir: float
    threshold: float
    resolved: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSetResult:
    """Open-set identification over several draws of who is enrolled.

    Parameters
    ----------
    rank1 : float
        The fraction of enrolled people's clips whose nearest person is the right one, whatever the score.
    p_fa, dir : NDArray of float64 (m,)
        The whole curve, from strict to lenient.
    n, enrolled, draws : int
        Enrollment clips a person, people enrolled in each draw, and draws.
    n_known, n_out_of_set : int
        Clips of enrolled people and of out-of-set speakers, over all draws.
    """

    rank1: float
    rates: tuple[DetectionRate, ...]
    p_fa: NDArray[np.float64]
    dir: NDArray[np.float64]
    n: int
    enrolled: int
    draws: int
    n_known: int
    n_out_of_set: int


def open_set(
    clips: LabelledEmbeddings,
    *,
    n: int = 5,
    enrolled: int | None = None,
    rates: Sequence[float] = (0.1, 0.01),
    draws: int = 20,
    seed: int = 0,
) -> OpenSetResult:
    """Enroll some speakers with `n` clips each, and identify every other clip.

    Parameters
    ----------
    n : int
        Enrollment clips a person.
    enrolled : int, optional
        How many people are enrolled in a draw; half of those with enough clips where left out.
    rates : sequence of float
        False-accept rates at which to give the detection and identification rate.
    draws : int
        How many times the enrolled people and clips are drawn anew.

    Raises
    ------
    TrialError
        If there are not enough people with more than `n` clips, or nobody is left outside the set.
    """
    check_count("n", n)
    check_count("draws", draws)
    for rate in rates:
        check_rate("rates", rate)
    size = half_of(clips, n) if enrolled is None else enrolled
    drawn = list(draw_open_sets(clips, n=n, enrolled=size, draws=draws, seed=seed))
    best, right, known = (
        np.concatenate([getattr(each, part) for each in drawn]) for part in ("best", "right", "known")
    )
    return _measure(best, right, known, rates, n=n, enrolled=size, draws=draws)


def half_of(clips: LabelledEmbeddings, n: int) -> int:
    """Return half the number of people who have more than `n` clips."""
    counts = np.unique(clips.speakers, return_counts=True)[1]
    return int(np.count_nonzero(counts > n)) // 2


def draw_open_sets(
    clips: LabelledEmbeddings, *, n: int, enrolled: int, draws: int, seed: int
) -> Iterator[OpenSetDraw]:
    """Enroll drawn speakers with `n` drawn clips each, and compare every other clip with all of them.

    Parameters
    ----------
    n, enrolled, draws, seed : int
        As for `open_set`.

    Raises
    ------
    TrialError
        As `open_set` does.
    """
    names, code = np.unique(clips.speakers, return_inverse=True)
    able = np.flatnonzero(np.bincount(code) > n)
    if not 1 <= enrolled <= len(able) or enrolled == len(names):
        raise TrialError(
            f"{enrolled} of {len(names)} speakers cannot be enrolled with {n} clips each: {len(able)} have "
            "more clips, and somebody must be left outside the set"
        )
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        people = rng.choice(able, enrolled, replace=False)
        support = np.stack([rng.choice(np.flatnonzero(code == who), n, replace=False) for who in people])
        rows = np.delete(np.arange(len(code)), support.ravel())
        scores = cosine_matrix(clips.embeddings[rows], centroid(clips.embeddings[support]))
        ranked = -np.sort(-scores, axis=1)[:, : _OTHERS + 1]
        yield OpenSetDraw(
            rows=rows,
            best=ranked[:, 0],
            others=ranked[:, 1:],
            right=people[scores.argmax(axis=1)] == code[rows],
            known=np.isin(code[rows], people),
        )


def _measure(
    best: NDArray[np.float32],
    right: NDArray[np.bool_],
    known: NDArray[np.bool_],
    rates: Sequence[float],
    *,
    n: int,
    enrolled: int,
    draws: int,
) -> OpenSetResult:
    accepted, found, thresholds = _curve(best, right, known)
    n_out_of_set, n_known = int((~known).sum()), int(known.sum())

    def at(rate: float) -> DetectionRate:
        point = int(np.searchsorted(accepted, np.floor(rate * n_out_of_set + 1e-9), side="right")) - 1
        return DetectionRate(
            p_fa=rate,
            dir=float(found[point] / n_known),
            threshold=float(thresholds[point]),
            resolved=rate * n_out_of_set >= RULE_OF_THIRTY,
        )

    return OpenSetResult(
        rank1=float(right[known].mean()),
        rates=tuple(at(rate) for rate in rates),
        p_fa=accepted / n_out_of_set,
        dir=found / n_known,
        n=n,
        enrolled=enrolled,
        draws=draws,
        n_known=n_known,
        n_out_of_set=n_out_of_set,
    )


def _curve(
    best: NDArray[np.float32], right: NDArray[np.bool_], known: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Out-of-set clips named, people found, and the threshold, from strict to lenient."""
    order = np.argsort(-best)
    # A threshold takes all clips of the same score or none: only the last of equals is a point.
    last = np.flatnonzero(np.append(np.diff(best[order]) != 0, True))
    accepted = np.concatenate([[0], np.cumsum(~known[order])[last]])
    found = np.concatenate([[0], np.cumsum((right & known)[order])[last]])
    return accepted, found, np.concatenate([[np.inf], best[order][last]])
