"""n-shot k-way episodes: k people with n clips each, and one more clip of one of them, to be named.

Each person is the centroid of their clips, and the nearest one is the answer: the nearest class mean of Snell
et al., "Prototypical networks for few-shot learning", 2017, and what enrolling and identifying do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.errors import TrialError
from voiceprint.metrics import accuracy_interval
from voiceprint.scoring import centroid, cosine

_FLOATS_AT_A_TIME = 1 << 23  # support embeddings held at once: 32 MB

Nearness = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.floating]]
"""(clips that k people are known by (episodes, k, n, dim), clips in question (episodes, dim)) -> how near
each person is (episodes, k); higher is nearer."""


def by_cosine(known: NDArray[np.float32], asked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nearness to the centroid of each person's clips, as enrolling and identifying have it.

    Examples
    --------
    >>> by_cosine(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)).shape
    (2, 1)
    """
    return cosine(centroid(known), asked[:, None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledEmbeddings:
    """Embeddings and whose they are.

    Parameters
    ----------
    embeddings : NDArray of float32 (n, dim)
        Of unit length where they are compared by cosines.
    speakers : NDArray of str (n,)
        Who speaks.
    sessions : NDArray of str (n,), optional
        Recording sessions, empty where unknown.

    Examples
    --------
    >>> who = np.array(["ada", "ada", "bert", "bert"])
    >>> clips = LabelledEmbeddings(embeddings=np.eye(4, dtype=np.float32), speakers=who)
    >>> len(clips.speakers)
    4
    """

    embeddings: NDArray[np.float32]
    speakers: NDArray[np.str_]
    sessions: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        columns = [self.speakers] if self.sessions is None else [self.speakers, self.sessions]
        if self.embeddings.ndim != 2 or any(len(column) != len(self.embeddings) for column in columns):
            raise TrialError(
                f"embeddings of shape {self.embeddings.shape} need as many speakers and sessions as rows; "
                f"there are {len(self.speakers)} speakers"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Episodes:
    """Drawn episodes, as rows of the embeddings they were drawn from.

    Parameters
    ----------
    support : NDArray of int64 (episodes, k, n)
        The clips that each person is known by.
    query : NDArray of int64 (episodes,)
        The clip in question.
    answer : NDArray of int64 (episodes,)
        Whose it is, 0 to k - 1.
    """

    support: NDArray[np.int64]
    query: NDArray[np.int64]
    answer: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeResult:
    """How often the nearest person was the right one.

    Parameters
    ----------
    n, k : int
        Clips a person, and people.
    accuracy : float
        The fraction of episodes answered correctly.
    low, high : float
        Where the accuracy on other speakers like these lies, with a probability of 95 %; by drawing the
        speakers of the queries anew with replacement.
    excluded : tuple of str
        The people with too few clips.
    """

    n: int
    k: int
    accuracy: float
    low: float
    high: float
    episodes: int
    speakers: int
    excluded: tuple[str, ...]


class Benchmark:
    """Draws and answers episodes.

    Parameters
    ----------
    across_sessions : bool
        The query and the clips that its speaker is known by come from different sessions. A clip of unknown
        session is then never a query.
    nearness : callable
        Who is nearest; by default the centroid of the highest cosine.
    """

    def __init__(
        self, clips: LabelledEmbeddings, *, across_sessions: bool = False, nearness: Nearness = by_cosine
    ) -> None:
        if across_sessions and (clips.sessions is None or not (clips.sessions != "").any()):
            raise TrialError("across_sessions needs sessions, and the corpus has none")
        self._clips = clips
        self._nearness = nearness
        self._names, code = np.unique(clips.speakers, return_inverse=True)
        sessions = clips.sessions if across_sessions and clips.sessions is not None else np.arange(len(code))
        # Sorted by speaker and session, what may not support a query is one stretch of its speaker's clips.
        self._order = np.lexsort((sessions, code))
        self._count = np.bincount(code)  # (speakers,)
        self._first = np.concatenate([[0], np.cumsum(self._count)[:-1]])
        self._begin, self._end = _stretches(code[self._order], sessions[self._order])
        self._known = (
            np.ones(len(code), dtype=np.bool_) if not across_sessions else sessions[self._order] != ""
        )

    def draw(self, *, n: int, k: int, episodes: int, seed: int) -> Episodes:
        """Draw episodes; equal arguments draw equal ones.

        Parameters
        ----------
        n : int
            Clips a person, at least 1.
        k : int
            People, at least 2.

        Raises
        ------
        TrialError
            If there are fewer than `k` people with enough clips.
        """
        check_count("n", n)
        check_count("k", k, least=2)
        check_count("episodes", episodes)
        check_count("seed", seed, least=0)
        queries, people = self._eligible(n)
        if len(people) < k:
            raise TrialError(
                f"k is {k}, but only {len(people)} of {len(self._names)} speakers have the clips for n = {n}"
            )
        rng = np.random.default_rng(seed)
        ways = people[_distinct(np.full(episodes, len(people)), k, rng)]  # (episodes, k)
        answer = rng.integers(k, size=episodes)
        asked = ways[np.arange(episodes), answer]
        query = self._draw_queries(queries, asked, rng)
        # Nobody else has a clip to leave out: their stretch is empty.
        begin, end = np.zeros((2, episodes, k), dtype=np.int64)
        begin[np.arange(episodes), answer] = self._begin[query] - self._first[asked]
        end[np.arange(episodes), answer] = self._end[query] - self._first[asked]
        places = _distinct(self._count[ways] - (end - begin), n, rng)  # (episodes, k, n)
        places += np.where(places >= begin[..., None], (end - begin)[..., None], 0)
        return Episodes(
            support=self._order[self._first[ways][..., None] + places],
            query=self._order[query],
            answer=answer,
        )

    def answer(self, episodes: Episodes) -> NDArray[np.int64]:
        """Return which of the k people is nearest, for each episode (episodes,)."""
        embeddings = self._clips.embeddings
        step = max(1, _FLOATS_AT_A_TIME // (episodes.support[0].size * embeddings.shape[1]))
        nearest = []
        for start in range(0, len(episodes.query), step):
            part = slice(start, start + step)
            scores = self._nearness(embeddings[episodes.support[part]], embeddings[episodes.query[part]])
            nearest.append(scores.argmax(axis=1))
        return np.concatenate(nearest)

    def run(self, *, n: int, k: int, episodes: int = 10_000, seed: int = 0) -> EpisodeResult:
        """Draw episodes and answer them.

        Parameters
        ----------
        n, k, episodes, seed : int
            As for `draw`.

        Raises
        ------
        TrialError
            As for `draw`.
        """
        drawn = self.draw(n=n, k=k, episodes=episodes, seed=seed)
        correct = self.answer(drawn) == drawn.answer
        _, people = self._eligible(n)
        found = accuracy_interval(
            self._clips.speakers[drawn.query], correct, generator=np.random.default_rng(seed)
        )
        return EpisodeResult(
            n=n,
            k=k,
            accuracy=found.value,
            low=found.low,
            high=found.high,
            episodes=episodes,
            speakers=len(people),
            excluded=tuple(np.delete(self._names, people).tolist()),
        )

    def grid(
        self, *, n: Sequence[int], k: Sequence[int], episodes: int = 10_000, seed: int = 0
    ) -> Iterator[EpisodeResult]:
        """Run every `n` with every `k`."""
        return (self.run(n=shots, k=ways, episodes=episodes, seed=seed) for shots in n for ways in k)

    def _eligible(self, n: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the places of clips that can be queries, and the speakers who have some."""
        speaker = np.repeat(np.arange(len(self._count)), self._count)
        enough = self._count[speaker] - (self._end - self._begin) >= n
        queries = np.flatnonzero(enough & self._known)
        return queries, np.unique(speaker[queries])

    def _draw_queries(
        self, queries: NDArray[np.intp], asked: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.intp]:
        begin = np.searchsorted(queries, self._first[asked])
        end = np.searchsorted(queries, self._first[asked] + self._count[asked])
        return queries[rng.integers(begin, end)]


def _stretches(
    speaker: NDArray[np.int64], session: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each sorted clip, where the clips of its speaker and session begin and end."""
    changes = np.flatnonzero((np.diff(speaker) != 0) | (session[1:] != session[:-1])) + 1
    borders = np.concatenate([[0], changes, [len(speaker)]])
    lengths = np.diff(borders)
    return np.repeat(borders[:-1], lengths), np.repeat(borders[1:], lengths)


def _distinct(counts: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `size` different numbers below each count: (...,) -> (..., size)."""
    drawn = np.empty((*counts.shape, size), dtype=np.int64)
    for place in range(size):
        pick = rng.integers(counts - place)
        # The pick counts the numbers that are left; step over those that are gone, smallest first.
        for gone in np.moveaxis(np.sort(drawn[..., :place], axis=-1), -1, 0):
            pick += pick >= gone
        drawn[..., place] = pick
    return drawn
