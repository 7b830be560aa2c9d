"""What libsndfile does not read (m4a, mp4, webm, aac, amr, wma, speex), through PyAV, the `media` extra.

FFmpeg gets bytes and the name of the one demuxer that fits them. It guesses no format, opens no other file
and no address, and uses no decoders but those of sound that are listed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.sources import ffmpeg_line
from voiceprint.audio.waveform import fault, full_scale

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

KINDS = {
    "aac": "an AAC stream",
    "amr": "an AMR file",
    "asf": "a Windows Media file",
    "matroska": "a WebM/Matroska file",
    "mp4": "an MP4/M4A file",
    "ogg": "an Ogg Speex file",
}
"""What is read, by the demuxer that reads it."""

# What FFmpeg may use, by its own names: of demuxers the whole list it knows one by.
_DEMUXERS = {"mp4": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm"}
_DECODERS = (
    "aac,alac,amrnb,libopencore_amrnb,amrwb,flac,mp3,mp3float,opus,libopus,speex,vorbis,"
    "wmav1,wmav2,wmapro,wmalossless,wmavoice,"
    "pcm_alaw,pcm_mulaw,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,"
    "pcm_s32be,pcm_s32le,pcm_s8,pcm_u8"
)
_SPARE = 0.25  # seconds by which a container's length is wrong: an encoder's padding, the last packet
_MAX_PLANES = 7  # PyAV looks for the end of a frame's channels, and from eight on reads beyond it


class _Media:
    """The one stream of sound in a file."""

    def __init__(self, container: InputContainer, stream: AudioStream, demuxer: str, name: str) -> None:
        self._container, self._stream, self._demuxer, self._name = container, stream, demuxer, name
        self._decoded = container.decode(stream)
        # The header may name half the rate, and one channel of two: what is decoded tells.
        first = next(self._decoded, None)
        if first is None:
            raise fault(name, "holds no sound; record or copy it again")
        self._first: AudioFrame = first

    @property
    def format(self) -> str:
        return f"{self._demuxer}/{self._stream.codec_context.name}"

    @property
    def channels(self) -> int:
        return self._first.layout.nb_channels

    @property
    def sample_rate(self) -> int:
        return self._first.sample_rate

    @property
    def frames(self) -> int | None:
        seconds: float | None = None
        if self._demuxer == "mp4" and self._stream.duration and self._stream.time_base:
            seconds = float(self._stream.duration * self._stream.time_base)
        elif self._demuxer == "matroska" and self._container.duration and len(self._container.streams) == 1:
            seconds = self._container.duration / 1_000_000
        return None if seconds is None else round(seconds * self.sample_rate)

    @property
    def spare(self) -> int:
        return round(_SPARE * self.sample_rate)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        with _explained(self._demuxer, self._name):
            yield self._samples(self._first)
            for frame in self._decoded:
                yield self._samples(frame)

    def _samples(self, frame: AudioFrame) -> NDArray[np.float32]:
        if (frame.layout.nb_channels, frame.sample_rate) != (self.channels, self.sample_rate):
            raise fault(self._name, "changes its channels or its rate on the way; convert it first")
        planar = frame.format.is_planar
        if planar and self.channels > _MAX_PLANES:
            raise fault(self._name, f"has {self.channels} channels; mix it to {_MAX_PLANES} or fewer")
        samples: NDArray[Any] = frame.to_ndarray()  # (channels, n), or (1, n * channels)
        return full_scale(samples.T if planar else samples.reshape(-1, self.channels), self._name)


@contextmanager
def open_media(stream: BinaryIO, demuxer: str, name: str) -> Iterator[_Media]:
    """Open the sound of a file that FFmpeg reads.

    Parameters
    ----------
    stream : binary file object
        The file, from its beginning.
    demuxer : str
        One of `KINDS`.

    Raises
    ------
    AudioError
        PyAV is not installed, the file is damaged, or it holds not exactly one stream of sound.
    """
    try:
        import av  # noqa: PLC0415  an optional package, and 100 MB
    except ImportError:
        raise fault(
            name,
            f"is {KINDS[demuxer]}, which needs PyAV: pip install 'voiceprint-engine[media]'; "
            f"or convert it: {ffmpeg_line(name)}",
        ) from None
    options = {
        "format_whitelist": _DEMUXERS.get(demuxer, demuxer),
        "codec_whitelist": _DECODERS,
        "protocol_whitelist": "none",
    }
    with (
        _explained(demuxer, name),
        av.open(
            stream,
            "r",
            format=demuxer,
            container_options=options,
            metadata_errors="replace",
            io_open=_refuse_to_open,
        ) as container,
    ):
        yield _Media(container, _only_sound(container, demuxer, name), demuxer, name)


def _only_sound(container: InputContainer, demuxer: str, name: str) -> AudioStream:
    streams = container.streams.audio
    if len(streams) != 1:
        count = f"{len(streams)} streams of sound, and one is wanted" if streams else "no sound"
        raise fault(name, f"is {KINDS[demuxer]} with {count}; give a recording of one person")
    codec = streams[0].codec_context
    if codec is None or codec.name not in _DECODERS.split(","):
        raise fault(name, f"is {KINDS[demuxer]} of a codec that is not read; convert it: {ffmpeg_line(name)}")
    codec.thread_count = 1
    return streams[0]


def _refuse_to_open(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a sound file may not open other files")


@contextmanager
def _explained(demuxer: str, name: str) -> Iterator[None]:
    """Turn FFmpeg's errors into an AudioError."""
    import av  # noqa: PLC0415  as above

    try:
        yield
    except (av.FFmpegError, ValueError, NotImplementedError) as error:  # ValueError: a format numpy lacks
        reason = getattr(error, "strerror", None) or error
        raise fault(
            name, f"cannot be decoded as {KINDS[demuxer]} ({reason}); it may be damaged or cut short"
        ) from None
