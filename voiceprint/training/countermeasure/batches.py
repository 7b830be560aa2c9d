"""Batches of pairs: a live crop and a machine's of the same place, degraded by the same draws.

Whatever both sides of a pair share, from the words to the codec, cannot tell one from the other, so the
network has to listen to what the machine did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import opus
from voiceprint.countermeasure import KINDS
from voiceprint.errors import TrainingError
from voiceprint.training.augment import Augmenter, RoomBank
from voiceprint.training.countermeasure.bank import LIVE, ClipBank
from voiceprint.training.countermeasure.devices import replay
from voiceprint.training.countermeasure.recipe import PairConfig
from voiceprint.training.data.rendered import MadeBatch

_LIVE, _SYNTHETIC, _PLAYED = range(len(KINDS))
_KBPS = (12.0, 45.0)
_MACHINE_REPLAYED = 0.15  # of the replays are of a machine's speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A clip of a bank.

    Parameters
    ----------
    bank, clip : int
        Places of the bank among its like, and of the clip in it.
    """

    bank: int
    clip: int


class SpoofBanks:
    """The banks of a split: those of people, those of machines, and which clip was made of which.

    Parameters
    ----------
    banks : sequence of ClipBank

    Raises
    ------
    TrainingError
        If people or machines are missing.
    """

    def __init__(self, banks: Sequence[ClipBank]) -> None:
        self.live = [bank for bank in banks if bank.kind == LIVE]
        self.machines = [bank for bank in banks if bank.kind != LIVE]
        if not self.live or not self.machines:
            raise TrainingError(
                f"{len(self.live)} banks of people and {len(self.machines)} of machines; at least one of "
                "each is needed: make them by scripts/prepare_spoofs"
            )
        self._sources = {
            source: Place(bank=number, clip=clip)
            for number, bank in enumerate(self.live)
            for clip, source in enumerate(bank.sources)
        }
        self._copying = [bank for bank in self.machines if any(bank.sources)]
        self._speaking = [bank for bank in self.machines if not any(bank.sources)]

    def draw_live(self, generator: Generator) -> NDArray[np.float32]:
        """Draw a clip (n,) of somebody."""
        bank = _drawn(self.live, generator)
        return bank.clip(int(generator.integers(len(bank))))

    def draw_pair(
        self, generator: Generator, *, spoken: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a machine's clip, and the clip that it was made of, or anybody's where it spoke a text.

        Parameters
        ----------
        spoken : float
            Probability that it spoke a text, where there are machines of both kinds.
        """
        kind = self._speaking if generator.random() < spoken else self._copying
        bank = _drawn(kind or self.machines, generator)
        clip = int(generator.integers(len(bank)))
        place = self._sources.get(bank.sources[clip])
        live = self.draw_live(generator) if place is None else self.live[place.bank].clip(place.clip)
        return live, bank.clip(clip)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairMaker:
    """Makes batches of pairs by their number.

    Parameters
    ----------
    augmenter : callable
        Gives what degrades either side of a pair alike; not asked where all batches were made ahead.
    rooms : RoomBank
        Where loudspeakers stand.
    """

    speech: SpoofBanks
    config: PairConfig
    augmenter: Callable[[], Augmenter]
    rooms: RoomBank
    seed: int

    def __call__(self, number: int) -> MadeBatch:
        """Draw the pairs of a batch, cut and degrade them: samples, kinds, and seeds of masks."""
        generator = np.random.default_rng((self.seed, number))
        length = round(generator.uniform(*self.config.seconds) * SAMPLE_RATE)
        augment = self.augmenter()
        crops, labels = list[NDArray[np.float32]](), list[int]()
        for _ in range(self.config.per_batch):
            live, made, kind = self._pair(generator)
            start, seed = float(generator.random()), int(generator.integers(2**63))
            said, copied = _crop(live, start, length), _crop(made, start, length)
            if generator.random() < self.config.encoded:
                said = opus(said, kbps=float(generator.uniform(*_KBPS)))
            crops += [augment(crop, np.random.default_rng(seed)) for crop in (said, copied)]
            labels += [_LIVE, kind]
        seeds = generator.integers(2**62, size=len(crops) // 2).repeat(2)
        return np.stack(crops), np.array(labels, dtype=np.int64), seeds

    def _pair(self, generator: Generator) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        if generator.random() >= self.config.replayed:
            return *self.speech.draw_pair(generator, spoken=self.config.spoken), _SYNTHETIC
        live = self.speech.draw_live(generator)
        played = live
        if generator.random() < _MACHINE_REPLAYED:
            live, played = self.speech.draw_pair(generator, spoken=self.config.spoken)
        room = self.rooms.draw(generator)[0]
        return live, replay(played, generator, room=room), _PLAYED


def _crop(clip: NDArray[np.float32], start: float, length: int) -> NDArray[np.float32]:
    """Cut from a share of what can be left out; a short clip goes round in a loop."""
    if clip.size <= length:
        return np.resize(clip, length)
    first = int(start * (clip.size - length + 1))
    return clip[first : first + length]


def _drawn(banks: Sequence[ClipBank], generator: Generator) -> ClipBank:
    """Draw a bank by the root of its clips, so that none drowns another."""
    weights = np.sqrt([len(bank) for bank in banks])
    return banks[int(generator.choice(len(banks), p=weights / weights.sum()))]
