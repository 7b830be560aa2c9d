"""Listener: what becomes known of speech, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import Clip
from voiceprint.audio.live_clip import LiveClip
from voiceprint.audio.vad import Segment
from voiceprint.calibration import Shortfall
from voiceprint.engine.decisions import Identification, Verdict, Verification
from voiceprint.engine.events import Decided, Event, Scored, SpeakerChanged, SpeechBegan, SpeechEnded
from voiceprint.engine.generations import EmbeddedClip
from voiceprint.engine.people import EnrolledPeople
from voiceprint.engine.questions import Compared
from voiceprint.engine.sequential import SequentialTest
from voiceprint.engine.turns import COMPARED, EVERY, REMEMBERED, ChangeDetector

__all__ = ["Answer", "Listener", "Question", "next_look"]

Answer = Verification | Identification
"""What a question is answered by."""

_GROWTH = 0.1


class Question(Protocol):
    """What is asked of speech: `Claim` or `Search`."""

    def refusal(self) -> Answer | None:
        """Return the answer that needs no speech."""

    def compare(self, embedded: EmbeddedClip) -> Compared | Answer:
        """Compare speech with whom it concerns now; the answer itself where it may not be compared."""

    def answer(self, trial: Compared, verdict: Verdict) -> Answer:
        """Word the answer."""

    def too_little(self, clip: Clip, min_speech: float) -> Answer:
        """Return the answer to too little speech."""

    def too_short(self, trial: Compared, shortfall: Shortfall) -> Answer:
        """Return the answer where the rate is not promised for so little speech."""


def next_look(seconds: float, *, latest: float) -> float:
    """Return at which length of speech it is embedded again, after so many seconds of it.

    The speech so far is embedded anew when it has grown by a tenth, so that the cost stays level.
    """
    upcoming = seconds + max(EVERY, _GROWTH * seconds)
    return min(upcoming, latest) if seconds < latest else upcoming


class Listener:
    """Finds speech and turns in windows of sound, and asks a question of each turn until it is decided.

    Parameters
    ----------
    people : EnrolledPeople
        The store and the model.
    question : Question
    test : SequentialTest
    latest, min_speech : float
        Seconds of a turn's speech at which it is decided in any case, and before which it is not.
    original_rate : int
        Of the sound, in Hz.
    """

    def __init__(
        self,
        people: EnrolledPeople,
        question: Question,
        test: SequentialTest,
        *,
        latest: float,
        min_speech: float,
        original_rate: int,
    ) -> None:
        # The same model as long as it listens: a turn is compared with what came before.
        self._model, self._question, self._test = people.model, question, test
        self._latest, self._min_speech = latest, min_speech
        self._live = LiveClip(most=max(latest, REMEMBERED) + 1.0, original_rate=original_rate)
        self._changes = ChangeDetector(self._model.decider())
        self._speaking = False
        self._begin_turn()

    def feed(self, window: NDArray[np.float32]) -> Iterator[Event]:
        """Take the next window (512,), and yield what has become known."""
        yield from self._speech(self._live.add(window))
        if self._turn_speech >= self._next_comparison:
            yield from self._compare_with_the_turn()
        if self._turn_speech >= self._next_look:
            yield from self._look()

    def end(self, rest: NDArray[np.float32]) -> Iterator[Event]:
        """Take the last samples (n,), n below 512, and decide the turn if it is not decided."""
        yield from self._speech(self._live.finish(rest))
        if self._decided:
            return
        clip = self._live.clip()
        if clip.quality.seconds_of_speech < self._min_speech:
            yield self._decide(self._question.too_little(clip, self._min_speech))
        else:
            yield from self._ask(EmbeddedClip(clip), finally_=True)

    @property
    def _elapsed(self) -> float:
        return self._live.received / SAMPLE_RATE

    @property
    def _turn_speech(self) -> float:
        """Seconds of speech in this turn, those that were forgotten included."""
        return self._live.spoken - self._spoken_before

    def _begin_turn(self) -> None:
        self._spoken_before = self._live.spoken - self._live.seconds_of_speech
        self._decided = False
        self._next_look, self._next_comparison = self._min_speech, COMPARED

    def _speech(self, closed: Segment | None) -> Iterator[Event]:
        now = self._live.speaking if closed is None else closed
        if now is not None and not self._speaking:
            self._speaking = True
            yield SpeechBegan(elapsed=self._elapsed, start=now.start / SAMPLE_RATE)
        if closed is not None:
            self._speaking = False
            start, stop = closed.start / SAMPLE_RATE, closed.stop / SAMPLE_RATE
            yield SpeechEnded(elapsed=self._elapsed, start=start, stop=stop)

    def _compare_with_the_turn(self) -> Iterator[Event]:
        """Compare the latest speech with what came before it in the turn."""
        self._next_comparison = self._turn_speech + EVERY
        if not self._changes.knows_before(self._turn_speech):
            return
        latest = self._live.clip().speech[-round(COMPARED * SAMPLE_RATE) :]
        if self._changes.has_changed(self._turn_speech, self._model.embed(latest)):
            start = self._live.last(COMPARED)
            self._live.forget_before(start)
            self._begin_turn()
            yield SpeakerChanged(elapsed=self._elapsed, start=start / SAMPLE_RATE)

    def _look(self) -> Iterator[Event]:
        """Embed the turn's speech so far, remember it, and ask the question of it."""
        clip = self._live.clip()
        seconds = clip.quality.seconds_of_speech
        embedding = self._model.embed(clip.speech)
        self._changes.remember(seconds, embedding)
        known = seconds >= max(self._latest, REMEMBERED)
        self._next_look = math.inf if known else next_look(seconds, latest=self._latest)
        if not self._decided:
            embedded = EmbeddedClip(clip, {self._model.id: embedding})
            yield from self._ask(embedded, finally_=seconds >= self._latest)

    def _ask(self, embedded: EmbeddedClip, *, finally_: bool) -> Iterator[Event]:
        trial = self._question.compare(embedded)
        if not isinstance(trial, Compared):
            yield self._decide(trial)
            return
        by = trial.generation
        decider, tuned = by.decider, by.tuning is not None
        shortfall = decider.shortfall(trial.shape, self._test.promised)
        if shortfall is not None and finally_:
            yield self._decide(self._question.too_short(trial, shortfall))
            return
        rule = self._test.decide_finally if finally_ else self._test.decide
        look = rule(trial.score, trial.shape, people=trial.people, decider=decider, tuned=tuned)
        if look.verdict is not None and shortfall is None:
            yield self._decide(self._question.answer(trial, look.verdict))
            return
        yield Scored(
            elapsed=self._elapsed,
            name=trial.name,
            score=trial.score,
            llr=trial.llr,
            threshold=look.threshold,
            seconds_of_speech=embedded.clip.quality.seconds_of_speech,
        )

    def _decide(self, answer: Answer) -> Decided:
        self._decided = True
        return Decided(elapsed=self._elapsed, answer=answer)
