"""Files made of chunks (WAV, RF64, W64, AIFF, AU, CAF): where the sound in them lies, and how much it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from voiceprint.audio.containers.link import Link, bytes_at, cut_short, damaged, find_all, steps
from voiceprint.audio.sources import view

_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # of all its chunks' ids but the first
_MAX_JUNK = 1024  # bytes behind the sound that are neither a chunk nor known
_MAX_LOOK = 1 << 20  # bytes behind the sound that are looked at
_UNKNOWN = 0x7FFF_0000  # programs that write to a pipe put a size from here up: they cannot know it
_UNKNOWN_LONG = 1 << 62
_TAGS = (b"ID3", b"TAG", b"APETAGEX")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How a container writes its chunks."""

    order: Literal["little", "big"]
    sound: bytes  # id of the chunk that holds the sound
    header: int = 12  # bytes before the first chunk
    id_size: int = 4
    size_size: int = 4
    align: int = 2
    inclusive: bool = False  # whether a chunk's size counts its id and size

    @property
    def head(self) -> int:
        return self.id_size + self.size_size


_WAV = _Layout(order="little", sound=b"data")
_LAYOUTS = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"BW64": _WAV,
    b"RIFX": _Layout(order="big", sound=b"data"),
    b"FORM": _Layout(order="big", sound=b"SSND"),
    b"caff": _Layout(order="big", sound=b"data", header=8, size_size=8, align=1),
    b"riff": _Layout(
        order="little",
        sound=b"data" + _W64_TAIL,
        header=40,
        id_size=16,
        size_size=8,
        align=8,
        inclusive=True,
    ),
}
_SUN = {b".snd": "big", b"dns.": "little"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    id: bytes
    size_place: int  # where its size stands
    start: int  # where its content begins
    size: int  # of its content, as declared; negative or huge for unknown
    next: int  # where the next chunk begins


def is_chunked(head: bytes) -> bool:
    """Whether a file that begins so is one of these."""
    return head[:4] in _LAYOUTS or head[:4] in _SUN


def find_links(stream: BinaryIO, size: int, name: str) -> Iterator[Link]:
    """Yield the files one after another in a file of `size` bytes.

    A size that cannot be (0 with sound behind it, or what programs write that do not know it) is replaced by
    what is there. AudioError if less sound is there than the header says, or more.
    """
    start = 0
    while start < size:
        link, stop = _link(stream, start, size, name)
        yield link
        start = stop if is_chunked(bytes_at(stream, stop, 4)) else size


def _link(stream: BinaryIO, start: int, size: int, name: str) -> tuple[Link, int]:
    """Return the file that begins at `start`, and where it ends."""
    magic = bytes_at(stream, start, 4)
    if magic in _SUN:
        return _sun(stream, start, size, name)
    layout = _LAYOUTS[magic]
    chunks = list(_chunks(stream, layout, start + layout.header, size, name))
    sound = next((chunk for chunk in chunks if chunk.id == layout.sound), None)
    if sound is None:
        return Link(stream=view(stream, start, size)), size  # libsndfile says what is wrong
    large = _large_size(stream, chunks)
    present = size - sound.start
    declared = sound.size if large is None else int.from_bytes(bytes_at(stream, large, 8), "little")
    unknown = _is_unknown(declared, 4 if large is None and layout.size_size == 4 else 8)
    if declared == 0 and _after_chunks(stream, layout, sound.start, size, name) is None:
        unknown = True
    if unknown:
        stop = _next_wave(stream, sound.start, size)
        patches = _patches(layout, sound, large, stop - sound.start)
        return Link(stream=view(stream, start, stop, patches)), stop
    if declared > present:
        raise cut_short(name, f"{present} of {declared} bytes of sound are there")
    after = sound.start + declared
    padded = after + -(layout.head + declared) % layout.align
    stop = _end(stream, layout, (padded, after), size, name)
    # W64 is read to its end by libsndfile, chunks behind the sound included.
    return Link(stream=view(stream, start, after if layout.inclusive else stop)), stop


def _next_wave(stream: BinaryIO, place: int, size: int) -> int:
    """Return where a WAV file begins behind one that does not know its size; `size` if there is none."""
    for found in find_all(stream, b"WAVEfmt ", place, size):
        if bytes_at(stream, found - 8, 4) == b"RIFF":
            return found - 8
    return size


def _patches(layout: _Layout, sound: _Chunk, large: int | None, present: int) -> dict[int, bytes]:
    """Return the size that is there, for where the header says none."""
    if large is not None:
        return {large: present.to_bytes(8, "little")}
    value = present + (layout.head if layout.inclusive else 0)
    most = (1 << 8 * layout.size_size) - 1
    return {sound.size_place: min(value, most).to_bytes(layout.size_size, layout.order)}


def _is_unknown(declared: int, width: int) -> bool:
    return declared >= _UNKNOWN_LONG or declared < 0 or (width == 4 and declared >= _UNKNOWN)


def _large_size(stream: BinaryIO, chunks: list[_Chunk]) -> int | None:
    """Return where RF64 writes the size of its sound, in a chunk of its own; None in any other file."""
    for chunk in chunks:
        if chunk.id == b"ds64" and chunk.size >= 16:
            return chunk.start + 8
    return None


def _chunks(stream: BinaryIO, layout: _Layout, place: int, size: int, name: str) -> Iterator[_Chunk]:
    """Read the heads of chunks up to that of the sound."""
    for _ in steps(name):
        chunk = _chunk(stream, layout, place)
        if chunk is None:
            return
        yield chunk
        if chunk.id == layout.sound or chunk.next > size:
            return
        place = chunk.next


def _chunk(stream: BinaryIO, layout: _Layout, place: int) -> _Chunk | None:
    head = bytes_at(stream, place, layout.head)
    if len(head) < layout.head:
        return None
    declared = int.from_bytes(head[layout.id_size :], layout.order, signed=layout.size_size == 8)
    size = declared - (layout.head if layout.inclusive and declared > 0 else 0)
    whole = layout.head + max(0, size)
    return _Chunk(
        id=head[: layout.id_size],
        size_place=place + layout.id_size,
        start=place + layout.head,
        size=size,
        next=place + whole + -whole % layout.align,
    )


def _has_plausible_id(text: bytes) -> bool:
    return all(32 <= letter < 127 for letter in text[:4])


def _end(stream: BinaryIO, layout: _Layout, ends: tuple[int, int], size: int, name: str) -> int:
    """Return where a file ends whose sound ends at `ends`, with and without the padding that some leave out.

    That is behind its last chunk, or where another file begins.
    """
    for place in ends:
        stop = _after_chunks(stream, layout, place, size, name)
        if stop is not None:
            return stop
    _require_no_more(stream, ends[1], size, name)
    return size


def _require_no_more(stream: BinaryIO, after: int, size: int, name: str) -> None:
    """Raise AudioError if more than a little lies behind what the header counts, zeros aside."""
    if size - after > _MAX_JUNK and bytes_at(stream, after, _MAX_LOOK).strip(b"\0"):
        raise damaged(name, f"{size - after} bytes that its header does not count lie behind the sound")


def _after_chunks(stream: BinaryIO, layout: _Layout, place: int, size: int, name: str) -> int | None:
    """Return where chunks from `place` on end: at the end, a tag or another file; None if there are none."""
    for _ in steps(name):
        if place >= size:
            break
        head = bytes_at(stream, place, layout.head)
        if is_chunked(head):
            return place
        if head.startswith(_TAGS):
            break
        chunk = _chunk(stream, layout, place)
        if chunk is None or not _has_plausible_id(chunk.id) or not 0 <= chunk.size <= size - chunk.start:
            return None
        place = chunk.next
    return size


def _sun(stream: BinaryIO, start: int, size: int, name: str) -> tuple[Link, int]:
    """Read the header of AU, which has no chunks: an offset, a size, and sound to the end."""
    order: Literal["little", "big"] = "big" if bytes_at(stream, start, 4) == b".snd" else "little"
    offset = int.from_bytes(bytes_at(stream, start + 4, 4), order)
    declared = int.from_bytes(bytes_at(stream, start + 8, 4), order)
    present = size - start - offset
    if declared == 0 or declared >= _UNKNOWN:
        whole = {start + 8: min(max(present, 0), 0xFFFF_FFFF).to_bytes(4, order)}
        return Link(stream=view(stream, start, size, whole)), size
    if declared > present:
        raise cut_short(name, f"{max(present, 0)} of {declared} bytes of sound are there")
    stop = start + offset + declared
    if not is_chunked(bytes_at(stream, stop, 4)):
        _require_no_more(stream, stop, size, name)
    return Link(stream=view(stream, start, stop)), stop
