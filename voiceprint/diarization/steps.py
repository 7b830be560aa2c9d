"""Speech cut into steps, of which each has one speaker, and the stretch around each that is embedded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.activity import HOP, Activity, runs_of
from voiceprint.diarization.segmentation import FRAME, WINDOW, members
from voiceprint.model import SpeakerModel

__all__ = ["Steps", "cut_steps", "deciding_window", "embed_steps", "embed_together"]

_STEP = 38  # frames (0.76 s), the longest step
_REACH = 100  # frames (2 s) that are embedded around a step, within the same run
_LEAST = 20  # frames (0.4 s) that are embedded at least, whatever is around
_TOGETHER = 64  # steps embedded at a time
_PARTS_TOGETHER = 16  # parts embedded at a time
_GRAIN = 5  # frames; lengths are rounded to it, so that batches form


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Steps in order of time; they do not overlap.

    Parameters
    ----------
    start, stop : ndarray of int64, shape (n,)
        Frames.
    first, last : ndarray of int64, shape (n,)
        Frames that are embedded for each.
    window : ndarray of int64, shape (n,)
        The network's window that decides about each; -1 without a network.
    local : ndarray of int64, shape (n,)
        The local speaker of that window; -1 without a network.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    window: NDArray[np.int64]
    local: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Seconds of each."""
        return np.asarray((self.stop - self.start) * (FRAME / SAMPLE_RATE), dtype=np.float64)

    @property
    def heard(self) -> NDArray[np.float64]:
        """Seconds that are embedded for each."""
        return np.asarray((self.last - self.first) * (FRAME / SAMPLE_RATE), dtype=np.float64)


def cut_steps(activity: Activity) -> Steps:
    """Cut speech into steps.

    Parameters
    ----------
    activity : Activity
        With a network a step also ends where its local speaker does.
    """
    rows = [
        (begin, end, *_reach(begin, end, start, stop), window, local)
        for start, stop, window, local in _runs(activity)
        for begin, end in _pieces(start, stop)
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    start, stop, first, last, window, local = columns
    frames = len(activity.speech)
    return Steps(
        start=start, stop=stop, first=first.clip(0), last=last.clip(max=frames), window=window, local=local
    )


def deciding_window(activity: Activity, frame: int) -> int:
    """Return the window in whose middle a frame lies."""
    hop, half = HOP // FRAME, (WINDOW - HOP) // (2 * FRAME)
    return int(np.clip((frame - half) // hop, 0, len(activity.windows) - 1))


def _runs(activity: Activity) -> Iterator[tuple[int, int, int, int]]:
    """Yield stretches of one speaker as far as the network tells: start, stop, window, local speaker."""
    if not len(activity.windows):
        yield from ((start, stop, -1, -1) for start, stop in runs_of(activity.speech))
        return
    hop, half = HOP // FRAME, (WINDOW - HOP) // (2 * FRAME)
    table = members()
    main = np.where(table.any(axis=1), table.argmax(axis=1), -1)  # of each class, its first speaker
    for start, stop in runs_of(activity.speech):
        place = start
        while place < stop:
            window = deciding_window(activity, place)
            end = stop if window == len(activity.windows) - 1 else min(stop, half + (window + 1) * hop)
            classes = activity.windows[window, place - window * hop : end - window * hop]
            yield from _labelled(place, _settled(main[classes], table[classes]), window)
            place = end


def _settled(local: NDArray[np.int64], active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Say who leads in each frame: in overlap whoever led before, and in silence as well."""
    settled = local.copy()
    for frame in range(1, len(settled)):
        before = settled[frame - 1]
        if local[frame] < 0 or (before >= 0 and active[frame, before]):
            settled[frame] = before
    known = np.flatnonzero(settled >= 0)
    if known.size:
        settled[: known[0]] = settled[known[0]]
    return settled


def _labelled(start: int, local: NDArray[np.int64], window: int) -> Iterator[tuple[int, int, int, int]]:
    edges = [0, *(np.flatnonzero(np.diff(local)) + 1).tolist(), len(local)]
    for begin, end in itertools.pairwise(edges):
        yield start + begin, start + end, window, int(local[begin])


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    count = max(1, round((stop - start) / _STEP))
    edges = np.round(np.linspace(start, stop, count + 1)).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _reach(begin: int, end: int, start: int, stop: int) -> tuple[int, int]:
    """Widen a step to what is embedded for it: within its run if that is long enough."""
    length = int(np.clip(_REACH, _LEAST, max(_LEAST, (stop - start) // _GRAIN * _GRAIN)))
    first = int(np.clip((begin + end - length) // 2, start, max(start, stop - length)))
    if stop - start < length:
        first = (start + stop - length) // 2
    return first, first + length


def embed_steps(
    steps: Steps,
    recording: SpooledRecording,
    model: SpeakerModel,
    *,
    progress: Callable[[float], None] = lambda seconds: None,
) -> NDArray[np.float32]:
    """Embed steps, (n, dim), of unit length; what is digital silence has zeros.

    Parameters
    ----------
    progress : callable
        ``progress(seconds)``, where in the recording it is.
    """
    found = np.zeros((len(steps), model.dim), dtype=np.float32)
    for begin in range(0, len(steps), _TOGETHER):
        places = range(begin, min(len(steps), begin + _TOGETHER))
        clips = [recording.read(steps.first[place] * FRAME, steps.last[place] * FRAME) for place in places]
        found[begin : begin + len(clips)] = _embedded(clips, model)
        progress(float(steps.stop[places[-1]]) * FRAME / SAMPLE_RATE)
    return found


def embed_together(
    steps: Steps, parts: NDArray[np.int64], recording: SpooledRecording, model: SpeakerModel
) -> NDArray[np.float32]:
    """Embed the steps of each part together.

    Parameters
    ----------
    steps : Steps
    parts : ndarray of int64, shape (n,)
        The part of each step, from 0 on.
    recording : SpooledRecording
    model : SpeakerModel

    Returns
    -------
    ndarray of float32, shape (parts, dim)
        Of unit length; what is digital silence has zeros.
    """
    order = np.argsort(parts, kind="stable")
    of = np.split(order, np.flatnonzero(np.diff(parts[order])) + 1)
    found = np.zeros((len(of), model.dim), dtype=np.float32)
    by_length = sorted(range(len(of)), key=lambda part: float(steps.seconds[of[part]].sum()))
    for begin in range(0, len(of), _PARTS_TOGETHER):
        chosen = by_length[begin : begin + _PARTS_TOGETHER]
        found[chosen] = _embedded([_joined(steps, of[part], recording) for part in chosen], model)
    return found


def _joined(steps: Steps, places: NDArray[np.int64], recording: SpooledRecording) -> NDArray[np.float32]:
    return np.concatenate(
        [recording.read(int(steps.start[n]) * FRAME, int(steps.stop[n]) * FRAME) for n in places]
    )


def _embedded(clips: list[NDArray[np.float32]], model: SpeakerModel) -> NDArray[np.float32]:
    found = np.zeros((len(clips), model.dim), dtype=np.float32)
    sounding = [n for n, clip in enumerate(clips) if len(clip) >= SAMPLE_RATE // 10 and clip.any()]
    if sounding:
        found[sounding] = model.embed([clips[n] for n in sounding])
    return found
