"""What somebody does to a recording before they play it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.conditions import standard_telephone
from voiceprint.audio.degrade import (
    add_background,
    amplify,
    decaying_echo,
    gsm,
    mp3,
    opus,
    pink_noise,
    reverberate,
    within_full_scale,
)

Samples = NDArray[np.float32]
Change = Callable[[Samples, Samples, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """A way to replay a recording.

    Attributes
    ----------
    kind : str
        The row of the table that it counts for.
    change : callable
        From the recording (n,), another recording (m,) and a generator, to what is played.
    """

    kind: str
    change: Change


def _middle(x: Samples, seconds: float) -> Samples:
    half = round(seconds * SAMPLE_RATE / 2)
    return x[max(0, len(x) // 2 - half) : len(x) // 2 + half]


def _speed(x: Samples, factor: float) -> Samples:
    changed: Samples = soxr.resample(x, SAMPLE_RATE * factor, SAMPLE_RATE).astype(np.float32)
    return changed


def _noise(x: Samples, generator: np.random.Generator, snr_db: float) -> Samples:
    return add_background(x, pink_noise(len(x), generator), snr_db=snr_db)


def _padded(x: Samples, generator: np.random.Generator) -> Samples:
    ends = [0.003 * pink_noise(int(generator.integers(4_000, 12_000)), generator) for _ in range(2)]
    return np.concatenate([ends[0], x, ends[1]]).astype(np.float32)


_ALL: dict[str, tuple[str, Change]] = {
    "as it is": ("as is", lambda x, _, __: x),
    "12 dB softer": ("as is", lambda x, _, __: amplify(x, gain_db=-12.0)),
    "6 dB louder": ("as is", lambda x, _, __: within_full_scale(amplify(x, gain_db=6.0))),
    "Opus 6 kbit/s": ("encoded anew", lambda x, _, __: opus(x, kbps=6.0)),
    "Opus 16 kbit/s": ("encoded anew", lambda x, _, __: opus(x, kbps=16.0)),
    "MP3 16 kbit/s": ("encoded anew", lambda x, _, __: mp3(x, kbps=16.0)),
    "MP3 64 kbit/s": ("encoded anew", lambda x, _, __: mp3(x, kbps=64.0)),
    "GSM": ("encoded anew", lambda x, _, __: gsm(x)),
    "middle second": ("cut", lambda x, _, __: _middle(x, 1.0)),
    "a sixth cut off each end": ("cut", lambda x, _, __: x[len(x) // 6 : len(x) - len(x) // 6]),
    "padded": ("cut", lambda x, _, rng: _padded(x, rng)),
    "behind another recording": ("cut", lambda x, y, _: np.concatenate([y, x])),
    "first half, then another": ("cut", lambda x, y, _: np.concatenate([x[: len(x) // 2], y[len(y) // 2 :]])),
    "telephone": ("telephone", lambda x, _, __: standard_telephone(x)),
    "telephone, middle second": ("telephone", lambda x, _, __: standard_telephone(_middle(x, 1.0))),
    "telephone, 20 dB of noise": ("telephone", lambda x, _, rng: _noise(standard_telephone(x), rng, 20.0)),
    "1 % slower": ("other speed", lambda x, _, __: _speed(x, 1.01)),
    "1 % faster": ("other speed", lambda x, _, __: _speed(x, 0.99)),
    "2 % slower": ("other speed", lambda x, _, __: _speed(x, 1.02)),
    "4 % slower": ("beyond", lambda x, _, __: _speed(x, 1.04)),
    "20 dB of noise": ("noise", lambda x, _, rng: _noise(x, rng, 20.0)),
    "10 dB of noise": ("beyond", lambda x, _, rng: _noise(x, rng, 10.0)),
    "room of 0.4 s": ("beyond", lambda x, _, rng: reverberate(x, decaying_echo(0.4, rng))),
    "all: 1 % slower, telephone, noise": (
        "beyond",
        lambda x, _, rng: _noise(standard_telephone(_speed(x, 1.01)), rng, 20.0),
    ),
}

REPLAYS: Mapping[str, Replaying] = {
    name: Replaying(kind=kind, change=change) for name, (kind, change) in _ALL.items()
}
"""By name. The kind "beyond" is not promised."""
