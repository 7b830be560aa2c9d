"""Who is nearest to an embedding, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voiceprint.engine.decisions import Match
from voiceprint.scoring import cosine
from voiceprint.store import Enrollment, StoreHit

__all__ = ["likelihood", "rank", "score_people"]


def score_people(embedding: NDArray[np.float32], people: Sequence[Enrollment]) -> list[StoreHit]:
    """Score an embedding (dim,) against a few people, as the store's search does against all; best first.

    Those whose voiceprint has expired are left out.
    """
    hits = [
        StoreHit(
            name=person.name,
            score=float(cosine(person.centroid, embedding)),
            n_utterances=person.n_utterances,
        )
        for person in people
        if not person.expired
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.name))


def rank(hits: Sequence[StoreHit], llrs: NDArray[np.float64] | None) -> tuple[Match, ...]:
    """Order people by likelihood: a score means less against one clip than against ten.

    The ratios (n,) are None without a calibration; then the scores alone decide.
    """
    known = [None] * len(hits) if llrs is None else llrs.tolist()
    pairs = zip(hits, known, strict=True)
    matches = [Match(name=hit.name, score=hit.score, llr=llr) for hit, llr in pairs]
    return tuple(sorted(matches, key=likelihood))


def likelihood(match: Match) -> tuple[float, float]:
    """Return what to sort people by, the likeliest first: ratios are alike whichever model made them."""
    return -(match.llr or 0.0), -match.score
