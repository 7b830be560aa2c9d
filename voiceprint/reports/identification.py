"""Identification: n-shot k-way episodes, and strangers at a model's own thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.errors import TrialError
from voiceprint.evaluation import EmbeddedClips
from voiceprint.evaluation.benchmark import Benchmark, EpisodeResult, LabelledEmbeddings
from voiceprint.metrics import rate_interval
from voiceprint.reports.data import StrangerRate
from voiceprint.scoring import centroid, cosine_matrix

__all__ = ["measure_shots", "measure_strangers"]

RATES = (0.05, 0.01)
"""Rates at which strangers may be named."""

_DRAWS = 20


def measure_shots(
    clips: LabelledEmbeddings, *, n: Sequence[int], k: Sequence[int], episodes: int, seed: int
) -> tuple[EpisodeResult, ...]:
    """Run every n with every k for which there are people and clips enough."""
    benchmark = Benchmark(clips)
    results = []
    for shots in n:
        for ways in k:
            try:
                results.append(benchmark.run(n=shots, k=ways, episodes=episodes, seed=seed))
            except TrialError:  # too few people have so many clips: a shorter curve
                break
    return tuple(results)


def measure_strangers(
    clips: EmbeddedClips,
    speakers: NDArray[np.str_],
    decider: Decider,
    *,
    n_enroll: int,
    seed: int,
    draws: int = _DRAWS,
) -> tuple[StrangerRate, ...]:
    """Enroll half of the people, let everybody ask who they are, and decide as ``identify`` does.

    Parameters
    ----------
    clips : EmbeddedClips
        (n, dim).
    speakers : NDArray of str (n,)
        Who speaks.
    decider : Decider
        The model's.
    n_enroll : int
        Clips a person is enrolled with.
    seed : int
        Of who is enrolled, and with what.
    draws : int
        How many times that is drawn.

    Returns
    -------
    tuple of StrangerRate
        One for each of `RATES`; none without a calibration, or where fewer than four people have more
        than `n_enroll` clips.
    """
    names, code = np.unique(speakers, return_inverse=True)
    able = np.flatnonzero(np.bincount(code) > n_enroll)
    size = len(able) // 2
    if size < 2 or decider.calibration is None:
        return ()
    rng = np.random.default_rng(seed)
    shape = TrialShape(n_enroll=n_enroll, seconds=clips.seconds, snr_db=clips.snr_db)
    limits = {rate: decider.thresholds(shape, OperatingPoint.far(rate).among(size)) for rate in RATES}
    asked = {rate: np.zeros((4, len(names)), dtype=np.int64) for rate in RATES}
    for _ in range(draws):
        people = rng.choice(able, size, replace=False)
        support = np.stack([rng.choice(np.flatnonzero(code == p), n_enroll, replace=False) for p in people])
        rest = np.delete(np.arange(len(code)), support.ravel())
        scores = cosine_matrix(clips.embeddings[rest], centroid(clips.embeddings[support]))
        stranger, right = ~np.isin(code[rest], people), people[scores.argmax(axis=1)] == code[rest]
        for rate in RATES:
            named = scores.max(axis=1) >= limits[rate][rest]
            for row, mine in enumerate((stranger & named, stranger, ~stranger & named & right, ~stranger)):
                asked[rate][row] += np.bincount(code[rest][mine], minlength=len(names))
    return tuple(_rate(rate, asked[rate], size, seed) for rate in RATES)


def _rate(asked: float, counts: NDArray[np.int64], enrolled: int, seed: int) -> StrangerRate:
    """Rates from clips by speaker: strangers named, strangers, people found, people; (4, speakers)."""
    named, strangers, found, known = counts
    return StrangerRate(
        asked=asked,
        named=rate_interval(named, strangers, generator=np.random.default_rng(seed)),
        found=float(found.sum() / known.sum()),
        enrolled=enrolled,
        n_strangers=int(strangers.sum()),
        n_known=int(known.sum()),
    )
