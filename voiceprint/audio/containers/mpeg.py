"""MP3 (and MPEG layers I and II): frame after frame, so that nothing is left out behind a wrong count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from voiceprint.audio.containers.link import Link, bytes_at, cut_short, damaged, steps
from voiceprint.audio.sources import view

# kbit/s by the index in the header, for MPEG 1 layers I, II, III and MPEG 2 layers I and II/III
_RATES_1 = {
    1: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_RATES_2_LAYER_1 = (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_RATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version
_XING = re.compile(rb"(?:Xing|Info)\0\0\0(.)(.{8})", re.DOTALL)
_XING_REACH = 64  # bytes of a frame before which it stands
_MAX_JUNK = 2048  # bytes between frames that are no frame: what is lost there is less than a syllable
_SPARE = 4 * 1152  # samples of an encoder's delay and padding, which the decoder leaves out


@dataclass(frozen=True, slots=True)
class _Frame:
    size: int
    samples: int
    kind: tuple[int, int, int, bool]  # version, layer, sample rate, mono: what a decoder is set up for


@dataclass(slots=True, kw_only=True)
class _Run:
    """Frames of one kind that follow each other without a gap."""

    start: int
    stop: int
    frames: int
    samples: int
    xing: tuple[int | None, int | None] | None  # frames and bytes that the first frame promises
    first: _Frame


def after_id3(stream: BinaryIO, place: int, size: int) -> int:
    """Return where an ID3v2 tag at `place` ends; `place` if there is none."""
    while place < size:
        stream.seek(place)
        head = stream.read(10)
        if not head.startswith(b"ID3") or len(head) < 10:
            break
        # Seven bits a byte; a footer repeats the header.
        length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        place += 10 + length + (10 if head[5] & 0x10 else 0)
    return min(place, size)


def is_frame(head: bytes) -> bool:
    """Whether bytes begin with the header of an MPEG frame whose size is known."""
    return _frame(head) is not None


def find_links(stream: BinaryIO, start: int, size: int, name: str) -> Iterator[Link]:
    """Yield the runs of frames from `start` on: one for each file that was joined.

    AudioError if the last frame or a promised one is missing, or over 2048 bytes in the middle are no frames.
    """
    for run in _runs(stream, start, size, name):
        # A single frame behind others may be a coincidence in what is no sound.
        if run.frames > 1 or run.start == start:
            yield _link(stream, run, name)


def _link(stream: BinaryIO, run: _Run, name: str) -> Link:
    """Hold a run to what its Xing or Info frame promises; put a right one before it where there is none.

    libsndfile stops where that frame says, or where the bit rate of the first frame makes it guess.
    """
    start, samples = run.start, run.samples
    if run.xing is not None:
        frames, length = run.xing
        have, present = run.frames - 1, run.stop - run.start  # the Xing frame holds no sound
        if frames is not None and frames > have + 1:
            raise cut_short(name, f"only {have} of {frames} MPEG frames follow in one piece")
        if length is not None and 0.99 * length > present:
            raise cut_short(name, f"{present} of {length} bytes are there")
        start, samples = run.start + run.first.size, run.samples - run.first.samples
        if frames is not None and frames >= have - 1 and (length is None or present <= 1.01 * length):
            return Link(stream=view(stream, run.start, run.stop), frames=samples, spare=_SPARE)
    head = _xing_frame(bytes_at(stream, run.start, 4), samples // run.first.samples, run.stop - start)
    return Link(stream=view(stream, start, run.stop, prefix=head), frames=samples, spare=_SPARE)


def _xing_frame(header: bytes, frames: int, length: int) -> bytes:
    """Return a frame that says how many frames and bytes follow it; nothing for layers I and II."""
    without_crc = bytes([0xFF, header[1] | 1, 5 << 4 | header[2] & 0x0C, header[3]])
    frame = _frame(without_crc)
    if frame is None or frame.kind[1] != 3:
        return b""
    version, _, _, mono = frame.kind
    place = 4 + ((17 if mono else 32) if version == 3 else (9 if mono else 17))
    tag = b"Xing\0\0\0\x03" + frames.to_bytes(4) + (length + frame.size).to_bytes(4)
    return (without_crc.ljust(place, b"\0") + tag).ljust(frame.size, b"\0")


def _runs(stream: BinaryIO, place: int, size: int, name: str) -> Iterator[_Run]:
    run: _Run | None = None
    for _ in steps(name):
        if place >= size:
            break
        head = bytes_at(stream, place, _XING_REACH)
        frame = _frame(head)
        if frame is None:
            if run is not None:
                yield run
            run, place = None, _next_frame(stream, place, size, name)
            continue
        if place + frame.size > size:
            raise cut_short(name, f"{place + frame.size - size} bytes of its last MPEG frame are missing")
        xing = _XING.search(head)
        if run is not None and (xing or frame.kind != run.first.kind):
            yield run
            run = None
        if run is None:
            run = _Run(start=place, stop=place, frames=0, samples=0, xing=_promise(xing), first=frame)
        place += frame.size
        run.stop, run.frames, run.samples = place, run.frames + 1, run.samples + frame.samples
    if run is not None:
        yield run


def _promise(xing: re.Match[bytes] | None) -> tuple[int | None, int | None] | None:
    if xing is None:
        return None
    flags, fields = xing[1][0], xing[2]
    frames = int.from_bytes(fields[:4]) if flags & 1 else None
    place = 4 if flags & 1 else 0
    length = int.from_bytes(fields[place : place + 4]) if flags & 2 else None
    return frames, length


def _next_frame(stream: BinaryIO, place: int, size: int, name: str) -> int:
    """Return where frames go on behind tags and a little junk; `size` where there are none."""
    tagged = _after_tags(stream, place, size)
    if tagged != place:
        return tagged
    found = _search(stream, place, size)
    if found < size and found - place > _MAX_JUNK:
        raise damaged(name, f"{found - place} bytes from byte {place} on are no MPEG frames")
    return found


def _after_tags(stream: BinaryIO, place: int, size: int) -> int:
    stream.seek(place)
    head = stream.read(32)
    if head.startswith(b"TAG"):
        return min(size, place + 128)
    if head.startswith(b"APETAGEX") and len(head) == 32:
        return min(size, place + 32 + int.from_bytes(head[12:16], "little"))
    return after_id3(stream, place, size)


def _search(stream: BinaryIO, place: int, size: int) -> int:
    """Return the first place from which two frames of one kind follow each other; `size` if there is none."""
    stream.seek(place)
    data = stream.read()
    found = data.find(b"\xff")
    while found >= 0:
        frame = _frame(data[found : found + 4])
        if frame is not None:
            following = _frame(data[found + frame.size : found + frame.size + 4])
            if following is not None and following.kind == frame.kind:
                return place + found
        found = data.find(b"\xff", found + 1)
    return size


def _frame(head: bytes) -> _Frame | None:
    """Read the header of a frame; None where there is none, or one of free format."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, hertz = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate in (0, 15) or hertz == 3:
        return None
    lower = _RATES_2_LAYER_1 if layer == 1 else _RATES_2
    bits = 1000 * (_RATES_1[layer] if version == 3 else lower)[rate - 1]
    rate_hz = _HERTZ[version][hertz]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot = 4 if layer == 1 else 1
    size = samples * bits // (8 * slot * rate_hz) * slot + (head[2] >> 1 & 1) * slot
    return _Frame(size, samples, (version, layer, rate_hz, head[3] >> 6 == 3))
