"""Speech as it is kept: Opus in an Ogg file, in memory."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio.waveform import SAMPLE_RATE, fault

_LEVEL = 0.8  # libsndfile's, from 0 (best) to 1 (smallest): some 60 kbit/s
_DAMAGED = "is not the Opus file that was kept"


def encode_opus(samples: NDArray[np.float32]) -> bytes:
    """Encode samples (n,), float32, at 16 kHz within [-1, 1].

    Examples
    --------
    >>> import numpy as np
    >>> decode_opus(encode_opus(np.zeros(16_000, dtype=np.float32)), "a").shape
    (16000,)
    """
    file = io.BytesIO()
    sf.write(file, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=_LEVEL)
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
