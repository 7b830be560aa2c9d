"""Excerpt: stretches of a recording as one clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_number
from voiceprint.audio.read import stream_audio
from voiceprint.audio.sources import AudioSource, source_name
from voiceprint.audio.waveform import MIN_SECONDS, SAMPLE_RATE, Waveform, fault
from voiceprint.errors import ArgumentError

LONGEST_RECORDING = 12 * 3600.0
"""Seconds of the longest recording that an excerpt is taken of; nothing but the excerpt is kept of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excerpt:
    """Stretches of a recording, one after another, given wherever a clip is.

    Parameters
    ----------
    ranges : tuple of (float, float or None)
        From when to when, in seconds; None is the end. At least one.

    Raises
    ------
    ArgumentError
        If there is no range, or one begins before 0 or ends before it begins.

    Examples
    --------
    >>> Excerpt.between("meeting.wav", 12.5, 31.0).ranges
    ((12.5, 31.0),)
    """

    source: AudioSource
    ranges: tuple[tuple[float, float | None], ...]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise ArgumentError("ranges", [], "one range or more")
        for start, stop in self.ranges:
            check_number("start", start, least=0.0)
            if stop is not None:
                check_number("stop", stop, above=start)

    @classmethod
    def between(cls, source: AudioSource, start: float | None = None, stop: float | None = None) -> Self:
        """Take one stretch; without a start from the beginning, without a stop to the end."""
        return cls(source=source, ranges=((0.0 if start is None else start, stop),))

    @property
    def name(self) -> str:
        """What messages call it."""
        name = source_name(self.source)
        if len(self.ranges) > 1:
            return f"{name} in {len(self.ranges)} turns"
        start, stop = self.ranges[0]
        return f"{name} from {start:g} s" + ("" if stop is None else f" to {stop:g} s")


def read_excerpt(
    excerpt: Excerpt,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    max_seconds: float,
) -> Waveform:
    """Read an excerpt; the recording itself may be much longer than what is kept of it.

    Arguments are those of `read_audio`.

    Raises
    ------
    AudioError
        If the recording cannot be read, ends before a range begins, or the excerpt is too short or too long.
    """
    parts = list(_parts(excerpt, sample_rate, channel))
    samples = np.concatenate([np.zeros(0, dtype=np.float32), *parts])
    seconds = len(samples) / SAMPLE_RATE
    if not MIN_SECONDS <= seconds <= max_seconds:
        limits = f"from {MIN_SECONDS} to {max_seconds:g} s"
        raise fault(excerpt.name, f"holds {seconds:.2f} s; an excerpt may have {limits}")
    return Waveform(samples=samples, source=excerpt.name, original_rate=SAMPLE_RATE)


def _parts(excerpt: Excerpt, sample_rate: int | None, channel: int | None) -> Iterable[NDArray[np.float32]]:
    """Yield what lies in the ranges, in order of time; what two ranges share comes once."""
    wanted = sorted(
        (round(start * SAMPLE_RATE), None if stop is None else round(stop * SAMPLE_RATE))
        for start, stop in excerpt.ranges
    )
    place = 0
    blocks = stream_audio(
        excerpt.source, sample_rate=sample_rate, channel=channel, max_seconds=LONGEST_RECORDING
    )
    for block in blocks:
        done = place
        for start, stop in wanted:
            begin = max(start, done) - place
            end = len(block) if stop is None else min(len(block), stop - place)
            if begin < end:
                yield block[begin:end].copy()
                done = place + end
        place += len(block)
    if wanted[-1][0] >= place:
        ends = (
            f"begins at {wanted[-1][0] / SAMPLE_RATE:g} s; the recording ends at {place / SAMPLE_RATE:.2f} s"
        )
        raise fault(excerpt.name, ends)
