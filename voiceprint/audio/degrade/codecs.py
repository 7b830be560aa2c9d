"""Round trips through speech and audio codecs, encoded and decoded in memory by libsndfile."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio.degrade.filters import halve_rate, restore_rate
from voiceprint.audio.waveform import SAMPLE_RATE

# libsndfile takes a level from 0 (best) to 1 (smallest), linear over these rates in kbit/s.
OPUS_KBPS, MP3_KBPS = (6.0, 256.0), (8.0, 160.0)
"""The lowest and the highest bit rate of each codec, in kbit/s."""

_SMALLEST = 0.999  # MP3 refuses 1


def gsm(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pass a clip through GSM 06.10 full rate: 8 kHz, 13 kbit/s.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz, within [-1, 1].

    Returns
    -------
    ndarray of float32, shape (n,)

    Examples
    --------
    >>> gsm(samples).shape == samples.shape
    True
    """
    narrow = halve_rate(samples, low=0.0, high=3700.0)
    decoded = _round_trip(np.clip(narrow, -1, 1), SAMPLE_RATE // 2, container="WAV", subtype="GSM610")
    return restore_rate(decoded, samples.size)


def opus(samples: NDArray[np.float32], *, kbps: float) -> NDArray[np.float32]:
    """Pass a clip (n,) at 16 kHz through Opus at 6 to 256 kbit/s; its container adds some 3 to that.

    Examples
    --------
    >>> opus(samples, kbps=16).shape == samples.shape
    True
    """
    return _round_trip(samples, SAMPLE_RATE, container="OGG", subtype="OPUS", level=_level(kbps, OPUS_KBPS))


def mp3(samples: NDArray[np.float32], *, kbps: float) -> NDArray[np.float32]:
    """Pass a clip (n,) at 16 kHz through MP3 at an average rate of 8 to 160 kbit/s.

    Examples
    --------
    >>> mp3(samples, kbps=32).shape == samples.shape
    True
    """
    level = min(_level(kbps, MP3_KBPS), _SMALLEST)
    return _round_trip(
        samples, SAMPLE_RATE, container="MP3", subtype="MPEG_LAYER_III", level=level, mode="AVERAGE"
    )


def _level(kbps: float, rates: tuple[float, float]) -> float:
    low, high = rates
    return 1.0 - (kbps - low) / (high - low)


def _round_trip(
    samples: NDArray[np.float32],
    rate: int,
    *,
    container: str,
    subtype: str,
    level: float | None = None,
    mode: str | None = None,
) -> NDArray[np.float32]:
    """Encode, decode, and cut what the codec's last block added."""
    file = io.BytesIO()
    sf.write(
        file, samples, rate, format=container, subtype=subtype, compression_level=level, bitrate_mode=mode
    )
    file.seek(0)
    decoded: NDArray[np.float32] = sf.read(file, dtype="float32", frames=samples.size, fill_value=0.0)[0]
    return decoded
