"""Speech cut into short steps, each of one speaker or so, and what is embedded of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.activity import Activity, runs_of
from voiceprint.diarization.segmentation import FRAME
from voiceprint.model import SpeakerModel

__all__ = ["RecordingEmbedder", "Steps", "cut_steps"]

_STEP = 12  # frames (0.24 s)
_TOGETHER = 64  # stretches embedded at a time
_PARTS_TOGETHER = 16  # parts embedded at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Steps in order of time, which cover all speech once.

    Parameters
    ----------
    start, stop : ndarray of int64, shape (n,)
        Frames.
    alone : ndarray of bool, shape (n,)
        Whether one person speaks, as far as it is known.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    alone: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Seconds of each."""
        return np.asarray((self.stop - self.start) * (FRAME / SAMPLE_RATE), dtype=np.float64)


def cut_steps(activity: Activity) -> Steps:
    """Cut speech into steps; where two speak at once everywhere, all of it counts as speech of one."""
    pieces = [piece for start, stop in runs_of(activity.speech) for piece in _pieces(start, stop)]
    start, stop = np.array(pieces, dtype=np.int64).reshape(-1, 2).T
    alone = ~activity.overlap[(start + stop) // 2]
    return Steps(start=start, stop=stop, alone=alone if alone.any() else ~alone)


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    count = max(1, round((stop - start) / _STEP))
    edges = np.round(np.linspace(start, stop, count + 1)).astype(int).tolist()
    return list(itertools.pairwise(edges))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingEmbedder:
    """Embeds what is said in steps of a recording; all embeddings have unit length.

    What is digital silence has zeros.

    Parameters
    ----------
    progress : callable
        ``progress(seconds)``, where in the recording it is.
    """

    recording: SpooledRecording
    steps: Steps
    model: SpeakerModel
    progress: Callable[[float], None] = lambda seconds: None

    def around(self, places: NDArray[np.int64], seconds: float) -> NDArray[np.float32]:
        """Embed so many seconds around each of these steps (m,) -> (m, dim)."""
        length = round(seconds * SAMPLE_RATE)
        middles = (self.steps.start[places] + self.steps.stop[places]) * FRAME // 2
        starts = np.clip(middles - length // 2, 0, max(0, self.recording.samples - length))
        found = np.zeros((len(places), self.model.dim), dtype=np.float32)
        for begin in range(0, len(places), _TOGETHER):
            some = starts[begin : begin + _TOGETHER].tolist()
            found[begin : begin + len(some)] = self._embedded(
                [self.recording.read(start, start + length) for start in some]
            )
            self.progress((some[-1] + length) / SAMPLE_RATE)
        return found

    def together(self, parts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Embed all steps of each part together.

        Parameters
        ----------
        parts : ndarray of int64, shape (n,)
            The part of each step, from 0 on; -1 for steps that are left out.

        Returns
        -------
        ndarray of float32, shape (parts, dim)
        """
        order = np.argsort(parts, kind="stable")[int((parts < 0).sum()) :]
        of = np.split(order, np.flatnonzero(np.diff(parts[order])) + 1)
        found = np.zeros((len(of), self.model.dim), dtype=np.float32)
        by_length = sorted(range(len(of)), key=lambda part: len(of[part]))
        for begin in range(0, len(of), _PARTS_TOGETHER):
            chosen = by_length[begin : begin + _PARTS_TOGETHER]
            found[chosen] = self._embedded([self._joined(of[part]) for part in chosen])
        return found

    def _joined(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        ends = zip(self.steps.start[places].tolist(), self.steps.stop[places].tolist(), strict=True)
        return np.concatenate([self.recording.read(start * FRAME, stop * FRAME) for start, stop in ends])

    def _embedded(self, clips: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        found = np.zeros((len(clips), self.model.dim), dtype=np.float32)
        sounding = [n for n, clip in enumerate(clips) if len(clip) >= SAMPLE_RATE // 10 and clip.any()]
        if sounding:
            found[sounding] = self.model.embed([clips[n] for n in sounding])
        return found
