"""Batches of sequences of words, degraded as microphones, rooms and lines do, amid their silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from voiceprint.audio import SAMPLE_RATE
from voiceprint.challenge.order import BLANK
from voiceprint.training.augment import Augmenter
from voiceprint.training.challenge.recipe import SequenceConfig
from voiceprint.training.challenge.speech import Samples, WordSpeech
from voiceprint.training.data.rendered import MadeBatch

_SILENCE = int(0.4 * SAMPLE_RATE)  # before and behind the longest sequence of a batch together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceMaker:
    """Makes batches of sequences by their number.

    Parameters
    ----------
    augmenter : callable
        Gives what degrades sequences; not asked where all batches are there.
    """

    speech: WordSpeech
    config: SequenceConfig
    augmenter: Callable[[], Augmenter]
    seed: int

    def __call__(self, number: int) -> MadeBatch:
        """Draw the sequences of a batch, and degrade them: samples, classes, and seeds of masks."""
        generator = np.random.default_rng((self.seed, number))
        fewest, most = self.config.words
        words, augment = int(generator.integers(fewest, most + 1)), self.augmenter()
        drawn = [self.speech.draw(self.config, words, generator) for _ in range(self.config.per_batch)]
        length = max(len(samples) for samples, _ in drawn) + _SILENCE
        degraded = [augment(_placed(samples, length, generator), generator) for samples, _ in drawn]
        labels = np.full((len(drawn), max(len(classes) for _, classes in drawn)), BLANK)
        for row, (_, classes) in zip(labels, drawn, strict=True):
            row[: len(classes)] = classes
        return np.stack(degraded), labels.astype(np.int64), generator.integers(2**62, size=len(drawn))


def _placed(samples: Samples, length: int, generator: Generator) -> Samples:
    """Put a sequence into so much silence."""
    whole = np.zeros(length, np.float32)
    first = int(generator.integers(length - len(samples) + 1))
    whole[first : first + len(samples)] = samples
    return whole
