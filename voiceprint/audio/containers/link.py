"""Link: a stretch of a file that a decoder reads as one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from voiceprint.audio.sources import ffmpeg_line
from voiceprint.audio.waveform import fault
from voiceprint.errors import AudioError

_MAX_STEPS = 2_000_000  # pages, frames or chunks of a file that are looked at: 14 hours of MP3
_BLOCK = 1 << 20  # bytes that are searched at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One of the recordings that stand one after another in a file; mostly the only one.

    Parameters
    ----------
    stream : binary file object
        Its bytes, from the first.
    demuxer : str or None
        What FFmpeg calls the container; None for what libsndfile reads.
    frames : int or None
        Samples a channel that it holds, by its container; None where that does not tell.
    spare : int
        How many of them a decoder may leave out: an encoder's delay and padding.
    """

    stream: BinaryIO
    demuxer: str | None = None
    frames: int | None = None
    spare: int = 2 * 1152


def steps(name: str) -> Iterator[int]:
    """Count the steps of a walk through a file, so that a file of a million crumbs ends it early."""
    yield from range(_MAX_STEPS)
    raise fault(name, f"consists of over {_MAX_STEPS} pieces; convert it to WAV or FLAC")


def bytes_at(stream: BinaryIO, place: int, count: int) -> bytes:
    """Read `count` bytes from `place` on; fewer at the end."""
    stream.seek(place)
    return stream.read(count)


def find_all(stream: BinaryIO, pattern: bytes, start: int, stop: int) -> Iterator[int]:
    """Yield every place between `start` and `stop` where `pattern` begins."""
    tail = b""
    while start < stop:
        block = bytes_at(stream, start, min(_BLOCK, stop - start))
        if not block:
            return
        data, base = tail + block, start - len(tail)
        found = data.find(pattern)
        while found >= 0:
            yield base + found
            found = data.find(pattern, found + 1)
        tail = data[-(len(pattern) - 1) :]
        start += len(block)


def cut_short(name: str, what: str) -> AudioError:
    """Return the error for a file whose end is missing; `what` says how it is known."""
    return fault(name, f"is cut short: {what}; copy it again, or use what is there: {ffmpeg_line(name)}")


def damaged(name: str, what: str) -> AudioError:
    """Return the error for a file of which a part in the middle is lost."""
    return fault(name, f"is damaged: {what}; copy it again")
