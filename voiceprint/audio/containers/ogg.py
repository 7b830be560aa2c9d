"""Ogg: every page checked, links separated (RFC 3533), FLAC taken out of its pages."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from voiceprint.audio.containers import flac
from voiceprint.audio.containers.link import Link, bytes_at, cut_short, damaged, find_all, steps
from voiceprint.audio.sources import format_advice, held_bytes, view
from voiceprint.audio.waveform import fault

MAGIC = b"OggS"

_HEADER = 27  # bytes before the table of segments
_FIRST, _LAST = 2, 4  # flags
_MAX_FLAC = 1 << 28  # bytes of FLAC in Ogg, which is held in memory
_FLAC_PREFIX = 9  # bytes before "fLaC" in the first packet of FLAC in Ogg
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_READ_BY_SNDFILE = (b"\x01vorbis", b"OpusHead")
_READ_BY_MEDIA = (b"Speex   ",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    place: int
    stop: int
    flags: int
    serial: int
    number: int
    body: bytes


@dataclass(slots=True, kw_only=True)
class _Stream:
    """The pages of one link while they are counted."""

    first: _Page
    last: _Page
    bodies: list[bytes] = field(default_factory=list)

    @property
    def is_flac(self) -> bool:
        return self.first.body.startswith(b"\x7fFLAC")


def find_links(stream: BinaryIO, size: int, name: str) -> Iterator[Link]:
    """Yield the links of an Ogg file.

    AudioError if a page is damaged or lost, a link has no end, or streams are interleaved, as sound and
    picture are.
    """
    pages: _Stream | None = None
    for page in _pages(stream, size, name):
        if page.flags & _FIRST:
            if pages is not None:
                yield _link(stream, pages, name)
            pages = _Stream(first=page, last=page)
        elif pages is None or page.serial != pages.first.serial:
            raise damaged(name, f"the Ogg page at byte {page.place} belongs to no stream before it")
        elif page.number != (pages.last.number + 1) & 0xFFFF_FFFF:
            raise damaged(name, f"Ogg pages before byte {page.place} are lost")
        pages.last = page
        _hold_flac(pages, page, name)
    if pages is not None:
        yield _link(stream, pages, name)


def _hold_flac(stream: _Stream, page: _Page, name: str) -> None:
    if stream.is_flac:
        stream.bodies.append(page.body)
        if page.stop - stream.first.place > _MAX_FLAC:
            raise fault(name, f"holds over {_MAX_FLAC} bytes of FLAC in Ogg; give it as .flac")


def _link(stream: BinaryIO, pages: _Stream, name: str) -> Link:
    """Give the decoder that knows a stream what it needs."""
    if pages.last is pages.first:
        raise fault(name, "holds several streams side by side, as a video does; export its sound alone")
    if not pages.last.flags & _LAST:
        raise cut_short(name, "an Ogg stream in it has no last page")
    body, start, stop = pages.first.body, pages.first.place, pages.last.stop
    if pages.is_flac:
        bare = b"".join(pages.bodies)[_FLAC_PREFIX:]
        return next(flac.find_links(held_bytes(bare), 0, len(bare)))
    if body.startswith(_READ_BY_SNDFILE):
        return Link(stream=view(stream, start, stop))
    if body.startswith(_READ_BY_MEDIA):
        return Link(stream=view(stream, start, stop), demuxer="ogg")
    raise fault(name, f"is Ogg without Vorbis, Opus, FLAC or Speex sound; {format_advice()}")


def _pages(stream: BinaryIO, size: int, name: str) -> Iterator[_Page]:
    """Read page after page; what follows the last one may be anything but a page."""
    place = 0
    for _ in steps(name):
        if place >= size:
            return
        header = bytes_at(stream, place, _HEADER)
        if not header.startswith(MAGIC):
            if next(find_all(stream, MAGIC, place, size), None) is not None:
                raise damaged(name, f"there is no Ogg page at byte {place}, though there are more behind it")
            return
        page = _page(stream, header, place, name)
        yield page
        place = page.stop


def _page(stream: BinaryIO, header: bytes, place: int, name: str) -> _Page:
    table = stream.read(header[26]) if len(header) == _HEADER else b""
    body = stream.read(sum(table))
    if len(header) < _HEADER or len(table) < header[26] or len(body) < sum(table):
        raise cut_short(name, f"the Ogg page at byte {place} ends too early")
    bare = header[:22] + bytes(4) + header[26:]
    if _checksum(bare + table + body) != int.from_bytes(header[22:26], "little"):
        raise damaged(name, f"the Ogg page at byte {place} does not match its checksum")
    return _Page(
        place=place,
        stop=place + _HEADER + len(table) + len(body),
        flags=header[5],
        serial=int.from_bytes(header[14:18], "little"),
        number=int.from_bytes(header[18:22], "little"),
        body=body,
    )


def _checksum(data: bytes) -> int:
    """CRC-32 with the highest bit first: that of zlib, which has the lowest first, of mirrored bytes."""
    mirrored = zlib.crc32(data.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{mirrored:032b}"[::-1], 2)
