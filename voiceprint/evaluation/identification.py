"""Identification: n-shot k-way episodes, and out-of-set speakers at a model's thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.errors import TrialError
from voiceprint.evaluation.benchmark import (
    Benchmark,
    EpisodeResult,
    LabelledEmbeddings,
    OpenSetDraw,
    draw_open_sets,
    half_of,
)
from voiceprint.evaluation.embedding import EmbeddedClips
from voiceprint.evaluation.results import OutOfSetRate
from voiceprint.metrics import rate_interval

RATES = (0.05, 0.01)
"""Rates at which out-of-set speakers may be named."""

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


def measure_out_of_set(
    clips: EmbeddedClips,
    speakers: NDArray[np.str_],
    decider: Decider,
    *,
    n_enroll: int,
    seed: int,
    enrolled: int | None = None,
    rates: Sequence[float] = RATES,
    draws: int = _DRAWS,
) -> tuple[OutOfSetRate, ...]:
    """Enroll some of the people, and identify every other clip at the thresholds that ``identify`` uses.

    Parameters
    ----------
    clips : EmbeddedClips
        (n, dim).
    speakers : NDArray of str (n,)
        Who speaks.
    n_enroll : int
        Clips a person is enrolled with.
    seed : int
        Of who is enrolled, and with what.
    enrolled : int, optional
        How many people are enrolled; half of those with more than `n_enroll` clips where left out.
    rates : sequence of float
        Rates at which out-of-set speakers may be named.
    draws : int
        How many times that is drawn.

    Returns
    -------
    tuple of OutOfSetRate
        One for each rate; none without a calibration, or where two people cannot be enrolled and `enrolled`
        was left out.

    Raises
    ------
    TrialError
        If `enrolled` people cannot be enrolled, or nobody would be left outside the set.
    """
    names, code = np.unique(speakers, return_inverse=True)
    labelled = LabelledEmbeddings(embeddings=clips.embeddings, speakers=speakers)
    size = half_of(labelled, n_enroll) if enrolled is None else enrolled
    if decider.calibration is None or (enrolled is None and size < 2):
        return ()
    counts = {rate: np.zeros((4, len(names)), dtype=np.int64) for rate in rates}
    for draw in draw_open_sets(labelled, n=n_enroll, enrolled=size, draws=draws, seed=seed):
        known, right, speaker = draw.known, draw.right, code[draw.rows]
        shape = _shape(clips, draw, n_enroll, decider)
        for rate in rates:
            named = decider.accepts(draw.best, shape, OperatingPoint.far(rate).among(size))
            for row, mine in enumerate((~known & named, ~known, known & named & right, known)):
                counts[rate][row] += np.bincount(speaker[mine], minlength=len(names))
    return tuple(_rate(rate, counts[rate], size, seed) for rate in rates)


def _shape(clips: EmbeddedClips, draw: OpenSetDraw, n_enroll: int, decider: Decider) -> TrialShape:
    return TrialShape(
        n_enroll=n_enroll,
        seconds=clips.seconds[draw.rows],
        snr_db=None if clips.snr_db is None else clips.snr_db[draw.rows],
        rivals=decider.rivals(clips.embeddings[draw.rows], draw.others),
    )


def _rate(asked: float, counts: NDArray[np.int64], enrolled: int, seed: int) -> OutOfSetRate:
    """Rates from clips by speaker: out-of-set named, out-of-set, people found, people; (4, speakers)."""
    named, out_of_set, found, known = counts
    return OutOfSetRate(
        asked=asked,
        named=rate_interval(named, out_of_set, generator=np.random.default_rng(seed)),
        found=float(found.sum() / known.sum()),
        enrolled=enrolled,
        n_out_of_set=int(out_of_set.sum()),
        n_known=int(known.sum()),
    )
