"""Speech as it is kept: Opus in an Ogg file, in memory."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio.waveform import SAMPLE_RATE, fault

_LOWEST, _HIGHEST = 6.0, 256.0  # kbit/s of libsndfile's levels from 1 (smallest) to 0 (best)
_DAMAGED = "is not the Opus file that was kept"


def encode_opus(samples: NDArray[np.float32], *, kbps: float = 56.0) -> bytes:
    """Encode samples (n,), float32, at 16 kHz within [-1, 1], at 6 to 256 kbit/s (below 9, up to 4 kHz).

    Examples
    --------
    >>> import numpy as np
    >>> decode_opus(encode_opus(np.zeros(16_000, dtype=np.float32)), "a").shape
    (16000,)
    """
    file = io.BytesIO()
    level = (_HIGHEST - kbps) / (_HIGHEST - _LOWEST)
    sf.write(file, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    return file.getvalue()


def decode_opus(content: bytes, name: str) -> NDArray[np.float32]:
    """Decode what `encode_opus` made, float32 (n,) at 16 kHz; AudioError, which names it, if it is not."""
    try:
        samples, rate = sf.read(io.BytesIO(content), dtype="float32")
    except (sf.LibsndfileError, RuntimeError) as error:
        raise fault(name, _DAMAGED) from error
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise fault(name, _DAMAGED)
    return np.asarray(samples)
