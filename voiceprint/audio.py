"""File, bytes, stream or array -> :class:`Waveform`: mono float32 at 16 kHz, or an :class:`AudioError`.

Decoding is libsndfile's (soundfile), resampling soxr's. Both run block by block, so memory is bounded by the
16 kHz result whatever rate, channel count and length a header claims: headers lie, and a few kilobytes of
FLAC can unpack to hours.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from voiceprint.errors import AudioError

__all__ = [
    "MAX_RATE",
    "MIN_RATE",
    "MIN_SECONDS",
    "SAMPLE_RATE",
    "AudioSource",
    "Waveform",
    "find_audio",
    "read_audio",
]

SAMPLE_RATE = 16_000  # Hz, of all audio inside the library
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz, of the audio that is read
MIN_SECONDS = 0.1  # shorter clips hold less than a syllable

AudioSource = str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any]

_BLOCK = 1 << 20  # samples over all channels that are decoded, or bytes of a stream that are read, at a time
_MAX_STREAM_BYTES = 1 << 30  # a stream that cannot be rewound is held in memory
_MAX_CHANNELS = 8  # at the highest rate and for the longest clip; more where there is less of them
_MAX_PEAK = 4.0  # 12 dB above full scale: beyond it the samples are not scaled to [-1, 1] at all
_MP3_SLACK = 2 * 1152  # samples; an MP3 header may count its encoder's padding of up to two frames

_FORMATS = frozenset({"AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "RF64", "W64", "WAV", "WAVEX"})
_SUFFIXES = frozenset(
    {
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
    }
    # Not read here, but found, so that the error can say how to convert them.
    | {".m4a", ".mp4", ".aac", ".wma", ".amr", ".webm", ".3gp"}
)
# (offset, first bytes, what it is, whether ffmpeg would find sound in it)
_FOREIGN = (
    (4, b"ftyp", "an MP4/M4A (AAC) file", True),
    (0, b"\xff\xf1", "an AAC stream", True),
    (0, b"\xff\xf9", "an AAC stream", True),
    (0, b"\x1aE\xdf\xa3", "a WebM/Matroska file", True),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file", True),
    (0, b"#!AMR", "an AMR file", True),
    (0, b"\xff\xd8\xff", "a JPEG image", False),
    (0, b"\x89PNG\r\n", "a PNG image", False),
    (0, b"GIF8", "a GIF image", False),
    (0, b"%PDF-", "a PDF document", False),
    (0, b"PK\x03\x04", "a ZIP archive", False),
)
_ADVICE = "give a WAV, FLAC, Ogg, Opus, MP3 or AIFF file"
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = (
    0x7FFF_0000  # programs that write WAV to a pipe put a size from here up: they cannot know it
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waveform:
    """A clip as everything in the library hears it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono, 16 kHz, in [-1, 1], finite.
    source : str
        Where it came from: a path, ``<bytes>``, ``<array>``, or ``-`` for standard input.
    original_rate : int
        Sample rate before resampling, in Hz.
    """

    samples: NDArray[np.float32]
    source: str
    original_rate: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def sha256(self) -> str:
        """Hash of the samples as little-endian float32, whatever file held them; 64 hex digits."""
        return hashlib.sha256(self.samples.astype("<f4", copy=False).tobytes()).hexdigest()

    @property
    def is_digital_silence(self) -> bool:
        """Whether every sample is the same, as in a file of zeros."""
        return bool(np.ptp(self.samples) == 0.0)


def read_audio(source: AudioSource, *, rate: int | None = None, max_seconds: float = 3600.0) -> Waveform:
    """Read a clip as mono float32 at 16 kHz.

    Parameters
    ----------
    source : str, path, bytes, binary file object or ndarray
        A path (``-`` is standard input), the bytes of an audio file, a file object that holds one, or samples
        of shape (n,) or (n, channels): floats in [-1, 1], or 8-, 16- or 32-bit integers (unsigned 8-bit ones
        are centred on 128). Files may be WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU or CAF with any number of
        channels, which are averaged.
    rate : int, optional
        Sample rate of an array in Hz. Given for arrays, and only for them.
    max_seconds : float
        Longest clip that is read, in seconds.

    Returns
    -------
    Waveform

    Raises
    ------
    AudioError
        The clip is missing, cannot be decoded, is cut short, is shorter than 0.1 s or longer than
        `max_seconds`, has a sample rate outside 8 to 192 kHz, or holds samples that are NaN, infinite or far
        above full scale.

    Examples
    --------
    >>> read_audio(np.zeros(8000, dtype=np.float32), rate=8000).seconds
    1.0
    """
    if isinstance(source, np.ndarray):
        return _read_array(source, rate, max_seconds)
    name = _name(source)
    if rate is not None:
        raise _fault(name, f"was given with rate={rate}; only an array needs one, files carry theirs")
    with _explained(name), _open(source, name) as stream:
        _refuse_foreign(stream, name)
        _refuse_cut_mp3(stream, name)
        return _decode(stream, name, max_seconds)


def find_audio(paths: Iterable[Path]) -> list[Path]:
    """List the audio files that `paths` name, each once.

    Files are taken as they are; folders are searched recursively by file name ending, in sorted order,
    without hidden files.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders. ``-`` (standard input) is passed on.

    Returns
    -------
    list of Path

    Raises
    ------
    AudioError
        A path does not exist, or a folder holds no audio file.
    """
    return list(dict.fromkeys(found for path in paths for found in _audio_at(path)))


def _audio_at(path: Path) -> list[Path]:
    with _explained(_name(path)):
        if path.is_dir():
            return _audio_in_folder(path)
        if str(path) != "-":
            path.stat()  # raises where it does not exist
        return [path]


def _audio_in_folder(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not files:
        raise _fault(_name(folder), "holds no audio files (wav, flac, ogg, opus, mp3, aiff)")
    return files


def _name(source: AudioSource) -> str:
    """How messages call a source: always one printable line."""
    if isinstance(source, bytes):
        return "<bytes>"
    text = os.fspath(source) if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if not isinstance(text, str):
        return "<stream>"
    return text if text.isprintable() and text else repr(text)


def _fault(name: str, message: str) -> AudioError:
    return AudioError(f"{name} {message}", source=name)


class _Stream(io.BufferedReader):
    """Bytes for libsndfile, which seeks wherever a lying header sends it."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError):  # before the beginning
            return self.tell()  # libsndfile finds itself elsewhere, and gives up


@contextmanager
def _open(source: str | os.PathLike[str] | bytes | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Give a stream that can be sought, whatever the source."""
    if isinstance(source, bytes):
        yield _in_memory(source)
    elif isinstance(source, str | os.PathLike) and os.fspath(source) != "-":
        with _open_path(Path(source), name) as stream:
            yield stream if stream.seekable() else _held(stream, name)
    elif isinstance(source, str | os.PathLike):
        yield _held(sys.stdin.buffer, name)
    elif hasattr(source, "read"):
        yield _held(source, name)
    else:
        kind = type(source).__name__
        raise _fault(name, f"({kind}) is not audio; give a path, bytes, a binary file or an array")


def _open_path(path: Path, name: str) -> BinaryIO:
    if path.is_dir():
        raise _fault(name, "is a folder; name an audio file in it")
    # Opened by descriptor: soundfile takes a file object called *.raw for headerless audio.
    return _Stream(io.FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))))


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the operating system refuses into an AudioError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise _fault(name, "does not exist; check the path") from None
    except PermissionError:
        raise _fault(name, "may not be read; give yourself permission to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path, or a closed stream
        reason = getattr(error, "strerror", None) or error
        raise _fault(name, f"cannot be read ({reason}); check that it is an audio file") from None


def _held(stream: BinaryIO, name: str) -> BinaryIO:
    """Hold a stream in memory: libsndfile seeks, and pipes cannot."""
    data = bytearray()
    while part := stream.read(_BLOCK):
        if not isinstance(part, bytes):
            raise _fault(name, f"gives {type(part).__name__}, not bytes; open it in binary mode")
        data += part
        if len(data) > _MAX_STREAM_BYTES:
            raise _fault(name, f"holds over {_MAX_STREAM_BYTES} bytes; save it as a file and name that")
    return _in_memory(bytes(data))


def _in_memory(data: bytes) -> BinaryIO:
    return _Stream(cast(io.RawIOBase, io.BytesIO(data)))  # a BytesIO does all that a raw stream must


def _refuse_foreign(stream: BinaryIO, name: str) -> None:
    """Name what is certainly not ours before libsndfile takes it for an MP3."""
    head = stream.read(16)
    stream.seek(0)
    if not head:
        raise _fault(name, "is empty (0 bytes); record or copy it again")
    for offset, magic, kind, has_sound in _FOREIGN:
        if head[offset:].startswith(magic):
            advice = f"convert it: {_ffmpeg_line(name)}" if has_sound else "give an audio file"
            raise _fault(name, f"is {kind}, which is not read here; {advice}")


def _refuse_cut_mp3(stream: BinaryIO, name: str) -> None:
    """Hold an MP3 to the size in its Xing or Info header, before libmpg123 warns on standard error."""
    start = 0
    head = stream.read(10)
    if head.startswith(b"ID3") and len(head) == 10:
        size = head[6:]  # seven bits a byte
        start = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    stream.seek(start)
    frame = stream.read(256)
    present = stream.seek(0, io.SEEK_END) - start
    stream.seek(0)
    header = re.search(rb"(?:Xing|Info)\0\0\0(.)(.{8})", frame, re.DOTALL)
    if not frame.startswith(b"\xff") or header is None or not header[1][0] & 2:
        return
    place = 4 if header[1][0] & 1 else 0  # the count of frames stands before that of bytes
    declared = int.from_bytes(header[2][place : place + 4], "big")
    if present < 0.99 * declared:  # libmpg123 trusts the header to 1 % too
        raise _fault(name, f"is cut short: {present} of {declared} bytes are there; copy it again")


def _ffmpeg_line(name: str) -> str:
    path = Path("clip.m4a" if name.startswith("<") or name == "-" else name)
    target = path.with_suffix(".wav") if path.suffix.lower() != ".wav" else path.with_suffix(".16k.wav")
    return f"ffmpeg -i {shlex.quote(str(path))} -ac 1 -ar {SAMPLE_RATE} {shlex.quote(str(target))}"


class _Sequential(sf.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from front to end.

    soundfile seeks after every block it reads, which fails in a FLAC that was written to a pipe.
    """

    def seekable(self) -> bool:
        return False


def _decode(stream: BinaryIO, name: str, max_seconds: float) -> Waveform:
    try:
        with _Sequential(stream) as sound:
            if sound.format not in _FORMATS:
                raise _fault(name, f"is {sound.format}, which is not read here; {_ADVICE}")
            _check_header(sound, name, max_seconds)
            samples = _resampled(_blocks(sound, name, max_seconds), sound.samplerate, name)
            return _waveform(samples, name, sound.samplerate)
    except sf.SoundFileError as error:
        reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").strip(" .")
        raise _fault(name, f"cannot be decoded as audio ({reason}); {_ADVICE}") from None


def _check_header(sound: sf.SoundFile, name: str, max_seconds: float) -> None:
    _check_rate(sound.samplerate, name)
    if _length_is_known(sound):
        _check_length(sound.frames / sound.samplerate, name, max_seconds)
    for declared, present in _CUT_SHORT.findall(sound.extra_info):
        if int(present) < int(declared) < _UNKNOWN_LENGTH:
            raise _fault(
                name, f"is cut short: {present} of {declared} bytes of sound are there; copy it again"
            )


def _length_is_known(sound: sf.SoundFile) -> bool:
    # A FLAC that was written to a pipe counts no samples; libsndfile then says 0 or its largest integer.
    return bool(0 < sound.frames < 1 << 62)


def _check_rate(rate: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise _fault(name, f"has a sample rate of {rate} Hz; it must be from {MIN_RATE} to {MAX_RATE} Hz")


def _check_length(seconds: float, name: str, max_seconds: float) -> None:
    if seconds > max_seconds:
        raise _fault(
            name, f"lasts over {max_seconds:g} s ({seconds:.0f} s or more); cut it into shorter clips"
        )


def _check_work(frames: int, channels: int, name: str, max_seconds: float) -> None:
    """Bound the time that decoding takes: a small Ogg file can hold 255 channels of next to nothing."""
    if frames * channels > _MAX_CHANNELS * MAX_RATE * max_seconds:
        raise _fault(name, f"holds too much for its length in {channels} channels; mix it to mono")


def _blocks(sound: sf.SoundFile, name: str, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """Decode block by block, (frames, channels), and check that all the header promised is there."""
    size = max(1, _BLOCK // sound.channels)
    done = 0
    while len(block := sound.read(size, dtype="float32", always_2d=True)):
        done += len(block)
        _check_length(done / sound.samplerate, name, max_seconds)
        _check_work(done, sound.channels, name, max_seconds)
        yield block
    if _length_is_known(sound) and done + _MP3_SLACK < sound.frames:
        have, want = done / sound.samplerate, sound.frames / sound.samplerate
        raise _fault(name, f"is cut short: {have:.2f} of {want:.2f} s are there; copy it again")


def _resampled(blocks: Iterable[NDArray[np.float32]], rate: int, name: str) -> NDArray[np.float32]:
    """Average the channels of each (frames, channels) block, and bring the whole to 16 kHz, (n,)."""
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
    parts: list[NDArray[np.float32]] = []
    for block in blocks:
        _check_samples(block, name)
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        parts.append(mono if resampler is None else resampler.resample_chunk(mono))
    if resampler is not None and parts:
        parts.append(resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _check_samples(block: NDArray[np.float32], name: str) -> None:
    peak = max(float(block.max()), -float(block.min()))  # NaN if any sample is NaN
    if not np.isfinite(peak):
        raise _fault(name, "holds samples that are NaN or infinite; export the clip again")
    if peak > _MAX_PEAK:
        raise _fault(name, f"has samples up to {peak:g}; divide them so that they lie in [-1, 1]")


def _waveform(samples: NDArray[np.float32], name: str, rate: int) -> Waveform:
    seconds = len(samples) / SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise _fault(name, f"lasts {seconds:.3f} s; the shortest clip that can be used is {MIN_SECONDS} s")
    # Resampling a loud clip overshoots full scale a little.
    return Waveform(samples=np.clip(samples, -1.0, 1.0), source=name, original_rate=rate)


def _read_array(array: NDArray[Any], rate: int | None, max_seconds: float) -> Waveform:
    name = "<array>"
    if rate is None:
        raise _fault(name, "carries no sample rate; give rate=, in Hz")
    _check_rate(rate, name)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 0 < array.shape[1] <= max(1, array.shape[0])):
        raise _fault(name, f"of shape {array.shape} is not a clip; give (samples,) or (samples, channels)")
    _check_length(len(array) / rate, name, max_seconds)
    frames = array.reshape(len(array), -1) if array.size else array.reshape(0, 1)
    step = max(1, _BLOCK // frames.shape[1])
    blocks = (_full_scale(frames[start : start + step], name) for start in range(0, len(frames), step))
    return _waveform(_resampled(blocks, rate, name), name, rate)


def _full_scale(block: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Scale integers to [-1, 1); floats are taken as they are."""
    kind, size = block.dtype.kind, block.dtype.itemsize
    if kind == "f":
        return block.astype(np.float32)
    if kind == "i" and size <= 4:
        return (block / float(1 << (8 * size - 1))).astype(np.float32)
    if kind == "u" and size == 1:
        return ((block.astype(np.float32) - 128) / 128).astype(np.float32)
    raise _fault(
        name, f"of {block.dtype} is not a clip; give floats in [-1, 1] or 8-, 16- or 32-bit integers"
    )
