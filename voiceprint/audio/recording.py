"""The microphone: sounddevice, from the ``mic`` extra."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_number
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.errors import AudioError

SOURCE = "<microphone>"
"""What a recorded Waveform gives as its source."""

_BLOCK = SAMPLE_RATE // 10  # samples between two looks at the level


def record(
    seconds: float,
    *,
    device: int | str | None = None,
    on_block: Callable[[float, float], bool] | None = None,
) -> Waveform:
    """Record from a microphone.

    Parameters
    ----------
    device : int or str, optional
        Number or part of the name of the input device; by default the system's.
    on_block : callable, optional
        Called every 0.1 s with the seconds recorded and the level in dBFS of the last block; recording ends
        when it returns False.

    Raises
    ------
    AudioError
        If sounddevice or PortAudio is not installed, there is no microphone, or it cannot be used.
    """
    check_number("seconds", seconds, above=0.0)
    blocks: list[NDArray[np.float32]] = []
    with closing(microphone(device=device)) as sound:
        for block in sound:
            blocks.append(block)
            recorded = len(blocks) * _BLOCK / SAMPLE_RATE
            goes_on = on_block is None or on_block(recorded, level_dbfs(block))
            if recorded >= seconds or not goes_on:
                break
    return Waveform(samples=np.concatenate(blocks), source=SOURCE, original_rate=SAMPLE_RATE)


def microphone(*, device: int | str | None = None) -> Generator[NDArray[np.float32], None, None]:
    """Yield what the microphone hears, 0.1 s at a time, for ever: float32 (1600,) at 16 kHz.

    The device and the error are those of `record`.
    """
    sounddevice = _sounddevice()
    try:
        with sounddevice.InputStream(
            samplerate=SAMPLE_RATE, channels=1, dtype="float32", device=device, blocksize=_BLOCK
        ) as stream:
            while True:
                block, _ = stream.read(_BLOCK)  # (_BLOCK, 1)
                yield np.array(block[:, 0], dtype=np.float32)
    except (sounddevice.PortAudioError, ValueError) as error:  # ValueError: no such device
        raise _error(
            f"cannot record: {error}; is a microphone connected, and may this program use it?"
        ) from error


def level_dbfs(samples: NDArray[np.floating[Any]]) -> float:
    """Return the RMS level of samples in dB relative to full scale, -100 at the least."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return float(10 * np.log10(max(power, 1e-10)))


def _sounddevice() -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415  an optional package that few need
    except ImportError as error:
        raise _error("recording needs sounddevice: pip install 'voiceprint-engine[mic]'") from error
    except OSError as error:  # what sounddevice raises without its C library
        raise _error(
            "recording needs the PortAudio library; on Debian or Ubuntu: sudo apt-get install libportaudio2"
        ) from error
    module: ModuleType = sounddevice
    return module


def _error(message: str) -> AudioError:
    return AudioError(message, source=SOURCE)
