"""Session: a question answered while somebody speaks, as soon as the evidence suffices."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count, check_number
from voiceprint.audio import MIN_SECONDS, SAMPLE_RATE
from voiceprint.audio.live_sound import LiveSound
from voiceprint.engine.events import Decided, Event
from voiceprint.engine.listening import Answer, Listener, Question
from voiceprint.engine.people import EnrolledPeople
from voiceprint.engine.sequential import LATEST, LEAST_SPEECH, SequentialTest
from voiceprint.errors import ArgumentError, NotCalibratedError, VoiceprintError

__all__ = ["Session"]

_MOST = 30.0  # seconds that the encoder takes at once: the latest moment may not be later


class Session:
    """Listens to sound that is still coming. `Verifier.session` opens one.

    It decides once a turn: when the evidence suffices, or at the latest moment. When another person begins to
    speak, the evidence starts anew. Memory is bounded, however long it listens. Several threads may feed it;
    their chunks are taken one after the other.

    Parameters
    ----------
    latest : float
        Seconds of speech in a turn at which it is decided in any case, at most 30.
    min_speech : float
        Seconds of speech in a turn before which nothing is decided.

    Raises
    ------
    SpeakerNotFoundError
        If a person asked for is not enrolled.
    NotCalibratedError
        If the model has no calibration.

    Examples
    --------
    >>> session = verifier.session(claim="ada")
    >>> for start in range(0, len(samples), 1600):  # a tenth of a second
    ...     events = session.feed(samples[start : start + 1600])
    ...     if session.finished:
    ...         break
    >>> session.answer.decision
    'accepted'
    """

    def __init__(
        self,
        people: EnrolledPeople,
        question: Question,
        test: SequentialTest,
        *,
        latest: float = LATEST,
        min_speech: float = LEAST_SPEECH,
    ) -> None:
        check_number("min_speech", min_speech, least=MIN_SECONDS, most=_MOST)
        check_number("latest", latest, least=min_speech, most=_MOST)
        if people.model.card.calibration is None:
            raise NotCalibratedError(path=str(people.model.folder))
        self._people, self._question, self._test = people, question, test
        # Decided before that, somebody who speaks could not be distinguished from a machine.
        least = 0.0 if people.liveness is None else people.liveness.least_seconds
        self._min_speech = max(min_speech, least)
        self._latest = max(latest, self._min_speech)
        self._refusal = question.refusal()
        self._lock = threading.Lock()
        self._sound: LiveSound | None = None
        self._listener: Listener | None = None
        self._answer: Answer | None = None
        self._finished = False

    def __repr__(self) -> str:
        state = "finished" if self._finished else "listening"
        return f"<{type(self).__name__} of {self._people!r}, {state}>"

    @property
    def answer(self) -> Answer | None:
        """The latest decision; None before the first.

        Examples
        --------
        >>> session = verifier.session(claim="ada")
        >>> session.answer is None
        True
        >>> _ = session.feed(samples), session.finish()
        >>> session.answer.name
        'ada'
        """
        return self._answer

    @property
    def finished(self) -> bool:
        """Whether nothing can be fed any more: it was finished, or an error ended it.

        Examples
        --------
        >>> session = verifier.session(claim="ada")
        >>> _ = session.finish()
        >>> session.finished
        True
        """
        return self._finished

    def feed(self, samples: NDArray[Any], *, sample_rate: int = SAMPLE_RATE) -> tuple[Event, ...]:
        """Take the next samples.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            One channel, any number of samples: floats in [-1, 1] or integers.
        sample_rate : int
            In Hz, from 8 to 192 kHz, the same in every call.

        Returns
        -------
        tuple of Event
            What has become known, in order. The same sound gives the same events, whatever its chunks.

        Raises
        ------
        ArgumentError
            If the rate is no whole number or differs from before, or the session is finished.
        AudioError
            If the samples cannot be used. None of them is taken, and the session goes on.
        SpeakerNotFoundError, StoreError
            If somebody asked for is not enrolled any more, or the store cannot be read. The session is over.

        Examples
        --------
        >>> session = verifier.session(claim="ada")
        >>> events = session.feed(samples)
        >>> type(events[0]).__name__
        'SpeechBegan'
        """
        check_count("sample_rate", sample_rate)
        with self._lock:
            sound, listener = self._opened(sample_rate)
            return self._collect(self._listen(listener, sound.feed(samples)))

    def finish(self) -> tuple[Event, ...]:
        """End the sound, and decide what is not decided yet.

        Returns
        -------
        tuple of Event
            The last is a decision unless the turn had one before.

        Raises
        ------
        ArgumentError, SpeakerNotFoundError, StoreError
            As `feed`.

        Examples
        --------
        >>> session = verifier.session(claim="ada")
        >>> _ = session.feed(samples)
        >>> _ = session.finish()
        >>> session.finished, session.answer.decision
        (True, 'accepted')
        """
        with self._lock:
            sound, listener = self._opened(None)
            events = self._collect(self._end(listener, sound))
            self._finished = True
            return events

    def _opened(self, sample_rate: int | None) -> tuple[LiveSound, Listener]:
        """Return what listens, made by the first samples; `sample_rate` is None where no samples come."""
        if self._finished:
            raise ArgumentError("samples", "more sound", "fed before the session is finished")
        if self._sound is None or self._listener is None:
            rate = SAMPLE_RATE if sample_rate is None else sample_rate
            self._sound = LiveSound(rate)
            self._listener = Listener(
                self._people,
                self._question,
                self._test,
                latest=self._latest,
                min_speech=self._min_speech,
                original_rate=rate,
            )
        elif sample_rate not in (None, self._sound.sample_rate):
            raise ArgumentError("sample_rate", sample_rate, f"{self._sound.sample_rate}, as before")
        return self._sound, self._listener

    def _listen(self, listener: Listener, windows: Iterable[NDArray[np.float32]]) -> Iterator[Event]:
        if self._refusal is not None:
            yield from self._refuse()
            return
        for window in windows:
            yield from listener.feed(window)

    def _end(self, listener: Listener, sound: LiveSound) -> Iterator[Event]:
        yield from self._listen(listener, sound.finish())
        if self._refusal is None:
            yield from listener.end(sound.rest)

    def _refuse(self) -> Iterator[Event]:
        """Yield once that there is no verdict; the sound is not looked at."""
        if self._answer is None and self._refusal is not None:
            yield Decided(elapsed=0.0, answer=self._refusal)

    def _collect(self, events: Iterator[Event]) -> tuple[Event, ...]:
        collected = []
        try:
            for event in events:
                collected.append(event)
                if isinstance(event, Decided):
                    self._answer = event.answer
        except VoiceprintError:
            self._finished = True  # whoever is refused once is not accepted by the next chunk
            raise
        return tuple(collected)
