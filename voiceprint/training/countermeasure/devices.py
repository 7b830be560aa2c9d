"""Replay: speech recorded, played by a loudspeaker in a room and recorded again.

Loudspeakers that training draws, and others, of another make, for dev and for test; those stand in rooms of
another make as well, echoes that decay, where training has simulated boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio.degrade import add_background, decaying_echo, opus, pink_noise, reverberate
from voiceprint.audio.degrade.loudspeakers import Loudspeaker, play

_FORMS: tuple[Literal["soft", "hard", "uneven"], ...] = ("soft", "hard", "uneven")


def _fixed(
    drive: float, form: Literal["soft", "hard", "uneven"], **curve: tuple[tuple[float, float], ...]
) -> Loudspeaker:
    knots = curve["curve"]
    return Loudspeaker(
        hertz=tuple(hertz for hertz, _ in knots),
        decibels=tuple(decibels for _, decibels in knots),
        drive=drive,
        distortion=form,
    )


DEV_LOUDSPEAKERS = (
    _fixed(
        1.5, "soft", curve=((60, -50), (300, -26), (700, -4), (1200, 2), (2600, 6), (5200, -2), (7800, -14))
    ),
    _fixed(
        0.9, "hard", curve=((60, -40), (180, -16), (400, 0), (900, -4), (3000, 1), (6000, -5), (7800, -9))
    ),
    _fixed(0.6, "uneven", curve=((60, -20), (110, -3), (300, 2), (1500, -3), (4000, 0), (7800, -6))),
    _fixed(
        2.2, "uneven", curve=((60, -45), (240, -20), (500, -2), (1000, 5), (1800, -6), (3500, 3), (7800, -18))
    ),
)
"""A phone, a laptop, a box on a shelf, and a smart speaker turned up too far."""

TEST_LOUDSPEAKERS = (
    _fixed(
        1.2, "soft", curve=((60, -55), (250, -32), (550, -12), (900, 1), (1400, -3), (2200, 7), (7800, -8))
    ),
    _fixed(
        1.8, "hard", curve=((60, -42), (200, -22), (450, -1), (800, 3), (2000, -5), (4500, 4), (7800, -20))
    ),
    _fixed(0.5, "soft", curve=((60, -30), (90, -12), (160, 1), (700, -2), (2500, 2), (5000, -3), (7800, -4))),
    _fixed(
        0.8, "uneven", curve=((60, -35), (130, -14), (350, 3), (1100, -5), (1700, 4), (6500, -1), (7800, -7))
    ),
    _fixed(
        2.6, "soft", curve=((60, -60), (400, -30), (800, -8), (1300, 4), (3200, -2), (4000, 5), (7800, -25))
    ),
    _fixed(0.4, "hard", curve=((60, -25), (100, -8), (250, 0), (1000, 0), (3000, -2), (7800, -3))),
)
"""Another phone, a tablet, a studio monitor, a television, a toy, and a good box."""


def draw_loudspeaker(generator: Generator) -> Loudspeaker:
    """Draw a loudspeaker: nothing below a corner of 90 to 600 Hz, and a ragged curve above it."""
    corner = float(np.exp(generator.uniform(np.log(90.0), np.log(600.0))))
    slope = float(generator.uniform(10.0, 26.0))  # dB an octave
    ragged = float(generator.uniform(1.0, 5.0))
    hertz = np.geomspace(50.0, 8000.0, 24)
    decibels = generator.normal(0.0, ragged, hertz.size)
    decibels -= slope * np.maximum(np.log2(corner / hertz), 0.0)
    decibels -= float(generator.uniform(0.0, 8.0)) * np.maximum(np.log2(hertz / 3000.0), 0.0)
    return Loudspeaker(
        hertz=tuple(hertz.tolist()),
        decibels=tuple(np.clip(decibels, -60.0, 20.0).tolist()),
        drive=float(np.exp(generator.uniform(np.log(0.3), np.log(3.0)))),
        distortion=_FORMS[int(generator.integers(len(_FORMS)))],
    )


def replay(
    samples: NDArray[np.float32],
    generator: Generator,
    *,
    room: NDArray[np.float32],
    loudspeakers: Sequence[Loudspeaker] = (),
) -> NDArray[np.float32]:
    """Replay a clip (n,): as it was sent or kept, by a loudspeaker, in a room with some noise.

    Parameters
    ----------
    room : ndarray of float32, shape (taps,)
        From the loudspeaker to the second microphone.
    loudspeakers : sequence of Loudspeaker
        One is drawn; without any, one that nobody made.
    """
    if generator.random() < 0.3:
        samples = opus(samples, kbps=float(generator.uniform(12.0, 40.0)))
    if loudspeakers:
        loudspeaker = loudspeakers[int(generator.integers(len(loudspeakers)))]
    else:
        loudspeaker = draw_loudspeaker(generator)
    played = reverberate(play(samples, loudspeaker), room)
    noise = pink_noise(samples.size, generator)
    return add_background(played, noise, snr_db=float(generator.uniform(20.0, 45.0)))


def held_out_replay(
    samples: NDArray[np.float32], generator: Generator, *, loudspeakers: Sequence[Loudspeaker]
) -> NDArray[np.float32]:
    """Replay a clip (n,) by one of some loudspeakers in a room that no training saw."""
    room = decaying_echo(float(generator.uniform(0.15, 0.7)), generator)
    return replay(samples, generator, room=room, loudspeakers=loudspeakers)


def dev_replay(samples: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
    """Replay a clip (n,) as for dev."""
    return held_out_replay(samples, generator, loudspeakers=DEV_LOUDSPEAKERS)
