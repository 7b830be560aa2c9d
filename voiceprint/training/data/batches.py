"""Batches of equal-length crops: pool, sampler, augmentation; a crop's seed is its place in the run."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from voiceprint.audio import SAMPLE_RATE
from voiceprint.config import require_positive
from voiceprint.errors import ConfigError
from voiceprint.training.data.pool import Pool
from voiceprint.training.data.samplers import (
    BatchSampler,
    ClipSampler,
    Draw,
    PairSampler,
    SpeakerBatchSampler,
    TripletSampler,
)

Augment = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]

# Crops whose level lies this far under the utterance's own are pauses; another place is drawn.
_QUIET = 0.3
_TRIES = 4
# Of crops: oneDNN writes kernels for every length.
_LENGTHS = 16
# Batches that a sampler plans at a time. How often a speaker comes up is evened out within them.
_EPOCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CropConfig:
    """What the ``[batches]`` table of a recipe says whatever its ``kind``.

    Parameters
    ----------
    seconds : tuple of float
        Shortest and longest crop; one of 16 lengths is drawn for each batch.
    own_voice : float
        Probability of the speaker's natural voice, where the pool holds rendered voices as well.
    workers : int
        Processes that make batches; 0 makes them in the training process.
    """

    seconds: tuple[float, float] = (1.0, 4.0)
    own_voice: float = 0.5
    workers: int = 1

    def __post_init__(self) -> None:
        shortest, longest = self.seconds
        if not 0.1 <= shortest <= longest:
            raise ConfigError(
                f"batches.seconds: {list(self.seconds)} must be [shortest, longest] of 0.1 s or more"
            )
        if not 0 <= self.own_voice <= 1:
            raise ConfigError(f"batches.own_voice: {self.own_voice} is a probability, from 0 to 1")
        require_positive("batches", self, "workers", or_zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusShare:
    """How much a corpus counts, in ``[[batches.shares]]`` and in ``[[validation.shares]]``.

    Parameters
    ----------
    share : float
        Its weight among the shares, above 0; they need not add up to 1.
    """

    corpus: str
    share: float

    def __post_init__(self) -> None:
        require_positive("shares", self, "share")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerBatches(CropConfig):
    """``[batches]`` of P speakers x K utterances, for every loss that compares within a batch.

    Parameters
    ----------
    speakers, utterances : int
        P speakers, K utterances of each.
    balance : float
        1 draws every speaker equally often, 0 in proportion to its utterances; see `BatchSampler`.
    shares : tuple of CorpusShare
        How often each corpus comes up; without them a speaker does so whatever the corpus.
    """

    kind: Literal["speakers"] = "speakers"
    speakers: int = 32
    utterances: int = 2
    balance: float = 1.0
    shares: tuple[CorpusShare, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBatches(CropConfig):
    """``[batches]`` of pairs, for losses with ``pairs = "adjacent"``.

    Parameters
    ----------
    pairs : int
        Pairs in a batch, half of them of one speaker.
    balance : float
        1 draws every speaker equally often, 0 in proportion to its utterances; see `BatchSampler`.
    """

    kind: Literal["pairs"] = "pairs"
    pairs: int = 32
    balance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletBatches(CropConfig):
    """``[batches]`` of triplets, for the triplet loss with ``mining = "given"``.

    Parameters
    ----------
    balance : float
        1 draws every speaker equally often, 0 in proportion to its utterances; see `BatchSampler`.
    """

    kind: Literal["triplets"] = "triplets"
    triplets: int = 32
    balance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipBatches(CropConfig):
    """``[batches]`` of clips, every one as often as any other, for classification.

    Parameters
    ----------
    size : int
        Clips in a batch; ``clips / size`` steps are one epoch.
    """

    kind: Literal["clips"] = "clips"
    size: int = 128


BatchConfig = SpeakerBatches | PairBatches | TripletBatches | ClipBatches
"""What the ``[batches]`` table of a recipe may be."""


def make_sampler(
    config: BatchConfig,
    speakers: Sequence[int],
    *,
    corpora: Sequence[str] = (),
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> BatchSampler:
    """The sampler that ``config`` asks for.

    Parameters
    ----------
    speakers : sequence of int
        Speaker number of each utterance.
    corpora : sequence of str
        Corpus of each utterance, where ``config`` has shares.
    seed, rank, world_size
        As for `BatchSampler`.
    """
    place = {"batches": _EPOCH, "seed": seed, "rank": rank, "world_size": world_size}
    match config:
        case SpeakerBatches():
            return SpeakerBatchSampler(
                speakers,
                speakers=config.speakers,
                utterances=config.utterances,
                balance=config.balance,
                corpora=corpora,
                shares={one.corpus: one.share for one in config.shares},
                **place,
            )
        case PairBatches():
            return PairSampler(speakers, pairs=config.pairs, balance=config.balance, **place)
        case TripletBatches():
            return TripletSampler(speakers, triplets=config.triplets, balance=config.balance, **place)
        case ClipBatches():
            return ClipSampler(len(speakers), size=config.size, **place)


@dataclass(frozen=True, slots=True)
class Batch:
    """What the trainer sees of the data.

    Parameters
    ----------
    waveforms : Tensor
        (n, samples) float32 at 16 kHz.
    labels : Tensor
        (n,) int64, class of each.
    seeds : Tensor
        (n,) int64, for what is drawn for each crop after the batch is made.
    teacher : Tensor or None
        (n, dim) float32, the teacher's embedding of each.
    """

    waveforms: Tensor
    labels: Tensor
    seeds: Tensor
    teacher: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to ``device``; the seeds stay, generators are on the CPU."""
        return Batch(
            self.waveforms.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.seeds,
            None if self.teacher is None else self.teacher.to(device, non_blocking=True),
        )

    def pin_memory(self) -> Batch:
        """Move the batch to page-locked memory, from which copies to a GPU overlap with its work."""
        teacher = None if self.teacher is None else self.teacher.pin_memory()
        return Batch(self.waveforms.pin_memory(), self.labels.pin_memory(), self.seeds, teacher)


@dataclass(frozen=True, slots=True)
class _Item:
    step: int
    unit: int
    slot: int
    draw: Draw


class CropDataset(Dataset[Batch]):
    """Makes a batch from its draws; a crop depends on (seed, step, unit, slot), not on workers or ranks.

    Parameters
    ----------
    augment : callable
        Waveform and generator -> waveform of the same length.
    targets : NDArray or None
        (utterances, dim) teacher embeddings, one for each utterance of the pool.
    """

    def __init__(
        self,
        pool: Pool,
        config: CropConfig,
        *,
        augment: Augment,
        targets: NDArray[np.float32] | None,
        seed: int,
    ) -> None:
        self.pool = pool
        self.config = config
        self.augment = augment
        self.targets = targets
        self.seed = seed

    def __getitems__(self, items: Sequence[_Item]) -> Batch:
        """Make one batch."""
        shortest, longest = self.config.seconds
        of_step = np.random.default_rng([self.seed, items[0].step])
        # Log-uniform: short crops are what is hard, and cheap.
        seconds = np.geomspace(shortest, longest, _LENGTHS)[of_step.integers(_LENGTHS)]
        samples = int(SAMPLE_RATE * seconds)
        indices = [self._voiced(item) for item in items]
        waveforms = np.stack(
            [self._crop(item, index, samples) for item, index in zip(items, indices, strict=True)]
        )
        return Batch(
            torch.from_numpy(waveforms),
            torch.from_numpy(self.pool.labels[indices]),
            torch.tensor([self._seed(item) for item in items]),
            None if self.targets is None else torch.from_numpy(self.targets[indices]),
        )

    def _voiced(self, item: _Item) -> int:
        """The utterance drawn, in the voice of its unit: a batch holds one voice of a speaker."""
        generator = np.random.default_rng([self.seed, item.step, item.unit, 1])
        if self.pool.voices == 1 or generator.random() < self.config.own_voice:
            return item.draw.index
        return item.draw.index + len(self.pool) // self.pool.voices * int(
            generator.integers(1, self.pool.voices)
        )

    def _seed(self, item: _Item) -> int:
        generator = np.random.default_rng([self.seed, item.step, item.unit, 0, item.slot + 1])
        return int(generator.integers(2**63))

    def _crop(self, item: _Item, index: int, samples: int) -> NDArray[np.float32]:
        generator = np.random.default_rng([self.seed, item.step, item.unit, 2 + item.slot])
        whole = self.pool.utterances[index].samples
        low, high = (whole * part // item.draw.parts for part in (item.draw.part, item.draw.part + 1))
        stretch = self.pool.read(index, low, high)
        return self.augment(_random_crop(stretch, samples, generator), generator)


def _random_crop(
    stretch: NDArray[np.float32], samples: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    if len(stretch) == samples:
        return stretch
    if len(stretch) < samples:
        # Too short: repeated, beginning anywhere, so that no stretch of digital silence is learned.
        return np.resize(np.roll(stretch, int(generator.integers(max(len(stretch), 1)))), samples)
    enough = _QUIET * np.sqrt(np.mean(np.square(stretch)))
    for _ in range(_TRIES):
        start = int(generator.integers(len(stretch) - samples + 1))
        crop = stretch[start : start + samples]
        if np.sqrt(np.mean(np.square(crop))) >= enough:
            break
    return crop


class _StepSampler(Sampler[list[_Item]]):
    """Numbers the batches of a sampler from ``start`` to ``stop`` and the draws in each."""

    def __init__(self, sampler: BatchSampler, start: int, stop: int) -> None:
        self.sampler = sampler
        self.start, self.stop = start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[_Item]]:
        per_epoch = len(self.sampler)
        step = self.start
        while step < self.stop:
            self.sampler.set_epoch(step // per_epoch)
            self.sampler.start(step % per_epoch)
            for draws in self.sampler:
                if step >= self.stop:
                    return
                yield list(self._number(step, draws))
                step += 1

    def _number(self, step: int, draws: list[Draw]) -> Iterator[_Item]:
        # Units are dealt out to the processes in turn; numbered as in the whole batch, they give the same
        # crops.
        per_unit = len(draws) * self.sampler.world_size // self.sampler.units
        for i, draw in enumerate(draws):
            unit, slot = divmod(i, per_unit)
            yield _Item(step, self.sampler.rank + unit * self.sampler.world_size, slot, draw)


def make_loader(
    dataset: CropDataset,
    sampler: BatchSampler,
    *,
    start: int,
    stop: int,
    pin_memory: bool = False,
) -> DataLoader[Batch]:
    """Batches of steps ``start`` to ``stop``; any two loaders give the same batch for the same step."""
    steps = _StepSampler(sampler, start, stop)
    workers = dataset.config.workers
    return DataLoader(
        dataset,
        batch_sampler=steps,
        collate_fn=_as_is,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        worker_init_fn=leave_signals,
    )


def leave_signals(_worker: int) -> None:
    """Let a worker of a loader outlive Ctrl-C and SIGTERM, which the training process answers for all.

    Terminals and service managers send them to every process: training ends its step, saves, and then ends
    its workers.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _as_is(batch: Any) -> Any:
    return batch
