"""WordSpeech: clips of one word, sentences and other speech, joined to what somebody may say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.degrade import active_power
from voiceprint.challenge.checker import CLASSES
from voiceprint.challenge.words import WORDS
from voiceprint.corpus import Utterance
from voiceprint.errors import TrainingError
from voiceprint.training.challenge.recipe import SequenceConfig, WordData
from voiceprint.training.run.task import read_corpora

Samples = NDArray[np.float32]
T = TypeVar("T")
Said = tuple[Samples, list[int]]

_OTHER = len(CLASSES) - 1
_LEVEL = 0.05  # root mean square of speech
_FRAME = SAMPLE_RATE // 100
_BELOW_TOP, _ABOVE_FLOOR = 30.0, 8.0  # dB that speech lies at most under its loudest, at least over noise
_GAP = 15  # frames of silence within a word, as before a plosive
_LONGEST = 6 * SAMPLE_RATE
_AROUND = (0.3, 1.0)  # seconds of silence before and behind what somebody says
_FADE = SAMPLE_RATE // 100
_MANY = 3  # different words that somebody says, of whom a whole sequence may be


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordSpeech:
    """What sequences are made of.

    Parameters
    ----------
    words : Mapping
        Utterances of each of `WORDS`.
    speakers : sequence of Mapping
        Of each person who says several of them: utterances by word.
    sentences, naming : sequence of Utterance
        Sentences with their texts: those without and those with one of the words.
    others : sequence of Utterance
        Speech that holds none of them, as far as anybody knows.
    """

    words: Mapping[str, Sequence[Utterance]]
    speakers: Sequence[Mapping[str, Sequence[Utterance]]]
    sentences: Sequence[Utterance]
    naming: Sequence[Utterance]
    others: Sequence[Utterance]

    @classmethod
    def open(cls, data: WordData, corpora: Path, *, split: str = "train") -> WordSpeech:
        """Read which clips there are.

        Raises
        ------
        CorpusError
            If a corpus is missing.
        TrainingError
            If nobody says one of the words, or no sentence or no other speech is there.
        """
        spoken = [*read_corpora(corpora, [data.words], split=split)]
        by_speaker: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
        words: dict[str, list[Utterance]] = {word: [] for word in WORDS}
        for utterance in spoken:
            if utterance.text in words:
                words[utterance.text].append(utterance)
                by_speaker[utterance.speaker][utterance.text].append(utterance)
        sentences = [*read_corpora(corpora, [data.sentences], split=split)]
        others = [*read_corpora(corpora, data.others, split=split)]
        if not all(words.values()) or not sentences or not others:
            named = f"{data.words}, {data.sentences} and {', '.join(data.others)}"
            raise TrainingError(f"{corpora}: {named} lack words, sentences or other speech of {split}")
        return cls(
            words=words,
            speakers=[said for said in by_speaker.values() if len(said) >= _MANY],
            sentences=[each for each in sentences if not _asked_for(each.text)],
            naming=[each for each in sentences if _asked_for(each.text)],
            others=[*others, *(each for each in spoken if each.text not in words)],
        )

    def draw(self, config: SequenceConfig, words: int, generator: Generator) -> Said:
        """Draw a sequence: samples (n,), and the classes that are said in it."""
        if generator.random() < config.sentence:
            return self._sentence(generator)
        said = _drawn(self.speakers, generator) if generator.random() < config.one_speaker else self.words
        parts, classes = list[Samples](), list[int]()
        for _ in range(words):
            if generator.random() < config.other:
                parts.append(self._other(generator))
                classes.append(_OTHER)
                continue
            word = _drawn([*said], generator)
            samples = _read(_drawn(said[word], generator))
            parts.append(_varied(_with_margins(samples, generator, longest=0.2), generator))
            classes.append(CLASSES.index(word))
        pauses = np.maximum(0.0, generator.uniform(-0.1, 0.3, len(parts)))
        return joined(parts, pauses), _one_other(classes)

    def _sentence(self, generator: Generator) -> Said:
        some = self.naming if generator.random() < 0.75 and self.naming else self.sentences
        utterance = _drawn(some, generator)
        samples = _varied(_read(utterance)[:_LONGEST], generator)
        classes = [CLASSES.index(word) if word in WORDS else _OTHER for word in _spelled(utterance.text)]
        return joined([samples], np.zeros(1)), _one_other(classes)

    def _other(self, generator: Generator) -> Samples:
        """Draw a piece of other speech, about as long as a word."""
        samples = _read(_drawn(self.others, generator))
        length = int(generator.uniform(0.3, 0.9) * SAMPLE_RATE)
        first = int(generator.integers(max(1, len(samples) - length)))
        return samples[first : first + length]


def said_orders(
    utterances: Sequence[Utterance], generator: Generator, *, words: int, each: int
) -> Iterator[tuple[str, tuple[str, ...], Samples]]:
    """Let everybody who can say so many different words say them in random orders, with natural pauses.

    As in any recording, there is some silence before and behind them.

    Yields
    ------
    (speaker, words, samples (n,))
    """
    said: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    for utterance in utterances:
        if utterance.text in WORDS:
            said[utterance.speaker][utterance.text].append(utterance)
    for speaker, of_word in sorted(said.items()):
        known = sorted(of_word)
        for _ in range(each if len(known) >= words else 0):
            order = tuple(known[place] for place in generator.permutation(len(known))[:words])
            parts = [
                _with_margins(_read(_drawn(of_word[word], generator)), generator, shortest=0.08, longest=0.25)
                for word in order
            ]
            around = (generator.uniform(*_AROUND, 2) * SAMPLE_RATE).astype(int).tolist()
            yield speaker, order, np.pad(joined(parts, generator.uniform(0.0, 0.2, words)), around)


def joined(parts: Sequence[Samples], pauses: NDArray[np.float64]) -> Samples:
    """Join parts, faded in and out, with a pause of so many seconds behind each."""
    pieces = []
    for part, pause in zip(parts, pauses.tolist(), strict=True):
        faded = part.copy()
        length = min(_FADE, len(part) // 2)
        ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
        faded[:length] *= ramp
        faded[len(faded) - length :] *= ramp[::-1]
        pieces += [faded, np.zeros(int(pause * SAMPLE_RATE), np.float32)]
    return np.concatenate(pieces)


def spoken_part(samples: Samples) -> slice:
    """Return where the word of a clip (n,) is: what is loud around the loudest moment."""
    count = len(samples) // _FRAME
    if count < _GAP:
        return slice(0, len(samples))
    power = np.square(samples[: count * _FRAME]).reshape(count, _FRAME).mean(axis=1)
    decibels = 10.0 * np.log10(np.convolve(power, np.ones(5) / 5, "same") + 1e-10)
    top, floor = float(decibels.max()), float(np.percentile(decibels, 10))
    loud = np.flatnonzero(decibels > max(top - _BELOW_TOP, min(floor + _ABOVE_FLOOR, top - _ABOVE_FLOOR)))
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > _GAP) + 1)
    word = next(run for run in runs if run[0] <= int(decibels.argmax()) <= run[-1])
    return slice(int(word[0]) * _FRAME, (int(word[-1]) + 1) * _FRAME)


def _read(utterance: Utterance) -> Samples:
    """Read an utterance, at one level."""
    samples = read_audio(utterance.path).samples
    samples = samples - samples.mean()
    level = _LEVEL / np.sqrt(active_power(samples) + 1e-9)
    return np.asarray(samples * level, dtype=np.float32)


def _with_margins(
    samples: Samples, generator: Generator, *, longest: float, shortest: float = 0.0
) -> Samples:
    """Cut a word out, with what lies from so many to so many seconds before and behind it."""
    word = spoken_part(samples)
    before, behind = (generator.uniform(shortest, longest, 2) * SAMPLE_RATE).astype(int).tolist()
    return samples[max(0, word.start - before) : word.stop + behind]


def _varied(samples: Samples, generator: Generator) -> Samples:
    """Say it faster or slower, and louder or softer."""
    speed, gain = np.exp(generator.uniform(-0.16, 0.16)), 10 ** (generator.uniform(-3.0, 3.0) / 20)
    times = np.arange(int(len(samples) / speed)) * speed
    return np.asarray(gain * np.interp(times, np.arange(len(samples)), samples), dtype=np.float32)


def _spelled(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _asked_for(text: str) -> bool:
    return any(word in WORDS for word in _spelled(text))


def _one_other(classes: Sequence[int]) -> list[int]:
    """Take other words that follow each other for one: how many they are, nobody asks."""
    runs = [(kind, len([*run])) for kind, run in groupby(classes)]
    return [kind for kind, length in runs for _ in range(1 if kind == _OTHER else length)]


def _drawn(some: Sequence[T], generator: Generator) -> T:
    return some[int(generator.integers(len(some)))]
