"""Which utterances make up a batch: P speakers x K utterances, pairs, triplets, or any clips in turn.

A sampler yields lists of `Draw`, one list a batch, and is passed to `torch.utils.data.DataLoader` as its
``batch_sampler``. Every batch is drawn from a generator of its own, seeded by (seed, epoch, batch): an epoch
can be resumed at any batch at no cost, and all processes of a distributed run draw the same global batch, of
which each takes every ``world_size``-th speaker, pair or triplet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Required, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import ConfigError, CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One crop to be taken.

    Parameters
    ----------
    part, parts : int
        The crop comes from the ``part``-th of ``parts`` equal stretches of the utterance that do not overlap.
    """

    index: int
    part: int = 0
    parts: int = 1


class EpochOptions(TypedDict, total=False):
    """What every sampler takes besides its labels and sizes, as `BatchSampler` does."""

    batches: Required[int]
    seed: Required[int]
    balance: float
    rank: int
    world_size: int


class BatchSampler(ABC):
    """What the samplers share: seeding by epoch, resuming, and the share of one process.

    Parameters
    ----------
    labels : sequence of int
        The speaker of each utterance, 0 or above.
    units : int
        Speakers, pairs or triplets in one global batch; what is divided among the processes.
    balance : float
        1 (the default) draws every speaker equally often within an epoch, give or take once; at 0 a speaker
        comes up in proportion to its utterances, in between in proportion to that number to the power
        ``1 - balance``. Below 1 draws are independent from batch to batch.
    corpora : sequence of str, optional
        The corpus of each utterance, for ``shares``.
    shares : mapping of str to float, optional
        How often each corpus comes up, as a weight; ``balance`` then holds within a corpus, and has to be
        below 1. Without shares all speakers are one corpus.
    rank, world_size : int
        This process, and how many there are.

    Raises
    ------
    ConfigError
        A number is out of its range, ``units`` does not divide among the processes, or the shares name other
        corpora than there are.
    CorpusError
        A label is negative, or there are fewer than two speakers.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        units: int,
        batches: int,
        seed: int,
        balance: float = 1.0,
        corpora: Sequence[str] = (),
        shares: Mapping[str, float] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ConfigError(
                f"rank {rank} is not from 0 to {world_size - 1}, the ranks of {world_size} processes"
            )
        if units < 1 or batches < 1:
            raise ConfigError(f"sampler: {units} units and {batches} batches must both be 1 or more")
        if units % world_size:
            raise ConfigError(f"sampler: {units} units a batch do not divide among {world_size} processes")
        if not 0 <= balance <= 1:
            raise ConfigError(f"batches.balance: {balance} is not between 0 and 1")
        if shares and balance == 1:
            raise ConfigError(
                "batches.balance: 1 draws every speaker equally often, whatever the corpus; with shares of "
                "corpora give less than 1"
            )
        self.units = units
        self.batches = batches
        self.seed = seed
        self.balance = balance
        self.rank = rank
        self.world_size = world_size
        self._utterances = _by_speaker(labels)
        self._chances = _chances(self._utterances, balance)
        if shares:
            self._chances = _shared(self._chances, [corpora[own[0]] for own in self._utterances], shares)
        self._up_to = np.cumsum(self._chances)
        self._up_to[-1] = 1.0  # above every draw, whatever the sum was rounded to
        self._epoch = 0
        self._first = 0

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[Draw]]:
        plan = self._plan(np.random.default_rng([self.seed, self._epoch]))  # (batches, units)
        for batch in range(self._first, self.batches):
            # The plan's seed counts as ending in 0, so batches count from 1.
            rng = np.random.default_rng([self.seed, self._epoch, batch + 1])
            units = self._units(plan[batch], rng)
            yield [draw for unit in units[self.rank :: self.world_size] for draw in unit]

    def set_epoch(self, epoch: int) -> None:
        """Draw epoch number ``epoch`` from its first batch on."""
        self._epoch = epoch
        self._first = 0

    def start(self, batch: int) -> None:
        """Begin this epoch at a batch other than the first, to resume; `set_epoch` takes it back."""
        if not 0 <= batch <= self.batches:
            raise ConfigError(f"sampler: batch {batch} is not in an epoch of {self.batches} batches")
        self._first = batch

    @property
    def n_speakers(self) -> int:
        """Speakers among the utterances."""
        return len(self._utterances)

    def _plan(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Speakers (batches, units) of an epoch, as often as ``balance`` says."""
        if self.balance < 1:
            return rng.choice(self.n_speakers, (self.batches, self.units), p=self._chances)
        passes = -(-self.batches * self.units // self.n_speakers)
        order = np.concatenate([rng.permutation(self.n_speakers) for _ in range(passes)])
        return order[: self.batches * self.units].reshape(self.batches, self.units)

    def _other(self, speaker: np.int64, rng: np.random.Generator) -> int:
        """Any speaker but this one, the others with the chances that ``balance`` gives."""
        if self.balance == 1:
            return int((speaker + rng.integers(1, self.n_speakers)) % self.n_speakers)
        while (other := int(np.searchsorted(self._up_to, rng.random(), side="right"))) == speaker:
            pass  # as a draw without this speaker would be
        return other

    @abstractmethod
    def _units(self, speakers: NDArray[np.int64], rng: np.random.Generator) -> list[list[Draw]]:
        """The units of one global batch, one for each entry of ``speakers``."""


class SpeakerBatchSampler(BatchSampler):
    """Batches of P speakers x K utterances, no speaker twice in one batch.

    A speaker with fewer than K utterances gives several crops of the same one, from parts that do not
    overlap.

    Parameters
    ----------
    speakers, utterances : int
        P and K of one global batch.
    batches, seed, balance, corpora, shares, rank, world_size
        As for `BatchSampler`; where P is a large part of the speakers, those with many utterances come up a
        little less often than ``balance`` says, because nobody does twice in a batch.

    Raises
    ------
    ConfigError, CorpusError
        As for `BatchSampler`, or there are fewer than P speakers.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        speakers: int,
        utterances: int,
        corpora: Sequence[str] = (),
        shares: Mapping[str, float] | None = None,
        **options: Unpack[EpochOptions],
    ) -> None:
        super().__init__(labels, units=speakers, corpora=corpora, shares=shares, **options)
        if utterances < 1:
            raise ConfigError(f"batches.utterances: {utterances} must be 1 or more")
        if self.n_speakers < speakers:
            raise CorpusError(
                f"batches.speakers: {speakers} a batch, and there are only {self.n_speakers}; lower it"
            )
        self.utterances = utterances

    def _plan(self, rng: np.random.Generator) -> NDArray[np.int64]:
        if self.balance < 1:
            return self._weighted_plan(rng)
        plan = np.empty((self.batches, self.units), dtype=np.int64)
        left = np.empty(0, dtype=np.int64)  # speakers whose turn in the running pass is still to come
        for row in plan:
            if len(left) >= self.units:
                row[:], left = left[: self.units], left[self.units :]
                continue
            # The pass ends within this batch: fill up from the next one, with speakers who are not in the
            # batch yet.
            following = rng.permutation(self.n_speakers)
            fresh = following[~np.isin(following, left)][: self.units - len(left)]
            row[:] = np.concatenate([left, fresh])
            left = following[~np.isin(following, fresh)]
        return plan

    def _weighted_plan(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return np.stack(
            [
                rng.choice(self.n_speakers, self.units, replace=False, p=self._chances)
                for _ in range(self.batches)
            ]
        )

    def _units(self, speakers: NDArray[np.int64], rng: np.random.Generator) -> list[list[Draw]]:
        return [_crops(self._utterances[speaker], self.utterances, rng) for speaker in speakers]


class PairSampler(BatchSampler):
    """Batches of pairs in rows 2i and 2i + 1: first those of one speaker, then as many of two speakers.

    The other speaker of a different pair is any but the first, with the chances that ``balance`` gives.

    Parameters
    ----------
    pairs : int
        In one global batch; an even number.
    batches, seed, balance, rank, world_size
        As for `BatchSampler`.

    Raises
    ------
    ConfigError, CorpusError
        As for `BatchSampler`, or ``pairs`` is odd.
    """

    def __init__(self, labels: Sequence[int], *, pairs: int, **options: Unpack[EpochOptions]) -> None:
        super().__init__(labels, units=pairs, **options)
        if pairs % 2:
            raise ConfigError(
                f"batches.pairs: {pairs} is odd; half of the pairs are of one speaker, half of two"
            )

    def _units(self, speakers: NDArray[np.int64], rng: np.random.Generator) -> list[list[Draw]]:
        half = self.units // 2
        same = [_crops(self._utterances[speaker], 2, rng) for speaker in speakers[:half]]
        different = [
            [
                _any(self._utterances[speaker], rng),
                _any(self._utterances[self._other(speaker, rng)], rng),
            ]
            for speaker in speakers[half:]
        ]
        return same + different


class TripletSampler(BatchSampler):
    """Batches of triplets in rows 3i, 3i + 1, 3i + 2: anchor, positive, and any other speaker's negative.

    The negative's speaker is any but the anchor's, with the chances that ``balance`` gives.

    Parameters
    ----------
    triplets : int
        In one global batch.
    batches, seed, balance, rank, world_size
        As for `BatchSampler`.
    """

    def __init__(self, labels: Sequence[int], *, triplets: int, **options: Unpack[EpochOptions]) -> None:
        super().__init__(labels, units=triplets, **options)

    def _units(self, speakers: NDArray[np.int64], rng: np.random.Generator) -> list[list[Draw]]:
        return [
            [
                *_crops(self._utterances[speaker], 2, rng),
                _any(self._utterances[self._other(speaker, rng)], rng),
            ]
            for speaker in speakers
        ]


class ClipSampler(BatchSampler):
    """Batches of clips, whoever speaks: all of them in a new order, again and again.

    The next pass begins in the middle of a batch where the clips do not divide into batches, so that every
    one comes up equally often.

    Parameters
    ----------
    batches, seed, rank, world_size : int
        As for `BatchSampler`.

    Raises
    ------
    ConfigError, CorpusError
        As for `BatchSampler`; there are fewer than two clips.
    """

    def __init__(self, clips: int, *, size: int, **options: Unpack[EpochOptions]) -> None:
        # To the plan every clip is a speaker of its own.
        super().__init__(range(clips), units=size, **options)

    def _units(self, speakers: NDArray[np.int64], rng: np.random.Generator) -> list[list[Draw]]:
        return [[Draw(index=int(clip))] for clip in speakers]


def _by_speaker(labels: Sequence[int]) -> list[NDArray[np.int64]]:
    """The utterances of each speaker, speakers in the order of their labels."""
    values = np.asarray(labels, dtype=np.int64)
    speakers = np.unique(values)
    if len(speakers) < 2:
        raise CorpusError(
            f"training needs at least 2 speakers, and {len(values)} utterances are of {len(speakers)}"
        )
    if speakers[0] < 0:
        raise CorpusError(f"label {speakers[0]} is no speaker; give the sampler utterances of known speakers")
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], speakers[1:]))


def _chances(utterances: Sequence[NDArray[np.int64]], balance: float) -> NDArray[np.float64]:
    """How often each speaker comes up, of all draws."""
    weights = np.array([len(own) for own in utterances], dtype=np.float64) ** (1 - balance)
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


def _shared(
    chances: NDArray[np.float64], corpora: Sequence[str], shares: Mapping[str, float]
) -> NDArray[np.float64]:
    """Chances of the speakers, scaled so that each corpus comes up as often as its share says."""
    there = sorted(set(corpora))
    if there != sorted(shares):
        raise ConfigError(
            f"batches.shares: are of {', '.join(sorted(shares))}; the training speech is of "
            f"{', '.join(there)}"
        )
    scaled = chances.copy()
    for name in there:
        own = np.array([corpus == name for corpus in corpora])
        scaled[own] *= shares[name] / chances[own].sum()
    shared: NDArray[np.float64] = scaled / scaled.sum()
    return shared


def _crops(utterances: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[Draw]:
    """``count`` draws of one speaker, of different utterances as far as there are, else of disjoint parts."""
    rounds, extra = divmod(count, len(utterances))
    shuffled = rng.permutation(utterances)
    parts = [rounds + (place < extra) for place in range(min(count, len(utterances)))]
    return [
        Draw(index=int(index), part=part, parts=total)
        for index, total in zip(shuffled, parts, strict=False)
        for part in range(total)
    ]


def _any(utterances: NDArray[np.int64], rng: np.random.Generator) -> Draw:
    return Draw(index=int(rng.choice(utterances)))
