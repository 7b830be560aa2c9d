"""SpooledRecording: a recording of any length, decoded to a temporary file of which stretches are read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.read import stream_audio
from voiceprint.audio.sources import AudioSource, source_name
from voiceprint.audio.waveform import MIN_SECONDS, SAMPLE_RATE, Waveform, fault

_SIZE = np.dtype(np.float16).itemsize  # keeps 66 dB at any level, in half of the space


class SpooledRecording:
    """A recording decoded to disk; a context manager. The file has no name, so nothing of it is left.

    Use `open`. It is `samples` long at 16 kHz.
    """

    def __init__(self, file: IO[bytes], source: str, samples: int) -> None:
        self._file = file
        self.source = source
        self.samples = samples

    @classmethod
    def open(
        cls,
        source: AudioSource | Waveform,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        max_seconds: float,
        progress: Callable[[float], None] = lambda seconds: None,
    ) -> SpooledRecording:
        """Decode a recording.

        Parameters
        ----------
        source, sample_rate, channel, max_seconds
            As of `stream_audio`; a Waveform is taken as it is.
        progress : callable
            ``progress(seconds)``, how much is decoded.

        Raises
        ------
        ArgumentError, AudioError
            As of `read_audio`.
        OSError
            If the temporary file cannot be written.
        """
        # Closed by __exit__, or here where decoding fails.
        file = tempfile.TemporaryFile(prefix="voiceprint-")  # noqa: SIM115
        try:
            samples = 0
            for block in _blocks(source, sample_rate, channel, max_seconds):
                file.write(block.astype(np.float16).tobytes())
                samples += len(block)
                progress(samples / SAMPLE_RATE)
            name = source.source if isinstance(source, Waveform) else source_name(source)
            if samples < MIN_SECONDS * SAMPLE_RATE:
                raise fault(name, f"lasts {samples / SAMPLE_RATE:.3f} s; give {MIN_SECONDS} s at least")
            file.flush()
        except BaseException:
            file.close()
            raise
        return cls(file, name, samples)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.samples / SAMPLE_RATE

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the samples from `start` to `stop`; fewer where the recording ends before."""
        start, stop = max(0, start), min(stop, self.samples)
        self._file.seek(start * _SIZE)
        data = self._file.read(max(0, stop - start) * _SIZE)
        return np.frombuffer(data, dtype=np.float16).astype(np.float32)

    def close(self) -> None:
        """Close it, which removes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _blocks(
    source: AudioSource | Waveform, sample_rate: int | None, channel: int | None, max_seconds: float
) -> Iterator[NDArray[np.float32]]:
    if isinstance(source, Waveform):
        return iter([source.samples])
    return stream_audio(source, sample_rate=sample_rate, channel=channel, max_seconds=max_seconds)
