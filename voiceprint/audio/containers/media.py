"""The containers that FFmpeg reads, walked so far that a cut, a gap or a second recording is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from voiceprint.audio.containers.link import Link, bytes_at, cut_short, damaged, steps
from voiceprint.audio.sources import view
from voiceprint.audio.waveform import fault

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675  # elements of Matroska
_MASTERS = (_SEGMENT, _CLUSTER)  # those that are walked into
_ASF_HEADER = b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel"
_AMR = (b"#!AMR\n", b"#!AMR-WB\n")
_AMR_SIZES = (  # bytes of a frame by its type, for the one and the other; 0 for types that there are not
    (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1),
    (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1),
)
# (offset, first bytes, the demuxer of FFmpeg that reads it)
_MAGIC = (
    (4, b"ftyp", "mp4"),
    (0, _EBML.to_bytes(4), "matroska"),
    (0, _ASF_HEADER[:8], "asf"),
    (0, b"#!AMR", "amr"),
)


def demuxer_of(head: bytes) -> str | None:
    """Return which demuxer of FFmpeg reads a file that begins so; None if none needs to."""
    if is_adts(head):
        return "aac"
    return next((demuxer for offset, magic, demuxer in _MAGIC if head[offset:].startswith(magic)), None)


def is_adts(head: bytes) -> bool:
    """Whether bytes begin with a frame of bare AAC, which looks like an MPEG frame of no layer."""
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def find_links(stream: BinaryIO, demuxer: str, size: int, name: str, *, start: int = 0) -> Iterator[Link]:
    """Yield the files one after another from `start` on.

    AudioError if the last is cut short, or something in the middle is nothing that belongs there.
    """
    starts = _WALKS[demuxer](stream, start, size, name)
    begin = next(starts, start)  # where a damaged header hides even the first, FFmpeg says what is wrong
    for following in starts:
        yield Link(stream=view(stream, begin, following), demuxer=demuxer)
        begin = following
    yield Link(stream=view(stream, begin, size), demuxer=demuxer)


def _mp4(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[int]:
    """Walk the boxes of MP4 and its kin; a `ftyp` begins a file, and each needs a `moov`."""
    indexed = True
    for _ in steps(name):
        if place >= size:
            break
        head = bytes_at(stream, place, 16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:])
        elif length == 0:  # to the end of the file
            length = size - place
        if not head.strip(b"\0") and not _rest(stream, place, size):
            break
        if length < 8 or len(kind) < 4:
            raise damaged(name, f"there is no MP4 box at byte {place}")
        if place + length > size:
            raise cut_short(name, f"{place + length - size} bytes of its MP4 box at byte {place} are missing")
        if kind == b"ftyp":
            _require_index(indexed, name)
            indexed = False
            yield place
        indexed = indexed or kind == b"moov"
        place += length
    _require_index(indexed, name)


def _require_index(indexed: bool, name: str) -> None:
    if not indexed:
        raise fault(name, "has no index (moov), so its recording was never finished; record it again")


def _matroska(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[int]:
    """Walk the elements of Matroska, into segments and clusters; those of a live recording have no size."""
    for _ in steps(name):
        if place >= size or not _rest(stream, place, min(size, place + 12)):
            return
        element, after_id = _vint(stream, place, marked=True)
        length, body = _vint(stream, after_id, marked=False) if after_id else (0, 0)
        if body > size or (not body and size - place < 12):
            raise cut_short(name, f"its element at byte {place} ends too early")
        if not body:
            raise damaged(name, f"there is no Matroska element at byte {place}")
        unknown = length == (1 << 7 * (body - after_id)) - 1
        if element == _EBML:
            yield place
        if not unknown and body + length > size:
            raise cut_short(name, f"{body + length - size} bytes of its element at byte {place} are missing")
        if unknown and element not in _MASTERS:
            raise damaged(name, f"its element at byte {place} has no size")
        place = body if element in _MASTERS else body + length


def _vint(stream: BinaryIO, place: int, *, marked: bool) -> tuple[int, int]:
    """Read a number of variable length: its value, with or without the marker, and its end; 0 if none."""
    head = bytes_at(stream, place, 8)
    count = 9 - head[0].bit_length() if head and head[0] else 9
    if count > min(len(head), 4 if marked else 8):
        return 0, 0
    value = int.from_bytes(head[:count])
    return value if marked else value & ((1 << 7 * count) - 1), place + count


def _asf(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[int]:
    """Walk the objects of ASF (wma)."""
    for _ in steps(name):
        if place >= size:
            return
        head = bytes_at(stream, place, 24)
        length = int.from_bytes(head[16:], "little")
        if length < 24 and not _rest(stream, place, size):
            return
        if len(head) == 24 and length < 24:
            raise damaged(name, f"there is no ASF object at byte {place}")
        if place + max(24, length) > size:
            raise cut_short(
                name, f"{place + max(24, length) - size} bytes of its object at byte {place} are missing"
            )
        if head.startswith(_ASF_HEADER):
            yield place
        place += length


def _adts(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[int]:
    """Walk the frames of bare AAC; joined ones are one stream."""
    yield place
    for _ in steps(name):
        if place >= size:
            return
        head = bytes_at(stream, place, 7)
        if head.startswith((b"TAG", b"APETAGE", b"ID3")):
            return
        if not is_adts(head):
            raise damaged(name, f"there is no AAC frame at byte {place}")
        length = int.from_bytes(head[3:6]) >> 5 & 0x1FFF if len(head) == 7 else 7
        if length < 7:
            raise damaged(name, f"the AAC frame at byte {place} has no size")
        if place + length > size:
            raise cut_short(name, f"{place + length - size} bytes of its last AAC frame are missing")
        place += length


def _amr(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[int]:
    """Walk the frames of AMR, narrow and wide."""
    sizes = _AMR_SIZES[0]
    for _ in steps(name):
        if place >= size:
            return
        head = bytes_at(stream, place, 9)
        magic = next((magic for magic in _AMR if head.startswith(magic)), None)
        if magic is not None:
            yield place
            sizes, place = _AMR_SIZES[_AMR.index(magic)], place + len(magic)
            continue
        length = sizes[head[0] >> 3 & 15]
        if not length or head[0] & 0x83:
            raise damaged(name, f"there is no AMR frame at byte {place}")
        if place + length > size:
            raise cut_short(name, f"{place + length - size} bytes of its last AMR frame are missing")
        place += length


def _rest(stream: BinaryIO, place: int, size: int) -> bool:
    """Whether anything but zeros stands from `place` on, as far as a megabyte shows."""
    return bool(bytes_at(stream, place, min(size - place, 1 << 20)).strip(b"\0"))


_WALKS: dict[str, Callable[[BinaryIO, int, int, str], Iterator[int]]] = {
    "aac": _adts,
    "amr": _amr,
    "asf": _asf,
    "matroska": _matroska,
    "mp4": _mp4,
}
