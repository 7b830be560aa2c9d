"""Samples that come in chunks of any size, rate and type -> windows at 16 kHz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from voiceprint.audio.vad import Windows
from voiceprint.audio.waveform import SAMPLE_RATE, check_original_rate, check_samples, fault, full_scale

_SOURCE = "<live>"


class LiveSound:
    """One channel of sound that is still coming, brought to 16 kHz and cut into windows.

    Parameters
    ----------
    sample_rate : int
        In Hz, from 8 to 192 kHz.

    Raises
    ------
    AudioError
        If the rate is not one that is read.
    """

    def __init__(self, sample_rate: int) -> None:
        check_original_rate(sample_rate, _SOURCE)
        self.sample_rate = sample_rate
        self._resampler = (
            None
            if sample_rate == SAMPLE_RATE
            else soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32")
        )
        self._windows = Windows()

    def feed(self, samples: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
        """Take samples and give every window (512,) that is full now. What is not asked for stays.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            Floats in [-1, 1] or integers.

        Raises
        ------
        AudioError
            If they are of another shape or type, not finite, or far above full scale. None of them is taken.
        """
        return self._windows.cut(self._resampled(_one_channel(samples), last=False))

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """Give the windows that are full when no more samples come; `rest` is what remains after them."""
        return self._windows.cut(self._resampled(np.zeros(0, dtype=np.float32), last=True))

    @property
    def rest(self) -> NDArray[np.float32]:
        """The samples (n,) at 16 kHz that fill no window, n below 512."""
        return self._windows.rest

    def _resampled(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        return np.clip(samples, -1.0, 1.0)  # resampling a loud sound overshoots full scale a little


def _one_channel(samples: NDArray[Any]) -> NDArray[np.float32]:
    block = np.asarray(samples)
    if block.ndim != 1:
        raise fault(_SOURCE, f"of shape {block.shape} is not one channel; give samples of shape (n,)")
    scaled = full_scale(block, _SOURCE)
    if len(scaled):
        check_samples(scaled, _SOURCE)
    return scaled
