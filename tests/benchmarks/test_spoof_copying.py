"""Copy synthesis: copies sound like their clips, are others than they, and come again by the same draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.spoof import copying
from benchmarks.spoof.machines import MACHINES
from benchmarks.spoof.vocoders import FRAME
from benchmarks.synthetic_speech import VOICES
from voiceprint.audio import SAMPLE_RATE

Floats = NDArray[np.float32]
COPIES = {name: getattr(copying, name) for name in copying.__all__ if name != "statistical"}
"""Those that need no other package than the tests do, given the pitch."""
NAME = next(iter(VOICES))
STEADY = sorted(COPIES.keys() - {"psola"})  # that keep the speed


def decibels(samples: Floats, bands: int = 24) -> NDArray[np.float64]:
    """Mean energies of the bands of a clip, in dB."""
    power = np.square(np.abs(np.fft.rfft(samples)))[: samples.size * 3 // 8]  # below 6 kHz
    return 10 * np.log10([part.mean() for part in np.array_split(power, bands)])


@pytest.fixture(scope="module")
def clip(voice: Callable[..., Floats]) -> Floats:
    said = voice(NAME, 0, 2.0)
    return np.asarray(0.05 * said / np.std(said), dtype=np.float32)


@pytest.fixture(autouse=True)
def _steady_pitch(monkeypatch: pytest.MonkeyPatch) -> None:
    def pitch_of(samples: Floats) -> NDArray[np.float64]:
        frames = np.arange(samples.size // FRAME + 1)
        return np.where(frames % 100 < 80, VOICES[NAME][0], 0.0) * bool(samples.any())

    monkeypatch.setattr(copying, "pitch_of", pitch_of)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_finite_about_as_long_and_comes_again(name: str, clip: Floats) -> None:
    made = COPIES[name](clip, np.random.default_rng(3))
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert 0.8 < made.size / clip.size < 1.25
    assert np.array_equal(made, COPIES[name](clip, np.random.default_rng(3)))


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize("seed", range(3))
def test_a_copy_has_the_spectrum_but_not_the_samples(name: str, seed: int, clip: Floats) -> None:
    made = COPIES[name](clip, np.random.default_rng(seed))
    length = min(made.size, clip.size)
    apart = decibels(made) - decibels(clip)
    assert np.std(apart) < 12
    difference = made[:length] / np.std(made) - clip[:length] / np.std(clip)
    assert np.std(difference) > 0.05


def test_silence_is_copied_without_trouble() -> None:
    silent = np.zeros(SAMPLE_RATE, np.float32)
    for name, copy in COPIES.items():
        assert np.isfinite(copy(silent, np.random.default_rng(0))).all(), name


def test_every_copy_is_a_machine_of_training() -> None:
    training = {machine.name for machine in MACHINES if machine.split == "train"}
    assert COPIES.keys() <= training
