"""Sound that comes through a pipe: raw 16-bit samples, or WAV, read while it is written."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.audio.containers import is_audio_file
from voiceprint.audio.waveform import SAMPLE_RATE, check_original_rate, fault

_AT_ONCE = 65_536  # bytes that are asked for; a pipe gives what is there
_ENDLESS = (
    0x7FFF_0000  # a longer data chunk is what programs write that do not know how long they will record
)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # formats of WAV
_TYPES = {(_PCM, 8): "u1", (_PCM, 16): "<i2", (_PCM, 32): "<i4", (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8"}


class PcmStream:
    """Samples of one channel, as they arrive.

    What begins as WAV is read as such, with its own rate and type. Everything else that begins as no audio
    file does is taken for raw samples of 16 bits, little-endian, in one channel.

    Parameters
    ----------
    stream : binary file object
        Its beginning is read at once.
    sample_rate : int
        Of raw samples, in Hz.
    channel : int
        Which channel of a WAV with several to take, from 1 on.

    Raises
    ------
    ArgumentError
        If the rate or the channel is out of range.
    AudioError
        If it is a file of another format, WAV of a kind that is not read here, or the channel is not there.
    """

    def __init__(
        self, stream: BinaryIO, *, sample_rate: int = SAMPLE_RATE, channel: int = 1, name: str = "<stream>"
    ) -> None:
        check_count("sample_rate", sample_rate)
        check_count("channel", channel)
        self._stream, self._name = stream, name
        self.sample_rate = sample_rate
        self._type, self._channels, self._channel = "<i2", 1, channel
        self._left: int | None = None  # bytes of sound that are still to come; None where nobody knows
        beginning = self._exactly(12)
        if beginning[:4] in (b"RIFF", b"RF64") and beginning[8:12] == b"WAVE":
            self._read_header()
            beginning = b""
        elif is_audio_file(beginning):
            decode = f"ffmpeg -i FILE -f s16le -ac 1 -ar {SAMPLE_RATE} -"
            raise fault(name, f"is neither WAV nor raw samples; decode it on its way: {decode}")
        self._rest = beginning
        check_original_rate(self.sample_rate, name)
        if channel > self._channels:
            raise fault(name, f"has {self._channels} channel(s); there is no channel {channel}")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield samples (n,) as they come, floats or integers, until the stream ends."""
        data = self._rest
        while True:
            frames = self._frames(data)
            if len(frames):
                yield frames
            data = data[len(data) // self._frame * self._frame :] + (more := self._some())
            if not more:
                return

    @property
    def _frame(self) -> int:
        size = 3 if self._type == "i3" else np.dtype(self._type).itemsize
        return size * self._channels

    def _frames(self, data: bytes) -> NDArray[Any]:
        whole = data[: len(data) // self._frame * self._frame]
        if self._type == "i3":  # three bytes each: the upper ones of four
            padded = np.zeros((len(whole) // 3, 4), dtype=np.uint8)
            padded[:, 1:] = np.frombuffer(whole, dtype=np.uint8).reshape(-1, 3)
            samples: NDArray[Any] = padded.reshape(-1).view("<i4")
        else:
            samples = np.frombuffer(whole, dtype=self._type)
        return samples.reshape(-1, self._channels)[:, self._channel - 1]

    def _some(self) -> bytes:
        """Read what is there, at least a byte; nothing at the end."""
        most = _AT_ONCE if self._left is None else min(_AT_ONCE, self._left)
        read = getattr(self._stream, "read1", self._stream.read)
        data: bytes = read(most) if most else b""
        if self._left is not None:
            self._left -= len(data)
        return data

    def _exactly(self, count: int) -> bytes:
        """Read so many bytes, or all that there are."""
        data = b""
        while len(data) < count and (more := self._stream.read(count - len(data))):
            data += more
        return data

    def _read_header(self) -> None:
        """Read the chunks of a WAV up to its samples."""
        described = False
        while len(head := self._exactly(8)) == 8:
            kind, size = head[:4], int(struct.unpack("<I", head[4:])[0])
            if kind == b"data":
                if not described:
                    break
                self._left = None if size == 0 or size >= _ENDLESS else size
                return
            body = self._exactly(size + size % 2 if size < _AT_ONCE else 0)
            if len(body) < size:
                break
            if kind == b"fmt ":
                self._read_format(body)
                described = True
        raise fault(self._name, "begins as WAV, but its header is damaged")

    def _read_format(self, body: bytes) -> None:
        if len(body) < 16:
            raise fault(self._name, "begins as WAV, but its header is damaged")
        kind, self._channels, self.sample_rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
        if kind == _EXTENSIBLE and len(body) >= 26:
            kind = struct.unpack("<H", body[24:26])[0]
        if (kind, bits) == (_PCM, 24):
            self._type = "i3"
        elif (kind, bits) in _TYPES and self._channels:
            self._type = _TYPES[kind, bits]
        else:
            raise fault(self._name, f"is WAV of format {kind} with {bits} bits; write 16-bit PCM")
