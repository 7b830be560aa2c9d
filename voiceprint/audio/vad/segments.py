"""Windows that were judged one after the other become segments of speech."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.vad.network import WINDOW
from voiceprint.audio.waveform import SAMPLE_RATE

# In windows of 32 ms.
_MIN_SPEECH = 5  # a shorter burst is a click or a knock
_HANGOVER = 3  # added on both sides: consonants fade in and out below the threshold
_MAX_GAP = (
    2 * _HANGOVER
)  # a pause up to this belongs to the speech around it; beyond it, hangovers cannot overlap
_DOUBT = (
    312  # 10 s: no speech begins longer before the window that makes it sure, so little sound must be kept
)

# Speech begins at the upper probability and lasts while it stays above the lower one.
_BEGIN, _LAST = 0.5, 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech: its first sample, and the one after the last, at 16 kHz."""

    start: int
    stop: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.stop - self.start) / SAMPLE_RATE


class SegmentTracker:
    """Joins windows of speech over short pauses, drops bursts, and keeps about 0.1 s on both sides.

    It takes one window at a time and remembers four numbers, so sound may go on for days.

    Examples
    --------
    >>> tracker = SegmentTracker()
    >>> closed = [tracker.add(probability) for probability in [0.1] * 4 + [0.9] * 6 + [0.1] * 7]
    >>> closed[-1]
    Segment(start=512, stop=6656)
    """

    def __init__(self) -> None:
        self._windows = 0
        self._run: int | None = None  # where the windows above the lower probability begin
        self._sure = False  # whether they reached the upper one
        self._past: tuple[int, int] | None = None  # speech that a new run may join

    @property
    def windows(self) -> int:
        """How many windows were judged."""
        return self._windows

    @property
    def earliest(self) -> int:
        """The first sample that may still become part of a segment which is not closed."""
        start = self._next_start if self._past is None else self._past[0]
        return max(0, start - _HANGOVER) * WINDOW

    def add(self, probability: float) -> Segment | None:
        """Take the next window; returns the segment that is sure to have ended now, if any."""
        if probability >= _LAST:
            self._go_on(sure=probability >= _BEGIN)
        else:
            self._pause()
        self._windows += 1
        if self._past is None or self._next_start - self._past[1] <= _MAX_GAP:
            return None
        closed, self._past = self._past, None
        return _segment(*closed, self._windows * WINDOW)

    def current(self, length: int) -> Segment | None:
        """Return the segment not closed yet as it would be if the sound ended now, after `length` samples.

        None where there is none, and while it is too short to be more than a click.
        """
        if self._run is not None and self._sure:
            return _segment(self._run, self._windows, length)
        return None if self._past is None else _segment(*self._past, length)

    @property
    def _next_start(self) -> int:
        """The earliest window at which speech may begin that is not known yet, or that lasts."""
        if self._run is None:
            return self._windows
        return self._run if self._sure else max(self._run, self._windows - _DOUBT)

    def _go_on(self, *, sure: bool) -> None:
        if self._run is None:
            self._run = self._windows
        if sure and not self._sure:
            self._run, self._sure = self._next_start, True
            if self._past is not None:  # near enough, or it would have been closed
                self._run, self._past = self._past[0], None

    def _pause(self) -> None:
        if self._run is not None and self._sure:
            self._past = (self._run, self._windows)
        self._run, self._sure = None, False


def to_segments(probabilities: NDArray[np.float32], length: int) -> tuple[Segment, ...]:
    """Join windows of speech over short pauses, drop bursts, and keep about 0.1 s on both sides.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (windows,)
        Probability that each window of 512 samples holds speech.

    Examples
    --------
    >>> probabilities = np.repeat([0.0, 0.9, 0.0], 10)
    >>> [(each.start, each.stop) for each in to_segments(probabilities, 30 * 512)]
    [(3584, 11776)]
    """
    tracker = SegmentTracker()
    found = [tracker.add(probability) for probability in probabilities.tolist()]
    found.append(tracker.current(length))
    return tuple(segment for segment in found if segment is not None)


def _segment(first: int, last: int, length: int) -> Segment | None:
    """Widen windows [first, last) by the hangover; None where they are too few."""
    if last - first < _MIN_SPEECH:
        return None
    return Segment(start=max(0, first - _HANGOVER) * WINDOW, stop=min(length, (last + _HANGOVER) * WINDOW))
