"""Which speaker each step and each frame is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.calibration import Decider
from voiceprint.diarization.activity import HOP, Activity, main_share
from voiceprint.diarization.bayes import infer_voices
from voiceprint.diarization.clustering import (
    AT_ONCE,
    SpeakerRange,
    cluster,
    compare,
    weighted_centroids,
)
from voiceprint.diarization.segmentation import FRAME, members
from voiceprint.diarization.steps import Steps

__all__ = ["Attribution", "StepEmbedder", "attribute", "decode"]

_NARROW, _WIDE = 0.6, 1.5  # seconds around a step that are embedded
_EVERY = 4  # steps from one that is embedded widely to the next
_PURE = 0.97  # of what the network finds around such a step is of one local speaker
_ENOUGH = 8  # such steps; where there are fewer, all count
_SURE = (-1.5, 0.0, 1.5)  # mean ratios down to which wide stretches are joined at first; the best counts
_PART = 10.0  # seconds of one voice that are embedded together
_ROUNDS = 2  # of finding steps by centroids, and centroids of steps
_WEIGHT = 1.0  # of a step's ratio
_CHANGE = -4.0  # log-probability of another speaker in the next step
_VOICE = 1.5  # seconds that a voice has
_LEAST = 4.0  # seconds that a speaker has, unless so many are asked for or nobody has
_SHARE = 0.08  # of all speech, which suffices where the recording is short
_LIKENESS = 0.5  # of a step and a speaker, against 1 for being of that speaker
_NETWORK = 0.5  # what the network's local speakers count against it


class StepEmbedder(Protocol):
    """What embeds steps of a recording, as `RecordingEmbedder` does."""

    def around(self, places: NDArray[np.int64], seconds: float) -> NDArray[np.float32]:
        """Embed so many seconds around each of these steps."""

    def together(self, parts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embed all steps of each part together."""


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
    activity: Activity, steps: Steps, embedder: StepEmbedder, *, decider: Decider, speakers: SpeakerRange
) -> Attribution:
    """Find the speakers of a recording, in two passes.

    The first pass finds voices in blocks of some minutes, more of them than there are people. What each voice
    says is cut into parts of several seconds, which are embedded anew. Such long parts tell people apart much
    better than steps do, so the second pass joins them to speakers.

    Parameters
    ----------
    steps : Steps
        At least one.
    """
    narrow = embedder.around(np.arange(len(steps)), _NARROW)
    voices = _voices(_of_one(activity, steps), steps, narrow, embedder, decider)
    parts = _parts(steps, voices)
    embedded = embedder.together(np.where(steps.alone, parts, -1))
    seconds = np.bincount(parts[steps.alone], weights=steps.seconds[steps.alone]).astype(np.float64)
    labels = cluster(embedded, seconds, decider=decider, speakers=speakers)[parts]
    labels = _refined(steps, narrow, labels, decider, least=_LEAST, count=speakers.least)
    centres, spoken = _centroids(steps, narrow, labels)
    active = _frames(activity, steps, labels, narrow @ centres.T)
    return Attribution(active=active, embeddings=centres, seconds=spoken)


def _of_one(activity: Activity, steps: Steps) -> NDArray[np.int64]:
    """Choose the steps to embed widely: where the network finds one local speaker all around, if anywhere."""
    chosen = np.flatnonzero(steps.alone)[::_EVERY]
    middles = (steps.start[chosen] + steps.stop[chosen]) // 2
    shares = main_share(activity, middles, reach=round(0.5 * _WIDE * SAMPLE_RATE / FRAME))
    pure = chosen[shares >= _PURE]
    return pure if len(pure) >= _ENOUGH else chosen


def _voices(
    chosen: NDArray[np.int64],
    steps: Steps,
    narrow: NDArray[np.float32],
    embedder: StepEmbedder,
    decider: Decider,
) -> NDArray[np.int64]:
    """Number the voices of the first pass, for each step; a speaker of several blocks has some in each."""
    wide = embedder.around(chosen, _WIDE)
    voices, taken = np.zeros(len(steps), dtype=np.int64), 0
    blocks = np.array_split(np.arange(len(chosen)), -(-len(chosen) // AT_ONCE))
    ends = [int(chosen[block[0]]) for block in blocks[1:]]
    for block, of in zip(blocks, np.split(np.arange(len(steps)), ends), strict=True):
        some = wide[block]
        answers = [infer_voices(some, _begun(some, limit, decider)) for limit in _SURE]
        found = max(answers, key=lambda answer: answer[1])[0]
        begun = _numbered(found)[_nearest(chosen[block], of)]
        voices[of] = taken + _refined(_some(steps, of), narrow[of], begun, decider, least=_VOICE, count=1)
        taken = int(voices[of].max()) + 1
    return voices


def _begun(wide: NDArray[np.float32], limit: float, decider: Decider) -> NDArray[np.int64]:
    """Number the voices of wide stretches to begin with."""
    seconds = np.full(len(wide), _WIDE)
    labels = cluster(wide, seconds, decider=decider, speakers=SpeakerRange(), limit=limit)
    centres, _ = weighted_centroids(wide, seconds, labels)
    return np.asarray((wide @ centres.T).argmax(axis=1), dtype=np.int64)


def _some(steps: Steps, places: NDArray[np.int64]) -> Steps:
    return Steps(start=steps.start[places], stop=steps.stop[places], alone=steps.alone[places])


def _nearest(chosen: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place which of the chosen, which ascend, is nearest."""
    middles = 0.5 * (chosen[1:] + chosen[:-1])
    return np.asarray(np.searchsorted(middles, places), dtype=np.int64)


def _refined(
    steps: Steps,
    narrow: NDArray[np.float32],
    labels: NDArray[np.int64],
    decider: Decider,
    *,
    least: float,
    count: int,
) -> NDArray[np.int64]:
    """Find the likeliest way through the speakers that say enough, and do so again; numbered anew."""
    for _ in range(_ROUNDS):
        centres, spoken = _centroids(steps, narrow, labels)
        kept = _talkers(labels, steps.seconds, least, count)
        ratios = compare(narrow @ centres[kept].T, np.full((1, 1), _NARROW), spoken[None, kept], decider)
        labels = _numbered(decode(_WEIGHT * ratios, np.full(len(steps), _CHANGE)))
    return labels


def _centroids(
    steps: Steps, narrow: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return centroids of what speakers say alone, (k, dim), and its seconds (k,)."""
    weights = np.where(steps.alone, steps.seconds, 1e-3 * steps.seconds)
    return weighted_centroids(narrow, weights, labels)


def _parts(steps: Steps, voices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut what each voice says into parts of about equal length; number them for each step.

    Each part has a step that is of one person alone; a voice that has none goes to the one before.
    """
    alone = np.where(steps.alone, steps.seconds, 0.0)
    longest = max(_PART, float(alone.sum()) / AT_ONCE)
    parts, taken = np.full(len(voices), -1, dtype=np.int64), 0
    for voice in range(int(voices.max()) + 1):
        places = np.flatnonzero(voices == voice)
        until = np.cumsum(alone[places])
        if until[-1] == 0.0:
            continue
        count = max(1, round(until[-1] / longest))
        parts[places] = taken + np.minimum(np.maximum(until - 1e-6, 0.0) / until[-1] * count, count - 1)
        taken += count
    known = np.flatnonzero(parts >= 0)
    return _numbered(parts[known])[_nearest(known, np.arange(len(voices)))]


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


def _frames(
    activity: Activity, steps: Steps, labels: NDArray[np.int64], cosines: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Say who speaks in each frame: of as many as speak there, those with the highest scores."""
    frames, speakers = len(activity.speech), cosines.shape[1]
    spoken = np.flatnonzero(activity.speech)
    step = np.repeat(np.arange(len(steps)), steps.stop - steps.start)
    leads = np.full(frames + activity.windows.shape[1], -1, dtype=np.int64)
    leads[spoken] = labels[step]
    shares = _shares(activity, leads, speakers)
    best, who = np.full((2, frames), -1.0, dtype=np.float32), np.zeros((2, frames), dtype=np.int64)
    for speaker in range(speakers):
        scores = _NETWORK * _followed(activity, shares[:, :, speaker])
        likeness = _LIKENESS * np.clip(cosines[:, speaker], 0.0, 1.0) + (labels == speaker)
        scores[spoken] += likeness[step]
        name = np.full(frames, speaker, dtype=np.int64)
        for place in range(2):  # whoever is better takes the place, and the other tries for the next one
            better = scores > best[place]
            best[place][better], scores[better] = scores[better], best[place][better]
            who[place][better], name[better] = name[better], who[place][better]
    active = np.zeros((frames, speakers), dtype=np.bool_)
    active[spoken, who[0, spoken]] = True
    if speakers > 1:
        both = np.flatnonzero(activity.overlap & activity.speech)
        active[both, who[1, both]] = True
    return active


def _shares(activity: Activity, leads: NDArray[np.int64], speakers: int) -> NDArray[np.float32]:
    """Say by which shares local speakers stand for speakers (windows, 3, speakers).

    They do so by who leads where the local speaker is alone.

    Parameters
    ----------
    leads : ndarray of int64
        Speaker of each frame, -1 without.
    """
    length, single = activity.windows.shape[1], members().sum(axis=1) == 1
    shares = np.zeros((len(activity.windows), members().shape[1], speakers), dtype=np.float32)
    for place, classes in enumerate(activity.windows):
        begin = place * HOP // FRAME
        inside = leads[begin : begin + length]
        for local in range(shares.shape[1]):
            those = inside[single[classes] & members()[classes, local] & (inside >= 0)]
            shares[place, local] = np.bincount(those, minlength=speakers) / max(len(those), 1)
    return shares


def _followed(activity: Activity, shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say how active one speaker is for the network (frames,), by the shares of that speaker (windows, 3)."""
    frames, length = len(activity.speech), activity.windows.shape[1]
    active, weight = np.zeros(frames + length, dtype=np.float32), np.full(frames + length, 1e-6, np.float32)
    taper, table = np.hamming(length).astype(np.float32), members().astype(np.float32)
    for place, classes in enumerate(activity.windows):
        inside = slice(place * HOP // FRAME, place * HOP // FRAME + length)
        active[inside] += taper * (table @ shares[place])[classes]
        weight[inside] += taper
    return np.asarray((active / weight)[:frames])


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
