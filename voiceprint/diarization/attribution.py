"""Which speaker each step, each frame and each overlap is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider
from voiceprint.diarization.activity import HOP, Activity, runs_of
from voiceprint.diarization.clustering import (
    AT_ONCE,
    SpeakerRange,
    cluster,
    cluster_in_blocks,
    compare,
    weighted_centroids,
)
from voiceprint.diarization.segmentation import FRAME, LOCAL_SPEAKERS, members
from voiceprint.diarization.steps import Steps, deciding_window

__all__ = ["Attribution", "attribute", "decode"]

_SURE = -1.0  # mean ratio down to which the first pass joins steps
_PART = 12.0  # seconds of one voice that are embedded together for the second pass
_ROUNDS = 2  # of the second pass
_CHANGE = -3.0  # log-probability of another speaker in the next step, without a pause
_PAUSE = 100  # frames (2 s) over which what a change costs falls to nothing
_TRUST = 2.0  # log-likelihood that a step is of whom the network's local speaker is taken for
_WEIGHT = 0.7  # of a step's ratio: neighbours share what they hear
_LEAST = 4.0  # seconds that a speaker has, unless so many are asked for or nobody has
_SHARE = 0.08  # of all speech, which suffices where the recording is short


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """Who speaks, frame by frame.

    Parameters
    ----------
    active : ndarray of bool, shape (frames, speakers)
    embeddings : ndarray of float32, shape (speakers, dim)
        Centroid of each.
    seconds : ndarray of float64, shape (speakers,)
        Speech of each that the centroid is of.
    """

    active: NDArray[np.bool_]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]


def attribute(
    activity: Activity,
    steps: Steps,
    embeddings: NDArray[np.float32],
    *,
    listen: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    decider: Decider,
    speakers: SpeakerRange,
) -> Attribution:
    """Find the speakers of a recording, in two passes.

    The first pass joins steps only where it is sure, so it finds more voices than there are people. What
    each voice says is cut into parts of several seconds, which are embedded anew. Such long parts tell people
    apart much better than steps do, so the second pass joins them to speakers.

    Parameters
    ----------
    steps : Steps
        At least one.
    embeddings : ndarray of float32, shape (steps, dim)
    listen : callable
        ``listen(parts)`` embeds all steps of each part together: the part of each step (n,) -> (parts, dim).
    """
    labels = _voices(activity, steps, embeddings, decider)
    for _ in range(_ROUNDS):
        parts = _parts(steps, labels)
        heard, seconds = listen(parts), np.bincount(parts, weights=steps.seconds).astype(np.float64)
        joined = cluster(heard, seconds, decider=decider, speakers=speakers)
        kept = _talkers(joined, seconds, _LEAST, speakers.least)
        centres, spoken = weighted_centroids(heard, seconds, joined)
        centres, spoken = centres[kept], spoken[kept]
        emissions = _emissions(embeddings, steps, centres, spoken, decider)
        if len(activity.windows):
            nearest = compare(heard @ centres.T, seconds[:, None], spoken[None, :], decider).argmax(axis=1)
            emissions += _TRUST * _local_votes(steps, nearest[parts], len(centres))
        labels = _numbered(decode(emissions, _changes(steps)))
    centres, spoken = weighted_centroids(embeddings, steps.seconds, labels)
    return Attribution(active=_frames(activity, steps, labels), embeddings=centres, seconds=spoken)


def _voices(
    activity: Activity, steps: Steps, embeddings: NDArray[np.float32], decider: Decider
) -> NDArray[np.int64]:
    """Number the voices of the first pass, for each step."""
    pieces, groups = _pieces(activity, steps)
    sums, weights = _pooled(embeddings, steps, pieces)
    labels = cluster_in_blocks(sums, weights, decider=decider, apart=groups, limit=_SURE)[pieces]
    centres, seconds = weighted_centroids(embeddings, steps.seconds, labels)
    kept = _talkers(labels, steps.seconds, _LEAST / 2, 1)
    return _numbered(
        decode(_emissions(embeddings, steps, centres[kept], seconds[kept], decider), _changes(steps))
    )


def _pieces(activity: Activity, steps: Steps) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Number the pieces that are clustered: a step each, or all steps of one local speaker of one window.

    Returns the piece of each step (n,), and for each piece the window whose pieces are different people.
    """
    if not len(activity.windows):
        return np.arange(len(steps)), None
    keys = steps.window * LOCAL_SPEAKERS + np.maximum(steps.local, 0)
    unique, places = np.unique(keys, return_inverse=True)
    return places.astype(np.int64), (unique // LOCAL_SPEAKERS).astype(np.int64)


def _pooled(
    embeddings: NDArray[np.float32], steps: Steps, pieces: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    if len(pieces) == int(pieces.max()) + 1:
        return embeddings, steps.heard
    return weighted_centroids(embeddings, steps.seconds, pieces)


def _parts(steps: Steps, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut what each voice says into parts of about equal length; number them for each step."""
    longest = max(_PART, float(steps.seconds.sum()) / AT_ONCE)
    parts, taken = np.zeros(len(labels), dtype=np.int64), 0
    for label in range(int(labels.max()) + 1):
        places = np.flatnonzero(labels == label)
        until = np.cumsum(steps.seconds[places])
        count = max(1, round(until[-1] / longest))
        parts[places] = taken + np.minimum((until - steps.seconds[places]) / until[-1] * count, count - 1)
        taken += count
    return _numbered(parts)


def _emissions(
    embeddings: NDArray[np.float32],
    steps: Steps,
    centres: NDArray[np.float32],
    seconds: NDArray[np.float64],
    decider: Decider,
) -> NDArray[np.float64]:
    return _WEIGHT * compare(embeddings @ centres.T, steps.heard[:, None], seconds[None, :], decider)


def _local_votes(steps: Steps, labels: NDArray[np.int64], speakers: int) -> NDArray[np.float64]:
    """Share of each speaker in the steps of the same local speaker of the same window, (n, speakers)."""
    keys = np.unique(steps.window * LOCAL_SPEAKERS + np.maximum(steps.local, 0), return_inverse=True)[1]
    votes = np.zeros((int(keys.max()) + 1, speakers))
    np.add.at(votes, (keys, labels), steps.seconds)
    return np.asarray((votes / votes.sum(axis=1, keepdims=True))[keys])


def _changes(steps: Steps) -> NDArray[np.float64]:
    gaps = np.concatenate(([0], steps.start[1:] - steps.stop[:-1]))
    return _CHANGE * np.clip(1.0 - gaps / _PAUSE, 0.0, 1.0)


def _talkers(
    labels: NDArray[np.int64], seconds: NDArray[np.float64], least: float, count: int
) -> NDArray[np.int64]:
    """Return the clusters that say at least so much, those who say most first; at least `count` of them."""
    totals = np.bincount(labels, weights=seconds)
    order = np.argsort(-totals, kind="stable")
    enough = int((totals >= min(least, _SHARE * totals.sum(), totals.max())).sum())
    return order[: max(enough, count)]


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


def _frames(activity: Activity, steps: Steps, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    speakers = int(labels.max()) + 1
    active = np.zeros((len(activity.speech), speakers), dtype=np.bool_)
    for start, stop, label in zip(steps.start.tolist(), steps.stop.tolist(), labels.tolist(), strict=True):
        active[start:stop, label] = True
    if speakers > 1:
        _add_second_speakers(active, activity, steps, labels)
    return active


def _add_second_speakers(
    active: NDArray[np.bool_], activity: Activity, steps: Steps, labels: NDArray[np.int64]
) -> None:
    """Where two speak, add the other local speaker, or else whoever else speaks nearest in time."""
    names = _names_of_locals(steps, labels)
    table, hop = members(), HOP // FRAME
    for start, stop in runs_of(activity.overlap):
        window = deciding_window(activity, (start + stop) // 2)
        begin = window * hop
        inside = activity.windows[window, max(0, start - begin) : max(0, stop - begin)]
        locals_ = np.flatnonzero(table[inside].any(axis=0))
        found = [names[window, int(local)] for local in locals_ if (window, int(local)) in names]
        for name in dict.fromkeys(found):
            active[start:stop, name] = True
        if not (active[start:stop].sum(axis=1) >= 2).all():
            _add_nearest(active, start, stop)


def _names_of_locals(steps: Steps, labels: NDArray[np.int64]) -> dict[tuple[int, int], int]:
    votes: dict[tuple[int, int], dict[int, float]] = {}
    for window, local, label, seconds in zip(
        steps.window.tolist(), steps.local.tolist(), labels.tolist(), steps.seconds.tolist(), strict=True
    ):
        of = votes.setdefault((window, local), {})
        of[label] = of.get(label, 0.0) + seconds
    return {key: max(of, key=lambda label: of[label]) for key, of in votes.items()}


def _add_nearest(active: NDArray[np.bool_], start: int, stop: int) -> None:
    """Add the speaker, other than who speaks there already, whose speech is nearest in time."""
    there = active[start:stop].any(axis=0)
    for reach in (50, 250, 1500):
        around = active[max(0, start - reach) : stop + reach].sum(axis=0) * ~there
        if around.any():
            active[start:stop, int(around.argmax())] = True
            return


def decode(emissions: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the likeliest speaker of each step.

    Parameters
    ----------
    emissions : ndarray of float64, shape (n, k)
        Log-likelihood of each step under each speaker, up to a constant a step.
    change : ndarray of float64, shape (n,)
        Log-probability that costs another speaker than in the step before; that of the first is not used.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> decode(np.array([[2.0, 0.0], [0.0, 0.5], [2.0, 0.0]]), np.array([0.0, -3.0, -3.0]))
    array([0, 0, 0])
    """
    count, speakers = emissions.shape
    best = emissions[0].copy()
    back = np.zeros((count, speakers), dtype=np.int64)
    stay = np.arange(speakers)
    for step in range(1, count):
        other = int(best.argmax())
        moved = best[other] + change[step]
        back[step] = np.where(best >= moved, stay, other)
        best = np.maximum(best, moved) + emissions[step]
    path = np.zeros(count, dtype=np.int64)
    path[-1] = int(best.argmax())
    for step in range(count - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
