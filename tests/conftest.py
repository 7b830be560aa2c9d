"""What the tests share: real-speech corpora where they are, and synthetic speech everywhere."""

from __future__ import annotations

import os

# One thread everywhere, set before anything loads a BLAS: tests run beside other work and must not depend on it.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

# Pitch in Hz, and the factor on every formant (a shorter vocal tract raises them all) of the synthetic speakers.
VOICES: dict[str, tuple[float, float]] = {
    "ada": (205.0, 1.16),
    "bert": (105.0, 0.92),
    "cleo": (165.0, 1.05),
    "dmitri": (130.0, 1.00),
    "edda": (245.0, 1.22),
    "farid": (90.0, 0.86),
}

# First three formants in Hz of a man's vowels (Peterson and Barney, 1952, table II): i, e, a, o, u, er.
_VOWELS = (
    (270, 2290, 3010),
    (530, 1840, 2480),
    (730, 1090, 2440),
    (570, 840, 2410),
    (300, 870, 2240),
    (490, 1350, 1690),
)

Speechlike = Callable[..., NDArray[np.float32]]


def synthesize(
    seed: int, seconds: float = 3.0, f0: float = 120.0, formants: float | Sequence[Sequence[float]] = 1.0
) -> NDArray[np.float32]:
    """Speak random syllables: a buzz at pitch `f0` Hz through moving formants, with pauses and hiss.

    `formants` is a factor on the formants of an average man's vowels, or vowels of one's own: rows of Hz.
    Equal arguments give equal samples.
    """
    rng = np.random.default_rng(seed)
    vowels = (
        np.array(_VOWELS) * formants if isinstance(formants, int | float) else np.array(formants, dtype=float)
    )
    parts: list[NDArray[np.float64]] = [np.zeros(800)]
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        if rng.random() < 0.4:
            parts.append(_fricative(rng))
        parts.append(_syllable(rng, f0, vowels[rng.integers(len(vowels))], vowels[rng.integers(len(vowels))]))
        if rng.random() < 0.15:
            parts.append(np.zeros(rng.integers(1600, 3200)))
    samples = np.concatenate(parts)[: round(seconds * SAMPLE_RATE)]
    samples += 2e-4 * rng.standard_normal(len(samples))
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def _syllable(
    rng: np.random.Generator, f0: float, start: NDArray[np.float64], stop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the harmonics of a gliding pitch, each as loud as the formants let it through."""
    length = int(rng.integers(2400, 4800))
    glide = np.linspace(0.0, 1.0, length)
    pitch = f0 * (1 + rng.uniform(-0.12, 0.12) + rng.uniform(-0.15, 0.1) * glide)
    pitch *= 1 + 0.01 * np.sin(2 * np.pi * 5 * np.arange(length) / SAMPLE_RATE)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tracks = start[:, None] + (stop - start)[:, None] * glide  # (formants, length)
    samples = np.zeros(length)
    for harmonic in range(1, int(3800 / f0) + 1):
        frequency = harmonic * pitch
        bandwidth = 60 + 0.04 * tracks
        gain = (1 / np.sqrt(1 + ((frequency - tracks) / bandwidth) ** 2)).sum(axis=0) / harmonic**0.6
        samples += gain * np.sin(harmonic * phase)
    ramp = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / 480)
    return samples * ramp * rng.uniform(0.6, 1.0)


def _fricative(rng: np.random.Generator) -> NDArray[np.float64]:
    length = int(rng.integers(800, 1600))
    hiss = np.diff(rng.standard_normal(length + 1))
    return 0.25 * hiss * np.hanning(length)


@pytest.fixture(scope="session")
def speechlike() -> Speechlike:
    """The function ``speechlike(seed, seconds=3.0, f0=120.0, formants=1.0) -> float32 (n,)`` at 16 kHz."""
    return synthesize


@pytest.fixture(scope="session")
def voice() -> Callable[..., NDArray[np.float32]]:
    """The function ``voice(name, seed=0, seconds=3.0)``: a clip of one of the synthetic speakers in VOICES."""

    def speak(name: str, seed: int = 0, seconds: float = 3.0) -> NDArray[np.float32]:
        f0, formants = VOICES[name]
        return synthesize(seed, seconds, f0, formants)

    return speak


@pytest.fixture(scope="session")
def wav() -> Callable[..., Path]:
    """The function ``wav(path, samples, rate=16000, subtype="PCM_16") -> path``, which makes the folder as well."""

    def write(
        path: Path, samples: NDArray[np.float32], rate: int = SAMPLE_RATE, subtype: str | None = "PCM_16"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, samples, rate, subtype=subtype)
        return path

    return write


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real-speech corpora that VOICEPRINT_CORPORA names."""
    value = os.environ.get("VOICEPRINT_CORPORA")
    if not value:
        pytest.skip("VOICEPRINT_CORPORA is not set: no real speech to test on")
    folder = Path(value).resolve()
    if not folder.is_dir():
        pytest.fail(f"VOICEPRINT_CORPORA={value} is not a folder")
    return folder


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep every test away from the user's store and corpora of other runs."""
    monkeypatch.setenv("VOICEPRINT_STORE", str(tmp_path / "enrollments"))
    yield
