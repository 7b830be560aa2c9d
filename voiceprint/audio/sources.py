"""Where sound comes from: paths, bytes, streams and folders, as streams that a decoder can seek in."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from numpy.typing import NDArray

from voiceprint.audio.waveform import SAMPLE_RATE, fault

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # of typing itself from Python 3.13 on

_Encoded = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
AudioSource = _Encoded | NDArray[Any]
"""A path, bytes, a binary file object or an array."""

_BLOCK = 1 << 20  # bytes of a stream that are read at a time
_MAX_STREAM_BYTES = 1 << 30  # a stream that cannot be rewound is held in memory

_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"}
    | {".w64", ".rf64", ".m4a", ".mp4", ".aac", ".wma", ".amr", ".webm", ".mka", ".3gp", ".spx"}
)


def is_array(source: object) -> TypeIs[NDArray[Any]]:
    """Whether a source is samples in memory: a numpy array, or a tensor that turns into one.

    Examples
    --------
    >>> is_array(samples), is_array(clip)
    (True, False)
    """
    return hasattr(source, "__array__")


def find_audio(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the audio files that a path or several name, each once.

    Files are taken as they are; folders are searched recursively by file name ending, in sorted order,
    without hidden files.

    Parameters
    ----------
    paths : path or iterable of paths
        Files and folders. ``-`` (standard input) is passed on.

    Raises
    ------
    AudioError
        A path does not exist, or a folder holds no audio file.

    Examples
    --------
    >>> [path.name for path in find_audio(["people/ada"])]
    ['1.wav', '2.wav', '3.wav', '4.wav', '5.wav']
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    return list(dict.fromkeys(found for path in paths for found in _audio_at(Path(path))))


def _audio_at(path: Path) -> list[Path]:
    with _explained(source_name(path)):
        if path.is_dir():
            return _audio_in_folder(path)
        if str(path) != "-":
            path.stat()  # raises where it does not exist
        return [path]


def _audio_in_folder(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.rglob("*")) if _is_audio_file(path)]
    if not files:
        raise fault(source_name(folder), f"holds no audio files; {format_advice()}")
    return files


def _is_audio_file(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def clips_beside_folders(folder: Path) -> list[Path]:
    """List the audio files directly in a folder whose sub-folders are people: nobody's clips, as it seems.

    Examples
    --------
    >>> clips_beside_folders(Path("people"))
    []
    """
    return [path for path in sorted(folder.iterdir()) if _is_audio_file(path)]


def source_name(source: AudioSource) -> str:
    """Return what messages call a source: always one printable line."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if is_array(source):
        return "<array>"
    text = os.fsdecode(source) if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if not isinstance(text, str):
        return "<stream>"
    return text if text.isprintable() and text else repr(text)


@contextmanager
def open_source(source: _Encoded, name: str) -> Iterator[BinaryIO]:
    """Give a stream that can be sought in, whatever the source.

    AudioError, instead of an OSError inside the block too, if it is missing, may not be read or is no source.
    """
    with _explained(name), _opened(source, name) as stream:
        yield stream


@contextmanager
def _opened(source: _Encoded, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield held_bytes(bytes(source))
    elif isinstance(source, str | os.PathLike) and os.fsdecode(source) != "-":
        with _open_path(Path(os.fsdecode(source)), name) as stream:
            yield stream if stream.seekable() else _held(stream, name)
    elif isinstance(source, str | os.PathLike):
        yield _held(sys.stdin.buffer, name)
    elif hasattr(source, "read"):
        yield _held(source, name)
    else:
        kind = type(source).__name__
        raise fault(name, f"({kind}) is not audio; give a path, bytes, a binary file or an array")


def _open_path(path: Path, name: str) -> BinaryIO:
    if path.is_dir():
        raise fault(name, "is a folder; name an audio file in it")
    # Opened by descriptor: soundfile takes a file object called *.raw for headerless audio.
    return _Stream(io.FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))))


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the operating system refuses into an AudioError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise fault(name, "does not exist; check the path") from None
    except PermissionError:
        raise fault(name, "may not be read; give yourself permission to read it") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path, or a closed stream
        reason = getattr(error, "strerror", None) or error
        raise fault(name, f"cannot be read ({reason}); check that it is an audio file") from None


class _Stream(io.BufferedReader):
    """Bytes for libsndfile, which seeks wherever a lying header sends it."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError):  # before the beginning
            return self.tell()  # libsndfile finds itself elsewhere, and gives up


def _held(stream: BinaryIO, name: str) -> BinaryIO:
    """Hold a stream in memory: decoders seek, and pipes cannot."""
    data = bytearray()
    while part := stream.read(_BLOCK):
        if not isinstance(part, bytes):
            raise fault(name, f"gives {type(part).__name__}, not bytes; open it in binary mode")
        data += part
        if len(data) > _MAX_STREAM_BYTES:
            raise fault(name, f"holds over {_MAX_STREAM_BYTES} bytes; save it as a file and name that")
    return held_bytes(bytes(data))


def held_bytes(data: bytes) -> BinaryIO:
    """Return bytes as a stream that decoders may seek in."""
    return _Stream(cast(io.RawIOBase, io.BytesIO(data)))  # a BytesIO does all that a raw stream must


def size_of(stream: BinaryIO) -> int:
    """Return how many bytes a stream holds, and rewind it."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size


class _View(io.RawIOBase):
    """A prefix, then a stretch of another stream with some of its bytes replaced, as a stream of its own."""

    def __init__(
        self, stream: BinaryIO, start: int, stop: int, patches: Mapping[int, bytes], prefix: bytes
    ) -> None:
        self._stream, self._prefix = stream, prefix
        self._shift = start - len(prefix)  # from a place here to one there
        self._size = stop - self._shift
        self._patches = {place - self._shift: data for place, data in patches.items()} | {0: prefix}
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = (0, self._place, self._size)[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        want = min(len(buffer), max(0, self._size - self._place))
        before = min(want, max(0, len(self._prefix) - self._place))
        self._stream.seek(self._place + before + self._shift)
        data = bytearray(before) + self._stream.read(want - before)
        for place, patch in self._patches.items():
            for index, value in enumerate(patch, place - self._place):
                if 0 <= index < len(data):
                    data[index] = value
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def view(
    stream: BinaryIO,
    start: int,
    stop: int,
    patches: Mapping[int, bytes] = MappingProxyType({}),
    *,
    prefix: bytes = b"",
) -> BinaryIO:
    """Return the bytes from `start` to `stop` of a stream, behind a prefix and with patches, as a stream."""
    return _Stream(_View(stream, start, stop, patches, prefix))


def format_advice() -> str:
    """Return the advice to give a format that is read here, with or without PyAV."""
    also = ", AIFF, M4A or WebM" if find_spec("av") else " or AIFF"
    return f"give a WAV, FLAC, Ogg, Opus, MP3{also} file"


def ffmpeg_line(name: str) -> str:
    """Return the command that converts a clip to what is read here."""
    path = Path("clip" if name.startswith("<") or name == "-" else name)
    target = path.with_suffix(".wav") if path.suffix.lower() != ".wav" else path.with_suffix(".16k.wav")
    return f"ffmpeg -i {shlex.quote(str(path))} -ac 1 -ar {SAMPLE_RATE} {shlex.quote(str(target))}"
