"""Two people one after the other: whether a session tells that the speaker changed, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.live.looks import join_clips
from benchmarks.timing import spent
from voiceprint.audio import SAMPLE_RATE
from voiceprint.corpus import Utterance
from voiceprint.engine.events import Event, SpeakerChanged, SpeechEnded
from voiceprint.engine.verifier import Verifier

__all__ = ["Changes", "Cost", "measure_changes", "measure_cost"]

_CHUNK = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How well changes of speaker are detected.

    Attributes
    ----------
    conversations, missed : int
        With one change each; in which none was detected after it.
    false_per_minute : float
        Changes detected before it, a minute of speech.
    median, p90 : float
        Seconds of sound from the change until it was detected.
    """

    conversations: int
    missed: int
    false_per_minute: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a chunk of 100 ms costs.

    Attributes
    ----------
    milliseconds : float
        Of the processor, the mean.
    most : float
        The dearest chunk.
    """

    milliseconds: float
    most: float

    @property
    def real_time_factor(self) -> float:
        """As a share of the 100 ms."""
        return self.milliseconds / 100.0


def measure_changes(
    clips: Mapping[str, Sequence[Utterance]],
    verifier: Verifier,
    generator: np.random.Generator,
    *,
    before: int = 3,
    after: int = 2,
) -> Changes:
    """Let everybody speak, and somebody else after them; `before` and `after` are clips of each."""
    names = [name for name, own in clips.items() if len(own) >= max(before, after)]
    delays, false, speech, missed = list[float](), 0, 0.0, 0
    for place, name in enumerate(names):
        other = names[(place + int(generator.integers(1, len(names)))) % len(names)]
        first, second = join_clips(clips[name][:before]), join_clips(clips[other][-after:])
        change = len(first) / SAMPLE_RATE
        events = _listen(verifier, np.concatenate([first, second]))
        detected = [event.heard for event in events if isinstance(event, SpeakerChanged)]
        ended = [event for event in events if isinstance(event, SpeechEnded) and event.stop <= change]
        speech += sum(event.stop - event.start for event in ended)
        false += sum(heard <= change for heard in detected)
        late = [heard - change for heard in detected if heard > change]
        missed += not late
        delays += late[:1]
    return Changes(
        conversations=len(names),
        missed=missed,
        false_per_minute=60 * false / speech,
        median=float(np.median(delays)),
        p90=float(np.percentile(delays, 90)),
    )


def measure_cost(samples: NDArray[np.float32], verifier: Verifier) -> Cost:
    """Feed samples (n,) to a session, 100 ms a time."""
    session = verifier.session()
    chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
    session.feed(chunks[0])  # what is loaded once
    took = [1000 * spent(lambda chunk=chunk: session.feed(chunk)).processor for chunk in chunks[1:]]  # type: ignore[misc]
    return Cost(milliseconds=float(np.mean(took)), most=max(took))


def _listen(verifier: Verifier, samples: NDArray[np.float32]) -> list[Event]:
    session = verifier.session()
    return [*session.feed(samples), *session.finish()]
