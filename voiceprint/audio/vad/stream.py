"""Speech found in sound that is still coming: what `find_speech` does, one window at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.vad.network import CONTEXT, WINDOW
from voiceprint.audio.vad.segments import Segment, SegmentTracker
from voiceprint.audio.vad.speech import State, gain_for, judge_windows, loudness
from voiceprint.audio.waveform import SAMPLE_RATE

# Seconds, by the loudest of which quiet sound is turned up: a slammed door is forgotten in a minute.
_LISTENED = 60
# Loudness of the first second before it is over; of 0.02 to 0.2 it gave the fewest other segments.
_EXPECTED = 0.1


class Windows:
    """Cuts chunks of any size into windows of 512 samples, and keeps what is left for the next chunk."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, dtype=np.float32)

    @property
    def rest(self) -> NDArray[np.float32]:
        """The samples (n,) that fill no window yet, n below 512."""
        return self._rest

    def cut(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take samples (n,), and give every window (512,) that is full. What is not asked for stays."""
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= WINDOW:
            window, self._rest = self._rest[:WINDOW], self._rest[WINDOW:]
            yield window


class SpeechDetector:
    """Finds speech in sound that is still coming, with the segments that `find_speech` finds in all of it.

    Where the two differ, it is by the gain for quiet sound. `find_speech` turns a clip up by its loudest
    second. Here that is the loudest so far, of the last minute, and nothing is turned up by more than 6 dB in
    the first second. So sound before the loudest word may be turned up more than in the whole clip, and in
    the first second less. Sound that needs no gain in its first second has the same segments.

    It remembers the network's state, 64 samples, and the loudness of 60 seconds, however long it goes on.

    Examples
    --------
    >>> detector = SpeechDetector()
    >>> detector.feed(np.zeros(16_000, dtype=np.float32))
    ()
    """

    def __init__(self) -> None:
        self._windows = Windows()
        self._gain = _RunningGain()
        self._context = np.zeros(CONTEXT, dtype=np.float32)
        self._state: State | None = None
        self._tracker = SegmentTracker()

    @property
    def earliest(self) -> int:
        """The first sample that may still become part of a segment which is not closed."""
        return self._tracker.earliest

    @property
    def received(self) -> int:
        """How many samples were judged, the silence that filled the last window included."""
        return self._tracker.windows * WINDOW

    def feed(self, samples: NDArray[np.float32]) -> tuple[Segment, ...]:
        """Take the next samples.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            At 16 kHz, in [-1, 1]; any number of them.

        Returns
        -------
        tuple of Segment
            Those that are sure to have ended, which is known 0.2 s after the last window of speech.
        """
        closed = [self.judge(window) for window in self._windows.cut(samples)]
        return tuple(segment for segment in closed if segment is not None)

    def judge(self, window: NDArray[np.float32]) -> Segment | None:
        """Take the next window, float32 (512,), for who cuts the sound into windows anyway.

        Returns
        -------
        Segment or None
            As `feed`.
        """
        self._gain.add(window)
        return self._judge(window)

    def current(self, length: int | None = None) -> Segment | None:
        """Return the segment that is not closed yet as it would be if the sound ended now.

        Parameters
        ----------
        length : int, optional
            Samples of sound, where silence was added to fill the last window.

        Returns
        -------
        Segment or None
            None where nobody speaks.
        """
        return self._tracker.current(self.received if length is None else length)

    def finish(self) -> Segment | None:
        """End the sound, and return the segment that ends with it, if any."""
        rest = self._windows.rest
        length = self.received + len(rest)
        self._gain.add(rest)
        closed = self._judge(np.pad(rest, (0, WINDOW - len(rest)))) if len(rest) else None
        return closed or self.current(length)

    def _judge(self, window: NDArray[np.float32]) -> Segment | None:
        sound = np.concatenate([self._context, window])
        (probability,), self._state = judge_windows(sound * self._gain.value, self._state)
        self._context = window[-CONTEXT:]
        return self._tracker.add(float(probability))


class _RunningGain:
    """The gain of the sound so far, by its loudest second of the last minute."""

    def __init__(self) -> None:
        self._second = np.zeros(SAMPLE_RATE, dtype=np.float32)
        self._filled = 0
        self._loudest: deque[float] = deque(maxlen=_LISTENED)

    @property
    def value(self) -> np.float32:
        now = loudness(self._second[: self._filled]) if self._filled else 0.0
        return gain_for(max([now, *(self._loudest or [_EXPECTED])]))

    def add(self, window: NDArray[np.float32]) -> None:
        fitting = window[: SAMPLE_RATE - self._filled]
        self._second[self._filled : self._filled + len(fitting)] = fitting
        self._filled += len(fitting)
        if self._filled == SAMPLE_RATE:
            self._loudest.append(loudness(self._second))
            rest = window[len(fitting) :]
            self._second[: len(rest)] = rest
            self._filled = len(rest)
