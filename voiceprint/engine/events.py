"""What a session yields while somebody speaks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voiceprint.engine.decisions import Identification, Verification

__all__ = ["Decided", "Event", "Scored", "SpeakerChanged", "SpeechBegan", "SpeechEnded", "event_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechBegan:
    """Somebody began to speak.

    Attributes
    ----------
    elapsed : float
        Seconds of sound received when this became known.
    start : float
        Where the speech begins, in seconds.

    Examples
    --------
    >>> first = verifier.session().feed(samples)[0]
    >>> isinstance(first, SpeechBegan), first.start < 0.3
    (True, True)
    """

    elapsed: float
    start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """A stretch of speech has ended.

    Attributes
    ----------
    elapsed : float
        As of `SpeechBegan`.
    start, stop : float
        Where the speech lies, in seconds.

    Examples
    --------
    >>> from voiceprint import SpeechEnded
    >>> session = verifier.session(claim="ada")
    >>> events = (*session.feed(samples), *session.finish())
    >>> last = [event for event in events if isinstance(event, SpeechEnded)][-1]
    >>> last.start < last.stop <= 3.0
    True
    """

    elapsed: float
    start: float
    stop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The speech so far was compared and does not suffice yet.

    Attributes
    ----------
    elapsed : float
        As of `SpeechBegan`.
    name : str
        The claimed person, or the likeliest.
    score : float
        Cosine of the turn's speech and the voiceprint.
    llr : float or None
        Natural-log likelihood ratio of same over different person.
    threshold : float
        The score from which it would suffice now.
    seconds_of_speech : float
        Speech of the turn so far.

    Examples
    --------
    >>> from voiceprint import Scored, read_audio
    >>> session = verifier.session(claim="ada", far=0.0001)
    >>> events = session.feed(read_audio("guest.wav").samples)
    >>> looks = [event for event in events if isinstance(event, Scored)]
    >>> len(looks), all(look.score < look.threshold for look in looks)
    (6, True)
    """

    elapsed: float
    name: str
    score: float
    llr: float | None
    threshold: float
    seconds_of_speech: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerChanged:
    """Another person speaks: a new turn has begun, of which nothing is known yet.

    Attributes
    ----------
    elapsed : float
        As of `SpeechBegan`.
    start : float
        Where the new turn begins, in seconds; right to about a second.
    """

    elapsed: float
    start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The speech of this turn sufficed for a decision, or there will be none.

    Attributes
    ----------
    elapsed : float
        As of `SpeechBegan`.
    answer : Verification or Identification
        What `Verifier.verify` or `Verifier.identify` would give, by the test's threshold.

    Examples
    --------
    >>> events = verifier.session(claim="ada").feed(samples)
    >>> [event.answer.decision for event in events if isinstance(event, Decided)]
    ['accepted']
    """

    elapsed: float
    answer: Verification | Identification


Event = SpeechBegan | SpeechEnded | Scored | SpeakerChanged | Decided
"""Everything that a session may yield."""


def event_name(event: Event) -> str:
    """Return what an event is called where it is written down.

    Examples
    --------
    >>> event_name(SpeechBegan(elapsed=0.5, start=0.3))
    'speech_began'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
