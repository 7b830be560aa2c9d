"""A clip that is still being spoken: at any moment, what `read_clip` gives of the sound so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.clipping import ClippingMeter
from voiceprint.audio.clips import MARGIN, Clip, widened
from voiceprint.audio.quality import ClipQuality, Loudness, quality_of
from voiceprint.audio.vad import WINDOW, Segment, SpeechDetector
from voiceprint.audio.waveform import SAMPLE_RATE

_REACH = round(MARGIN * SAMPLE_RATE)
_SLACK = SAMPLE_RATE  # speech is forgotten a second at a time
_REMEMBERED = 600 * SAMPLE_RATE  # noise before about the last ten minutes fades


class LiveClip:
    """The speech of sound that comes window by window, kept as it would be embedded.

    After any window, `clip` is what `read_clip` makes of the samples so far, where the detector finds the
    same speech (see `SpeechDetector`). Only a constant offset, which takes the whole clip to be known, is not
    subtracted. Memory is bounded: what is no speech is dropped, and so is speech beyond `most` seconds.

    Parameters
    ----------
    most : float
        Seconds of speech that are kept; what was said before them is forgotten.
    original_rate : int
        Sample rate before resampling, in Hz.
    """

    def __init__(self, *, most: float, original_rate: int = SAMPLE_RATE) -> None:
        self._most = round(most * SAMPLE_RATE)
        self._original_rate = original_rate
        self._detector = SpeechDetector()
        self._meter = ClippingMeter()
        self._length = self._begin = 0  # samples received, and the first that counts
        self._segments: list[Segment] = []  # that have ended
        self._forgotten = 0  # samples of speech that do not count any more
        self._windows: dict[int, NDArray[np.float32]] = {}  # that are or may become speech or its margin
        self._energies: dict[int, float] = {}  # of the same windows
        self._decided = self._pruned = 0  # the first window that may still become speech, or its margin
        self._noise = Loudness()  # of what is no speech, before the window that is decided next

    @property
    def received(self) -> int:
        """Samples at 16 kHz so far."""
        return self._length

    @property
    def speaking(self) -> Segment | None:
        """The speech that has not ended yet, as if it ended now; None where nobody speaks."""
        return self._detector.current(self._length)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Where the speech lies that counts; what lasts is taken as if it ended now."""
        now = self.speaking
        found = self._segments if now is None else [*self._segments, now]
        counting = [each for each in found if each.stop > self._begin]
        return tuple(Segment(start=max(each.start, self._begin), stop=each.stop) for each in counting)

    @property
    def seconds_of_speech(self) -> float:
        """Seconds of speech that count."""
        return self._speech / SAMPLE_RATE

    @property
    def spoken(self) -> float:
        """Seconds of speech from the beginning on, whether they count or not."""
        return (self._forgotten + self._speech) / SAMPLE_RATE

    @property
    def _speech(self) -> int:
        return sum(segment.stop - segment.start for segment in self.segments)

    def add(self, window: NDArray[np.float32]) -> Segment | None:
        """Take the next window.

        Parameters
        ----------
        window : ndarray of float32, shape (512,)
            At 16 kHz, in [-1, 1].

        Returns
        -------
        Segment or None
            Speech that is sure to have ended now.
        """
        self._take(window)
        closed = self._detector.judge(window)
        if closed is not None:
            self._segments.append(closed)
        self._listen_to_noise()
        self._prune()
        if self._speech > self._most + _SLACK:
            self.forget_before(self.last(self._most / SAMPLE_RATE))
        return closed

    def finish(self, rest: NDArray[np.float32]) -> Segment | None:
        """Take the last samples (n,), n below 512, and end the sound.

        Returns
        -------
        Segment or None
            Speech that ended now or with the sound.
        """
        self._take(rest)
        self._detector.feed(rest)
        closed = self._detector.finish()
        if closed is not None:
            self._segments.append(closed)
        return closed

    def clip(self) -> Clip:
        """Return the speech that counts so far, measured as `read_clip` measures a clip.

        Returns
        -------
        Clip
            Without hash, by which a copy is known.
        """
        segments = self.segments
        stretches = widened(segments, start=self._begin, stop=self._length)
        samples = [self._cut(stretch) for stretch in stretches]
        return Clip(
            source="<live>",
            sha256="",
            quality=self._quality(segments),
            speech=np.concatenate([np.zeros(0, dtype=np.float32), *samples]),
            stretches=stretches,
            original_rate=self._original_rate,
        )

    def last(self, seconds: float) -> int:
        """Return the sample where the last so many seconds of speech begin."""
        missing = round(seconds * SAMPLE_RATE)
        for segment in reversed(self.segments):
            if segment.stop - segment.start >= missing:
                return segment.stop - missing
            missing -= segment.stop - segment.start
        return self._begin

    def forget_before(self, sample: int) -> None:
        """Let nothing count that was said before the window of a sample; the noise stays known."""
        spoken, first = self._speech, max(self._begin, sample) // WINDOW
        self._begin = first * WINDOW
        self._segments = [each for each in self._segments if each.stop > self._begin]
        self._forgotten += spoken - self._speech
        self._drop([number for number in self._windows if number < first])

    def _take(self, window: NDArray[np.float32]) -> None:
        number = self._length // WINDOW
        self._windows[number] = window
        self._energies[number] = float(np.square(window, dtype=np.float64).sum())
        self._meter.add(window)
        self._length += len(window)

    def _listen_to_noise(self) -> None:
        """Take windows into account that have become sure to be no speech."""
        decided = self._detector.earliest // WINDOW
        for number in range(self._decided, decided):
            if not _within(number, self._segments[-2:], reach=0):
                self._noise.add(self._energies.get(number, 0.0), WINDOW)
        self._decided = max(self._decided, decided)
        if self._noise.samples > _REMEMBERED:
            self._noise.halve()

    def _prune(self) -> None:
        """Drop windows that can no longer become speech or its margin."""
        sure = max(0, self._detector.earliest - _REACH) // WINDOW
        passed = range(self._pruned, sure)
        self._drop([number for number in passed if not _within(number, self._segments[-2:], reach=_REACH)])
        self._pruned = max(self._pruned, sure)

    def _drop(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._windows.pop(number, None)
            self._energies.pop(number, None)

    def _cut(self, stretch: Segment) -> NDArray[np.float32]:
        numbers = _numbers(stretch)
        samples = np.concatenate([self._windows[number] for number in numbers])
        first = numbers.start * WINDOW
        cut: NDArray[np.float32] = samples[stretch.start - first : stretch.stop - first]
        return cut

    def _quality(self, segments: Sequence[Segment]) -> ClipQuality:
        spoken = {number for each in segments for number in _numbers(each)}
        speech, noise = Loudness(), replace(self._noise)
        for number in spoken:
            speech.add(self._energies[number], len(self._windows[number]))
        for number in range(self._decided, -(-self._length // WINDOW)):
            if number not in spoken and number in self._energies:
                noise.add(self._energies[number], len(self._windows[number]))
        return quality_of(
            seconds=(self._length - self._begin) / SAMPLE_RATE,
            speech=speech,
            noise=noise,
            clipped=self._meter.fraction,
        )


def _numbers(segment: Segment) -> range:
    """The windows that a segment lies in."""
    return range(segment.start // WINDOW, -(-segment.stop // WINDOW))


def _within(number: int, segments: Sequence[Segment], *, reach: int) -> bool:
    """Whether a window lies in a segment, or up to `reach` samples from it."""
    start, stop = number * WINDOW, (number + 1) * WINDOW
    return any(each.start - reach < stop and start < each.stop + reach for each in segments)
