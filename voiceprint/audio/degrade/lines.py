"""What a line does to a clip: the telephone, a recording at 8 kHz, and codecs."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio.degrade.filters import halve_rate, restore_rate
from voiceprint.audio.waveform import SAMPLE_RATE

_MU = 255.0


def telephone(
    samples: NDArray[np.float32], *, low: float, high: float, peak_db: float
) -> NDArray[np.float32]:
    """Pass a clip through a telephone: band limits, 8 kHz, 8-bit mu-law (ITU-T G.711) at a given level.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz.
    low, high : float
        The band that passes, in Hz.
    peak_db : float
        The peak level at which the clip is companded, in dB of full scale: the lower, the coarser. The clip
        comes back at the level it had.

    Examples
    --------
    >>> telephone(samples, low=300, high=3400, peak_db=-6).shape == samples.shape
    True
    """
    narrow = halve_rate(samples, low=low, high=high)
    peak = float(np.max(np.abs(narrow), initial=0.0))
    if peak == 0.0:
        return np.zeros_like(samples)
    scale = np.float32(10 ** (peak_db / 20) / peak)
    return restore_rate(mu_law(narrow * scale) / scale, samples.size)


def narrowband(samples: NDArray[np.float32], *, high: float) -> NDArray[np.float32]:
    """Record a clip at 8 kHz: nothing above `high` Hz (at most 4000) and a flank of 250 Hz is left.

    Examples
    --------
    >>> narrowband(samples, high=3400).shape == samples.shape
    True
    """
    return restore_rate(halve_rate(samples, low=0.0, high=high), samples.size)


def mu_law(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compand samples in [-1, 1] to 8 bits and back by the continuous mu-law curve (mu = 255)."""
    compressed = np.log1p(np.float32(_MU) * np.abs(samples)) / np.float32(np.log1p(_MU))
    levels = np.round(compressed * np.float32(127)) / np.float32(127)
    return np.copysign(np.expm1(levels * np.float32(np.log1p(_MU))) / np.float32(_MU), samples)


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
