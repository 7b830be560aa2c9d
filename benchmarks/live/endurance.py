"""Hours of sound in fast motion: whether memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, synthesize
from benchmarks.timing import resident_bytes, spent
from voiceprint.engine.verifier import Verifier

__all__ = ["Endured", "listen_for_hours"]

_SAID = 4  # sentences of each voice, said over and over


@dataclass(frozen=True, slots=True, kw_only=True)
class Endured:
    """What was heard, and what it took.

    Attributes
    ----------
    hours : float
        Of sound.
    megabytes : tuple of float
        Resident memory after each tenth of the sound.
    times_real_time : float
        How many times as fast as it would have been spoken.
    """

    hours: float
    events: int
    megabytes: tuple[float, ...]
    times_real_time: float


def listen_for_hours(verifier: Verifier, hours: float, *, seed: int = 0) -> Endured:
    """Feed a session synthetic talk, pauses and noise, and look at the memory ten times."""
    session, events, memory, heard = verifier.session(), 0, list[float](), 0
    sound, wanted = _talk(np.random.default_rng(seed)), round(3600 * hours * SAMPLE_RATE)

    def listen(until: int) -> None:
        nonlocal heard, events
        while heard < until:
            part = next(sound)
            events += len(session.feed(part))
            heard += len(part)

    seconds = 0.0
    for tenth in range(1, 11):
        seconds += spent(lambda until=wanted * tenth // 10: listen(until)).seconds  # type: ignore[misc]
        memory.append(resident_bytes() / 1e6)
    return Endured(
        hours=hours,
        events=events,
        megabytes=tuple(memory),
        times_real_time=heard / SAMPLE_RATE / seconds,
    )


def _talk(generator: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Sentences of several voices, pauses between them, now and then a minute of silence or of noise."""
    sentences = [synthesize(seed, 4.0, *voice) for voice in VOICES.values() for seed in range(_SAID)]
    while True:
        yield sentences[generator.integers(len(sentences))]
        seconds, level = (60.0, 0.1) if generator.random() < 0.02 else (generator.uniform(0.1, 2.0), 1e-3)
        yield (level * generator.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)
