from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.audio.degrade.loudspeakers import Loudspeaker, play
from voiceprint.training.countermeasure.devices import (
    DEV_LOUDSPEAKERS,
    TEST_LOUDSPEAKERS,
    draw_loudspeaker,
    held_out_replay,
)

FLAT = Loudspeaker(hertz=(20.0, 8000.0), decibels=(0.0, 0.0), drive=0.001)


def tone(hertz: float, peak: float = 0.4) -> NDArray[np.float32]:
    return (peak * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).astype(np.float32)


def strength(samples: NDArray[np.float32], hertz: int) -> float:
    """Amplitude of a whole number of hertz in a second of sound."""
    return float(2 * np.abs(np.fft.rfft(samples)[hertz]) / samples.size)


def test_a_flat_loudspeaker_that_is_turned_down_changes_nothing() -> None:
    inner = slice(100, -100)  # a tone that begins at once has no limits of its band
    assert play(tone(440), FLAT)[inner] == pytest.approx(tone(440)[inner], abs=1e-3)


def test_its_curve_is_that_of_the_knots() -> None:
    boxy = Loudspeaker(hertz=(100.0, 400.0), decibels=(-40.0, 0.0), drive=0.001)
    played = play(tone(200) + tone(1000), boxy)
    # Half way between the knots in octaves: -20 dB against 1 kHz.
    assert strength(played, 200) / strength(played, 1000) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(("form", "even"), [("soft", False), ("hard", False), ("uneven", True)])
def test_distortion_adds_harmonics(form: str, even: bool) -> None:
    driven = Loudspeaker(hertz=(20.0, 8000.0), decibels=(0.0, 0.0), drive=2.0, distortion=form)  # type: ignore[arg-type]
    played = play(tone(500), driven)
    assert strength(played, 1500) > 0.01
    assert (strength(played, 1000) > 0.005) == even


def test_what_distortion_adds_above_the_band_does_not_fold_back() -> None:
    played = play(tone(3000), Loudspeaker(hertz=(20.0, 8000.0), decibels=(0.0, 0.0), drive=2.0))
    assert strength(played, 7000) < 0.002  # 3 x 3000 = 9000 would fold to 7000


def test_silence_stays_silent_and_the_peak_as_it_was() -> None:
    assert not play(np.zeros(800, np.float32), FLAT).any()
    played = play(tone(700), DEV_LOUDSPEAKERS[0])
    assert np.max(np.abs(played)) == pytest.approx(0.4, rel=1e-3)


def test_dev_and_test_share_no_loudspeaker_and_draws_come_back_by_their_seed() -> None:
    assert not set(DEV_LOUDSPEAKERS) & set(TEST_LOUDSPEAKERS)
    assert draw_loudspeaker(np.random.default_rng(3)) == draw_loudspeaker(np.random.default_rng(3))
    one, again = (
        held_out_replay(tone(440), np.random.default_rng(1), loudspeakers=TEST_LOUDSPEAKERS) for _ in range(2)
    )
    assert np.array_equal(one, again)
    assert one.shape == tone(440).shape
