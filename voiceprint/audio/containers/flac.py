"""FLAC files: one or several, one after another, read to their end whatever length the header claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from voiceprint.audio.containers.link import Link, find_all
from voiceprint.audio.sources import view

MAGIC = b"fLaC"

_START = b"fLaC\x00\x00\x00\x22"  # what a file begins with: the header of STREAMINFO, its first block
_COUNT = 21  # where the 36-bit count of samples begins, in the low half of a byte
_ID3V1 = 128  # bytes of a tag at the end


def find_links(stream: BinaryIO, start: int, size: int) -> Iterator[Link]:
    """Yield the FLAC files from `start` on.

    The count of samples in the header is hidden from the decoder, which would stop there.
    """
    stop = _before_id3v1(stream, size)
    for following in find_all(stream, _START, start + 1, stop):
        yield _link(stream, start, following)
        start = following
    yield _link(stream, start, stop)


def _link(stream: BinaryIO, start: int, stop: int) -> Link:
    stream.seek(start)
    head = stream.read(_COUNT + 5)
    if not head.startswith(_START) or len(head) < _COUNT + 5:
        return Link(stream=view(stream, start, stop))
    count = int.from_bytes(head[_COUNT:]) & 0xF_FFFF_FFFF
    unknown = bytes([head[_COUNT] & 0xF0, 0, 0, 0, 0])
    return Link(stream=view(stream, start, stop, {start + _COUNT: unknown}), frames=count or None)


def _before_id3v1(stream: BinaryIO, size: int) -> int:
    stream.seek(max(0, size - _ID3V1))
    return size - _ID3V1 if stream.read(3) == b"TAG" else size
