"""What is diarized: conversations simulated from held-out speakers, and recordings with an RTTM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.diarization.turns import SpeakerTurn, read_rttm
from voiceprint.training.augment import RoomBank
from voiceprint.training.run.task import open_noise, read_corpora
from voiceprint.training.segmentation.conversations import simulate
from voiceprint.training.segmentation.phrases import Person, PhraseBank

CORPORA = ("speechocean762", "common_voice", "librispeech", "arabic_speech_commands")
"""Whose speakers talk."""

_LEAST = 8.0  # seconds of speech of whoever takes part, a part of it kept for enrollment
_ENROLLED = 0.5  # of the people who take part are enrolled
_OUTSIDERS = 10  # people enrolled who do not take part
_CLIPS = 3  # of a voiceprint
_RENDERED = 7  # seed of the rooms, other than that of training


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A recording and what is true of it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
    enrolled : Mapping of str to list of ndarray
        Clips of the people to enroll, by name: of some who take part, and of others.
    """

    name: str
    samples: NDArray[np.float32]
    turns: tuple[SpeakerTurn, ...]
    enrolled: Mapping[str, list[NDArray[np.float32]]]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voices:
    """Who may talk, and where."""

    bank: PhraseBank
    corpora: Path
    rooms: RoomBank

    @property
    def talkers(self) -> list[Person]:
        """Who says enough to take part and to be enrolled."""
        return [each for each in self.bank.people if each.seconds >= _LEAST and len(each.clips) > _CLIPS]


def open_voices(corpora: Path, split: str, cache: Path) -> Voices:
    """Find the phrases of a split's speakers, once, and render rooms of their own."""
    people = read_corpora(corpora, CORPORA, split=split)
    bank = PhraseBank.open(cache / split, people)
    return Voices(bank=bank, corpora=corpora, rooms=RoomBank.open(cache, rooms=40, places=8, seed=_RENDERED))


def simulated(
    voices: Voices, *, count: int, people: tuple[int, int], seed: int, everybody: bool = False
) -> Iterator[Scene]:
    """Simulate conversations of 1 to 4 minutes; each draws from a generator of its own.

    Parameters
    ----------
    everybody : bool
        Whether clips are given of everybody who takes part, not of about half.
    """
    noise = open_noise(voices.corpora, "noise")
    talkers = voices.talkers
    for number in range(count):
        generator = np.random.default_rng((seed, number))
        here = int(generator.integers(people[0], people[1], endpoint=True))
        order = generator.permutation(len(talkers))
        present = [talkers[place] for place in order[:here]]
        halves = [part_person(person, generator) for person in present]
        conversation = simulate(
            voices.bank,
            [said for said, _ in halves],
            seconds=float(generator.uniform(60.0, 240.0)),
            generator=generator,
            noise=noise,
            rooms=voices.rooms,
        )
        enrolled = {
            kept.name: clips_of(voices.bank, kept)
            for _, kept in halves
            if generator.random() < _ENROLLED or everybody
        }
        for place in order[here : here + _OUTSIDERS]:
            enrolled[talkers[place].name] = clips_of(voices.bank, part_person(talkers[place], generator)[1])
        yield Scene(
            name=f"simulated-{number:03d}",
            samples=conversation.samples,
            turns=conversation.turns,
            enrolled=enrolled,
        )


def meetings(folder: Path) -> Iterator[Scene]:
    """Read the recordings of a folder that have an RTTM beside them."""
    for rttm in sorted(folder.glob("*.rttm")):
        audio = next(path for path in sorted(folder.glob(f"{rttm.stem}.*")) if path.suffix != ".rttm")
        yield Scene(name=rttm.stem, samples=read_audio(audio).samples, turns=read_rttm(rttm), enrolled={})


def part_person(person: Person, generator: np.random.Generator) -> tuple[Person, Person]:
    """Part what somebody says into what is said in the conversation, and some clips to enroll by."""
    order = generator.permutation(len(person.clips))
    kept, said = order[:_CLIPS], order[_CLIPS:]
    return (
        Person(name=person.name, clips=tuple(person.clips[place] for place in said)),
        Person(name=person.name, clips=tuple(person.clips[place] for place in kept)),
    )


def clips_of(bank: PhraseBank, person: Person) -> list[NDArray[np.float32]]:
    """Return what somebody says, clip by clip."""
    return [bank.phrase(clip[0][0], clip[-1][1]) for clip in person.clips]
