"""Synthetic speech that the speech detector takes for speech: formant synthesis of random syllables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

# Of each synthetic speaker: pitch in Hz, and the factor on all formants (a shorter vocal tract raises them).
VOICES: dict[str, tuple[float, float]] = {
    "ada": (205.0, 1.16),
    "bert": (105.0, 0.92),
    "cleo": (165.0, 1.05),
    "dmitri": (130.0, 1.00),
    "edda": (245.0, 1.22),
    "farid": (90.0, 0.86),
}

# First three formants in Hz of a man's vowels (Peterson and Barney, 1952, table II), and a common fourth.
_VOWELS = (
    (270, 2290, 3010, 3500),
    (530, 1840, 2480, 3500),
    (730, 1090, 2440, 3500),
    (570, 840, 2410, 3500),
    (300, 870, 2240, 3500),
    (490, 1350, 1690, 3500),
)
_BANDWIDTHS = np.array([[60.0], [90.0], [150.0], [200.0]])  # Hz, of the four formants

Speechlike = Callable[..., NDArray[np.float32]]


def synthesize(
    seed: int, seconds: float = 3.0, f0: float = 120.0, formants: float | Sequence[Sequence[float]] = 1.0
) -> NDArray[np.float32]:
    """Speak random syllables at pitch `f0` Hz, with fricatives, stops and pauses; the VAD detects speech.

    `formants` is a factor on the formants of an average man's vowels, or other vowels: rows of four Hz.
    Equal arguments give equal samples. It begins with 0.1 s of near silence.
    """
    rng = np.random.default_rng(seed)
    vowels = np.array(_VOWELS) * formants if isinstance(formants, int | float) else np.array(formants, float)
    parts: list[NDArray[np.float64]] = [np.zeros(1600)]
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        parts.append(_consonant(rng))
        parts.append(_syllable(rng, f0, *vowels[rng.integers(len(vowels), size=2)]))
        if rng.random() < 0.12:
            parts.append(np.zeros(rng.integers(2400, 4000)))
    samples = np.concatenate(parts)[: round(seconds * SAMPLE_RATE)]
    samples += 1e-4 * rng.standard_normal(len(samples))
    scaled: NDArray[np.float32] = (0.5 * samples / np.abs(samples).max()).astype(np.float32)
    return scaled


def _syllable(
    rng: np.random.Generator, f0: float, start: NDArray[np.float64], stop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the harmonics of a gliding, trembling pitch after four resonators that move from vowel to vowel."""
    length = int(rng.integers(1800, 3600))
    glide = np.linspace(0.0, 1.0, length)
    tremble = np.cumsum(rng.standard_normal(length)) * 2e-4
    pitch = f0 * (1 + rng.uniform(-0.1, 0.1) + rng.uniform(-0.15, 0.1) * glide)
    pitch *= 1 + tremble - tremble.mean()
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tracks = start[:, None] + (stop - start)[:, None] * np.minimum(1.0, 2.5 * glide)  # (4, length)
    samples = np.zeros(length)
    for harmonic in range(1, int(4500 / f0) + 1):
        hertz = harmonic * pitch
        gain = 1 / np.prod(1 - (hertz / tracks) ** 2 + 1j * hertz * _BANDWIDTHS / tracks**2, axis=0)
        samples += (gain * np.exp(1j * harmonic * phase)).imag / harmonic
    samples = samples / np.abs(samples).max() + 0.01 * rng.standard_normal(length)
    ramp = np.minimum(np.arange(length), np.arange(length)[::-1]) / 400
    shaped: NDArray[np.float64] = samples * np.minimum(1.0, ramp) * rng.uniform(0.5, 1.0)
    return shaped


def _consonant(rng: np.random.Generator) -> NDArray[np.float64]:
    """Hiss, or close the lips and burst, or do nothing, about equally often."""
    kind = rng.integers(3)
    if kind == 0:
        length = int(rng.integers(800, 1600))
        return 0.12 * np.diff(rng.standard_normal(length + 1)) * np.hanning(length)
    if kind == 1:
        burst = 0.2 * rng.standard_normal(160) * np.exp(-np.arange(160) / 50)
        return np.concatenate([np.zeros(rng.integers(500, 900)), burst])
    return np.zeros(0)
