"""Conversations simulated from single voices: who speaks when, in which room, with which noise.

Turns follow the statistics of real conversations, as Landini et al. propose ("From simulated mixtures to
simulated conversations as training data for end-to-end neural diarization", Interspeech 2022): pauses,
overlaps, short answers while another speaks, and how much each person says are drawn, not fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import (
    active_power,
    amplify,
    filters,
    scale_to_snr,
    telephone,
    within_full_scale,
)
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.training.augment import NoiseBank, RoomBank
from voiceprint.training.augment.colour import colour_response, draw_colour
from voiceprint.training.segmentation.phrases import Person, PhraseBank

Range = tuple[float, float]

_TALKER = 4.0  # seconds of speech from which on somebody may take long turns
_FADE = 160  # samples over which a phrase begins and ends


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTaking:
    """How people take turns; what is a range is drawn once a conversation.

    Parameters
    ----------
    turn : (float, float)
        Median seconds of a turn; turns are log-normal.
    spread : float
        Standard deviation of the logarithm.
    again : (float, float)
        Probability that the same person goes on after a pause.
    overlap : (float, float)
        Probability that a turn begins before the last one has ended.
    overlap_seconds : float
        Mean of how much before.
    gap_seconds : float
        Mean pause between turns.
    answer : (float, float)
        Probability of a short answer of somebody else during a turn of 2 s or more.
    parallel : (float, float)
        Probability that somebody else speaks a whole turn at the same time.
    silence : float
        Probability of a long pause, of 1 to 5 s.
    """

    turn: Range = (0.8, 3.5)
    spread: float = 0.8
    again: Range = (0.1, 0.4)
    overlap: Range = (0.1, 0.6)
    overlap_seconds: float = 0.8
    gap_seconds: float = 0.4
    answer: Range = (0.1, 0.6)
    parallel: Range = (0.0, 0.25)
    silence: float = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """How often a conversation sounds how.

    Parameters
    ----------
    room, calls : float
        Probability that all sit in one room, or that everybody has a microphone and a line of their own; else
        voices are added as they are.
    level_db : float
        Standard deviation of the people's levels.
    colour : float
        Probability of the curve of one microphone for all.
    noise_snr_db : (float, float)
        Decibels of speech above it.
    gain_db : (float, float)
        Level of the recording.
    telephone : float
        Probability that all of it goes through a telephone.
    """

    room: float = 0.6
    calls: float = 0.2
    level_db: float = 3.0
    colour: float = 0.4
    noise: float = 0.8
    noise_snr_db: Range = (3.0, 30.0)
    gain_db: Range = (-18.0, 6.0)
    telephone: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conversation:
    """A conversation and what is true of it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
    turns : tuple of SpeakerTurn
        By start; of one speaker they do not overlap.
    """

    samples: NDArray[np.float32]
    turns: tuple[SpeakerTurn, ...]


def draw_people(bank: PhraseBank, generator: Generator, count: int) -> list[Person]:
    """Draw so many different people, three quarters of them such as have enough to say for long turns."""
    talkers = [person for person in bank.people if person.seconds >= _TALKER]
    pool = talkers if len(talkers) >= count and generator.random() < 0.75 else list(bank.people)
    chosen = generator.choice(len(pool), size=min(count, len(pool)), replace=False)
    return [pool[place] for place in chosen]


def simulate(
    bank: PhraseBank,
    people: Sequence[Person],
    *,
    seconds: float,
    generator: Generator,
    noise: NoiseBank | None = None,
    rooms: RoomBank | None = None,
    taking: TurnTaking | None = None,
    acoustics: Acoustics | None = None,
) -> Conversation:
    """Let people talk.

    Parameters
    ----------
    people : sequence of Person
        Who is there; a short conversation may end before everybody has spoken.
    noise, rooms : NoiseBank, RoomBank, optional
        Without them there is no noise, and no room.
    """
    talk = _Talk(bank=bank, people=people, length=round(seconds * SAMPLE_RATE), generator=generator)
    talk.run(taking or TurnTaking())
    return Conversation(
        samples=_mixed(talk, acoustics or Acoustics(), noise, rooms), turns=join_turns(talk.turns)
    )


@dataclass(slots=True, kw_only=True)
class _Talk:
    """A conversation in the making: a dry track of each person, and the turns."""

    bank: PhraseBank
    people: Sequence[Person]
    length: int
    generator: Generator
    turns: list[SpeakerTurn] = field(default_factory=list)
    tracks: list[NDArray[np.float32]] = field(init=False)
    busy: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.tracks = [np.zeros(self.length, np.float32) for _ in self.people]
        self.busy = [0] * len(self.people)

    def run(self, taking: TurnTaking) -> None:
        draw = self.generator
        again, overlap, answer, parallel = (
            draw.uniform(*limits) for limits in (taking.again, taking.overlap, taking.answer, taking.parallel)
        )
        median = draw.uniform(*taking.turn)
        weights = draw.dirichlet(np.full(len(self.people), 2.0))
        speaker, stop = int(draw.choice(len(self.people), p=weights)), 0
        start = self._samples(draw.exponential(1.0))
        while start < self.length:
            length = float(np.clip(median * np.exp(taking.spread * draw.standard_normal()), 0.4, 15.0))
            began, stop = start, self._say(speaker, start, length)
            if len(self.people) > 1:
                if stop - began > 2 * SAMPLE_RATE and draw.random() < answer:
                    place = int(draw.uniform(began, stop))
                    self._say(self._other(speaker, weights), place, draw.uniform(0.3, 1.0))
                if draw.random() < parallel:
                    place = int(draw.uniform(began, stop))
                    self._say(self._other(speaker, weights), place, float(np.clip(length, 1.0, 5.0)))
            if len(self.people) == 1 or draw.random() < again:
                start = stop + self._samples(0.2 + draw.exponential(0.6))
            else:
                speaker = self._other(speaker, weights)
                if draw.random() < overlap:
                    start = max(began, stop - self._samples(draw.exponential(taking.overlap_seconds)))
                else:
                    start = stop + self._samples(draw.exponential(taking.gap_seconds))
            if draw.random() < taking.silence:
                start += self._samples(draw.uniform(1.0, 5.0))

    def _say(self, speaker: int, start: int, seconds: float) -> int:
        """Let somebody speak for about so many seconds; return where they end."""
        place = max(start, self.busy[speaker])
        stop = place + self._samples(seconds)
        clips = self.people[speaker].clips
        last = 0
        while place < min(stop, self.length):
            clip = clips[int(self.generator.integers(len(clips)))]
            for begin, end in clip[int(self.generator.integers(len(clip))) :]:
                if place >= min(stop, self.length):
                    break
                place += min(begin - last, self._samples(0.5)) if last and begin > last else 0
                place = self._put(
                    speaker, place, begin, min(end, begin + max(stop - place, SAMPLE_RATE // 3))
                )
                last = end
            place, last = place + self._samples(0.05 + self.generator.exponential(0.2)), 0
        self.busy[speaker] = place
        return min(place, self.length)

    def _put(self, speaker: int, place: int, begin: int, end: int) -> int:
        phrase = self.bank.phrase(begin, min(end, begin + self.length - place))
        if phrase.size < 2 * _FADE:
            return place + phrase.size
        ramp = np.linspace(0.0, 1.0, _FADE, dtype=np.float32)
        phrase[:_FADE] *= ramp
        phrase[-_FADE:] *= ramp[::-1]
        self.tracks[speaker][place : place + phrase.size] += phrase
        stop = place + phrase.size
        name = self.people[speaker].name
        self.turns.append(SpeakerTurn(start=place / SAMPLE_RATE, stop=stop / SAMPLE_RATE, speaker=name))
        return stop

    def _other(self, speaker: int, weights: NDArray[np.float64]) -> int:
        others = weights.copy()
        others[speaker] = 0.0
        others += 1e-3 * (np.arange(len(others)) != speaker)
        return int(self.generator.choice(len(self.people), p=others / others.sum()))

    def _samples(self, seconds: float) -> int:
        return round(seconds * SAMPLE_RATE)


def _mixed(
    talk: _Talk, acoustics: Acoustics, noise: NoiseBank | None, rooms: RoomBank | None
) -> NDArray[np.float32]:
    draw = talk.generator
    scene = draw.random()
    size = filters.transform_size(talk.length, 0 if rooms is None else rooms.responses.shape[2])
    room = None if rooms is None else rooms.responses[draw.integers(len(rooms.responses))]
    mixed = np.zeros(size // 2 + 1, np.complex64)
    for place, track in enumerate(talk.tracks):
        loud = amplify(track, gain_db=acoustics.level_db * draw.standard_normal())
        spectrum = filters.spectrum_of(loud, size)
        if (
            scene < acoustics.room + acoustics.calls
            and rooms is not None
            and room is not None
            and track.any()
        ):
            if scene >= acoustics.room:
                room = rooms.responses[draw.integers(len(rooms.responses))]
            spectrum = filters.wet(spectrum, np.asarray(room[place % len(room)]), size)
        if acoustics.room <= scene < acoustics.room + acoustics.calls:
            spectrum = filters.apply_response(
                spectrum, colour_response(draw_colour(draw, range_db=8.0), size)
            )
        mixed += spectrum
    if draw.random() < acoustics.colour:
        mixed = filters.apply_response(mixed, colour_response(draw_colour(draw, range_db=8.0), size))
    samples = filters.samples_of(mixed, size, talk.length)
    if noise is not None and draw.random() < acoustics.noise:
        background = noise.excerpt(draw, talk.length)
        samples = samples + scale_to_snr(
            active_power(samples), background, draw.uniform(*acoustics.noise_snr_db)
        )
    samples = within_full_scale(amplify(samples, gain_db=draw.uniform(*acoustics.gain_db)))
    if draw.random() < acoustics.telephone:
        samples = telephone(samples, low=300.0, high=3400.0, peak_db=-10.0)
    return samples
