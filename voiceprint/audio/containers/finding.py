"""Which container a file is, by its first bytes, and the links in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from voiceprint.audio.containers import chunks, flac, media, mpeg, ogg
from voiceprint.audio.containers.link import Link, bytes_at
from voiceprint.audio.sources import size_of, view
from voiceprint.audio.waveform import fault

_MAX_LINKS = 1000  # a decoder is started for each
_HEAD = 16  # bytes that tell what a file is
# (first bytes, what it is)
_NO_SOUND = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
)


def find_links(stream: BinaryIO, name: str) -> list[Link]:
    """List the recordings in a file, in order: at least one, and at most 1000.

    Raises
    ------
    AudioError
        The file is empty, certainly holds no sound, is cut short, or has lost a part.
    """
    size = size_of(stream)
    if not size:
        raise fault(name, "is empty (0 bytes); record or copy it again")
    links = list(islice(_links(stream, size, name), _MAX_LINKS + 1))
    if len(links) > _MAX_LINKS:
        raise fault(name, f"holds over {_MAX_LINKS} recordings one after another; give them one by one")
    return links


def is_audio_file(head: bytes) -> bool:
    """Whether bytes, 12 or more, begin as a file does that is surely no bare samples.

    Examples
    --------
    >>> from pathlib import Path
    >>> is_audio_file(Path("door.wav").read_bytes()[:64])
    True
    """
    return (
        head.startswith((ogg.MAGIC, flac.MAGIC, b"ID3"))
        or chunks.is_chunked(head)
        or (not media.is_adts(head) and media.demuxer_of(head) is not None)
    )


def _links(stream: BinaryIO, size: int, name: str) -> Iterator[Link]:
    head = bytes_at(stream, 0, _HEAD)
    for magic, kind in _NO_SOUND:
        if head.startswith(magic):
            raise fault(name, f"is {kind}, which is not read here; give an audio file")
    if chunks.is_chunked(head):
        return chunks.find_links(stream, size, name)
    if head.startswith(ogg.MAGIC):
        return ogg.find_links(stream, size, name)
    start = mpeg.after_id3(stream, 0, size)
    head = bytes_at(stream, start, _HEAD)
    if head.startswith(flac.MAGIC):
        return flac.find_links(stream, start, size)
    if (demuxer := media.demuxer_of(head)) is not None:
        return media.find_links(stream, demuxer, size, name, start=start)
    if mpeg.is_frame(head):
        return mpeg.find_links(stream, start, size, name)
    return iter([Link(stream=view(stream, 0, size))])  # libsndfile may know it
