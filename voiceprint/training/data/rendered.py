"""Batches that are made once, kept in a run's folder, and come again masked in other ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from voiceprint.files.whole import whole_file
from voiceprint.training.data.batches import Batch, leave_signals

MadeBatch = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]
"""Samples (n, length) from -1 to 1, what they are (n, ...), and seeds of their masks (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedBatches(Dataset[Batch]):
    """Batches by their number: the same number always gives the same batch.

    Parameters
    ----------
    make : callable
        ``make(number)``: make a batch; not called where it is there.
    count : int
        How many there are; then they come again.
    folder : Path
        Where they are kept, with 16 bits a sample.
    workers : int
        Processes that make and open them; 0 is this one.
    """

    make: Callable[[int], MadeBatch]
    count: int
    folder: Path
    workers: int = 0

    def __getitem__(self, number: int) -> Batch:
        """Open a batch, made now where it was not made ahead."""
        round_, place = divmod(number, self.count)
        self.render(place)
        with np.load(self._path(place)) as made:
            return Batch(
                torch.from_numpy(made["waveforms"].astype(np.float32) / np.float32(32767)),
                torch.from_numpy(made["labels"]),
                torch.from_numpy(made["seeds"] + round_),
            )

    def render(self, number: int) -> None:
        """Make a batch, unless it is there: several processes may share the work, and runs the outcome."""
        path = self._path(number)
        if path.exists():
            return
        samples, labels, seeds = self.make(number)
        whole = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.savez(file, waveforms=whole, labels=labels, seeds=seeds)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.npz"


def rendered_loader(
    dataset: RenderedBatches, start: int, stop: int, *, rank: int = 0, size: int = 1
) -> Iterator[Batch]:
    """Yield the batches of one of `size` processes, from its `start` to its `stop`; they take turns."""
    return iter(
        DataLoader(
            dataset,
            batch_size=None,
            sampler=range(start * size + rank, stop * size, size),
            num_workers=dataset.workers,
            prefetch_factor=3 if dataset.workers else None,
            worker_init_fn=leave_signals,
        )
    )
