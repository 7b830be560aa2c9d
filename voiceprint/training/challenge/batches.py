"""Batches of sequences of words, degraded as microphones, rooms and lines do, amid their silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from voiceprint.audio import SAMPLE_RATE
from voiceprint.challenge.order import BLANK
from voiceprint.files.whole import whole_file
from voiceprint.training.augment import Augmenter
from voiceprint.training.challenge.recipe import SequenceConfig
from voiceprint.training.challenge.speech import Samples, WordSpeech
from voiceprint.training.data.batches import Batch, leave_signals

_SILENCE = int(0.4 * SAMPLE_RATE)  # before and behind the longest sequence of a batch together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceDataset(Dataset[Batch]):
    """Batches by their number: the same number always gives the same batch.

    Parameters
    ----------
    augmenter : callable
        Gives what degrades sequences; not asked where all batches are there.
    rendered : Path
        Folder of the batches that were made, by their number.
    """

    speech: WordSpeech
    config: SequenceConfig
    augmenter: Callable[[], Augmenter]
    rendered: Path
    seed: int

    def __getitem__(self, number: int) -> Batch:
        """Open a batch, made now where it was not made before; they come again, masked in other ways."""
        round_, place = divmod(number, self.config.batches)
        path = self.rendered / f"{place}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            samples, labels, seeds = self._made(place)
            with whole_file(path) as file:
                np.savez(file, waveforms=samples, labels=labels, seeds=seeds)
        with np.load(path) as made:
            return Batch(
                torch.from_numpy(made["waveforms"].astype(np.float32) / np.float32(32767)),
                torch.from_numpy(made["labels"]),
                torch.from_numpy(made["seeds"] + round_),
            )

    def _made(self, number: int) -> tuple[NDArray[np.int16], NDArray[np.int64], NDArray[np.int64]]:
        """Draw the sequences of a batch, and degrade them: samples, classes, and seeds of masks."""
        generator = np.random.default_rng((self.seed, number))
        fewest, most = self.config.words
        words, augment = int(generator.integers(fewest, most + 1)), self.augmenter()
        drawn = [self.speech.draw(self.config, words, generator) for _ in range(self.config.per_batch)]
        length = max(len(samples) for samples, _ in drawn) + _SILENCE
        degraded = [augment(_placed(samples, length, generator), generator) for samples, _ in drawn]
        labels = np.full((len(drawn), max(len(classes) for _, classes in drawn)), BLANK)
        for row, (_, classes) in zip(labels, drawn, strict=True):
            row[: len(classes)] = classes
        whole = np.round(np.clip(np.stack(degraded), -1.0, 1.0) * 32767).astype(np.int16)
        return whole, labels.astype(np.int64), generator.integers(2**62, size=len(drawn))


def sequence_loader(
    dataset: SequenceDataset, start: int, stop: int, *, rank: int = 0, size: int = 1
) -> Iterator[Batch]:
    """Yield the batches of one of `size` processes, from its `start` to its `stop`; they take turns."""
    workers = dataset.config.workers
    return iter(
        DataLoader(
            dataset,
            batch_size=None,
            sampler=range(start * size + rank, stop * size, size),
            num_workers=workers,
            prefetch_factor=3 if workers else None,
            worker_init_fn=leave_signals,
        )
    )


def _placed(samples: Samples, length: int, generator: Generator) -> Samples:
    """Put a sequence into so much silence."""
    whole = np.zeros(length, np.float32)
    first = int(generator.integers(length - len(samples) + 1))
    whole[first : first + len(samples)] = samples
    return whole
