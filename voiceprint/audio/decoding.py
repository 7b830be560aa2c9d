"""One link of a file -> blocks of samples: libsndfile where it reads the format, else FFmpeg through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio import media
from voiceprint.audio.containers import Link
from voiceprint.audio.sources import format_advice
from voiceprint.audio.waveform import fault

BLOCK = 1 << 20
"""Samples over all channels that are decoded at a time, at the most."""

_FORMATS = frozenset({"AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "RF64", "W64", "WAV", "WAVEX"})


class Decoder(Protocol):
    """A link that is being decoded."""

    @property
    def format(self) -> str:
        """What the file is."""

    @property
    def channels(self) -> int:
        """How many channels it has."""

    @property
    def sample_rate(self) -> int:
        """Samples a second and channel."""

    @property
    def frames(self) -> int | None:
        """Samples a channel, as far as the header says so."""

    @property
    def spare(self) -> int:
        """How many of them may be missing."""

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Decode it from front to end, (frames, channels) each."""


def open_link(link: Link, name: str) -> AbstractContextManager[Decoder]:
    """Open a link at its beginning; AudioError, also later, if it is not read here, or damaged."""
    link.stream.seek(0)
    if link.demuxer is not None:
        return media.open_media(link.stream, link.demuxer, name)
    return _open_sound(link, name)


class _Sequential(sf.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read from front to end.

    soundfile seeks after every block it reads, which fails in a FLAC that was written to a pipe.
    """

    def seekable(self) -> bool:
        return False


class _Sound:
    """What libsndfile decodes."""

    def __init__(self, sound: _Sequential, link: Link, name: str) -> None:
        self._sound, self._link, self._name = sound, link, name

    @property
    def format(self) -> str:
        return f"{self._sound.format}/{self._sound.subtype}"

    @property
    def channels(self) -> int:
        return int(self._sound.channels)

    @property
    def sample_rate(self) -> int:
        return int(self._sound.samplerate)

    @property
    def frames(self) -> int | None:
        if self._link.frames is not None:
            return self._link.frames
        # Without a count libsndfile says 0 or its largest integer.
        return int(self._sound.frames) if 0 < self._sound.frames < 1 << 62 else None

    @property
    def spare(self) -> int:
        return self._link.spare

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        size = max(1, BLOCK // self.channels)
        try:
            while len(block := self._sound.read(size, dtype="float32", always_2d=True)):
                yield block
        except sf.SoundFileError as error:
            raise fault(self._name, f"is damaged or cut short ({_reason(error)}); copy it again") from None


@contextmanager
def _open_sound(link: Link, name: str) -> Iterator[Decoder]:
    try:
        sound = _Sequential(link.stream)
    except sf.SoundFileError as error:
        raise fault(name, f"cannot be decoded as audio ({_reason(error)}); {format_advice()}") from None
    with sound:
        if sound.format not in _FORMATS:
            raise fault(name, f"is {sound.format}, which is not read here; {format_advice()}")
        yield _Sound(sound, link, name)


def _reason(error: sf.SoundFileError) -> str:
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").strip(" .")
