"""Batches of windows for the segmentation network, and how wrong it is on windows of held-out people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from voiceprint.audio import SAMPLE_RATE
from voiceprint.diarization.segmentation import FRAME, LOCAL_SPEAKERS, members
from voiceprint.training.augment import NoiseBank, RoomBank
from voiceprint.training.data.batches import Batch, leave_signals
from voiceprint.training.run.criterion import Criterion
from voiceprint.training.segmentation.conversations import Conversation, draw_people, simulate
from voiceprint.training.segmentation.phrases import PhraseBank
from voiceprint.training.segmentation.recipe import ConversationConfig

ERROR = Criterion(name="error", title="diarization error in windows")


def activity(conversation: Conversation, start: int, stop: int) -> NDArray[np.bool_]:
    """Say who is active in each frame from sample `start` to `stop`.

    Returns
    -------
    ndarray of bool, shape (frames, 3)
        The three people who say most there, in no order that means anything. Where a fourth speaks, all three
        count as active, which `to_classes` ignores.
    """
    frames = (stop - start) // FRAME
    names = sorted({turn.speaker for turn in conversation.turns})
    everybody = np.zeros((frames, max(LOCAL_SPEAKERS, len(names))), dtype=np.bool_)
    for turn in conversation.turns:
        first = np.ceil((turn.start * SAMPLE_RATE - start) / FRAME)
        last = np.ceil((turn.stop * SAMPLE_RATE - start) / FRAME)
        everybody[max(0, int(first)) : max(0, int(last)), names.index(turn.speaker)] = True
    order = np.argsort(-everybody.sum(axis=0), kind="stable")
    main, others = everybody[:, order[:LOCAL_SPEAKERS]], everybody[:, order[LOCAL_SPEAKERS:]]
    crowded = np.asarray(others.any(axis=1))
    return np.asarray(main | crowded[:, None])


def windows_of(
    conversation: Conversation, seconds: float
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Cut a conversation into windows: samples (n,), and who is active (frames, 3)."""
    length = round(seconds * SAMPLE_RATE) // FRAME * FRAME
    for start in range(0, len(conversation.samples) - length + 1, length):
        window = conversation.samples[start : start + length]
        yield window, activity(conversation, start, start + length)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowDataset(Dataset[Batch]):
    """Batches by their number: the same number always gives the same batch.

    Parameters
    ----------
    noise, rooms
        As of `simulate`.
    """

    bank: PhraseBank
    config: ConversationConfig
    noise: NoiseBank | None
    rooms: RoomBank | None
    seed: int

    def __getitem__(self, number: int) -> Batch:
        """Simulate the conversations of a batch, and cut them."""
        generator = np.random.default_rng((self.seed, number))
        pairs = [pair for _ in range(self.config.per_batch) for pair in self._windows(generator)]
        return Batch(
            torch.from_numpy(np.stack([samples for samples, _ in pairs])),
            torch.from_numpy(np.stack([active for _, active in pairs])),
            torch.zeros(len(pairs), dtype=torch.int64),
        )

    def conversation(self, generator: np.random.Generator) -> Conversation:
        """Draw a conversation."""
        least, most = self.config.people
        people = draw_people(self.bank, generator, int(generator.integers(least, most, endpoint=True)))
        return simulate(
            self.bank,
            people,
            seconds=self.config.seconds,
            generator=generator,
            noise=self.noise,
            rooms=self.rooms,
            taking=self.config.taking,
            acoustics=self.config.acoustics,
        )

    def _windows(
        self, generator: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        return windows_of(self.conversation(generator), self.config.window)


def window_loader(dataset: WindowDataset, start: int, stop: int) -> Iterator[Batch]:
    """Yield the batches of numbers `start` to `stop`."""
    workers = dataset.config.workers
    return iter(
        DataLoader(
            dataset,
            batch_size=None,
            sampler=range(start, stop),
            num_workers=workers,
            prefetch_factor=3 if workers else None,
            worker_init_fn=leave_signals,
        )
    )


class SegmentationSuite:
    """Windows of dev people, the same at every validation.

    Parameters
    ----------
    windows : sequence of (samples (n,), active (frames, 3))
    """

    criterion = ERROR

    def __init__(self, windows: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> None:
        self._windows = windows

    def __call__(self, network: nn.Module) -> Mapping[str, float]:
        """Measure a network that is in evaluation mode.

        Returns
        -------
        Mapping of str to float
            ``error`` and what it is made of, ``missed``, ``false_alarm`` and ``confusion``: frames over
            frames of speech, counted for each speaker, in the best order of the local speakers.
        """
        sums = np.zeros(4)
        for start in range(0, len(self._windows), 16):
            some = self._windows[start : start + 16]
            logits = network(torch.from_numpy(np.stack([samples for samples, _ in some])))
            for (_, active), found in zip(some, _decided(logits), strict=True):
                sums += _errors(active, found)
        missed, false_alarm, confusion, total = sums.tolist()
        total = max(total, 1.0)
        return {
            "error": (missed + false_alarm + confusion) / total,
            "missed": missed / total,
            "false_alarm": false_alarm / total,
            "confusion": confusion / total,
        }


def _decided(logits: Tensor) -> NDArray[np.bool_]:
    return np.asarray(members()[logits.argmax(dim=-1).numpy()])


def _errors(active: NDArray[np.bool_], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count missed, false, confused and spoken frames of one window in the best order of its speakers."""
    known = ~active.all(axis=1)
    active, found = active[known], found[known]
    spoken, said = active.sum(axis=1), found.sum(axis=1)
    right = max(int((active & found[:, list(order)]).sum()) for order in permutations(range(LOCAL_SPEAKERS)))
    return np.array(
        [
            np.maximum(spoken - said, 0).sum(),
            np.maximum(said - spoken, 0).sum(),
            np.minimum(spoken, said).sum() - right,
            spoken.sum(),
        ],
        dtype=np.float64,
    )
