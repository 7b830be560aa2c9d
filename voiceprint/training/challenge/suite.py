"""What candidates are measured on: dev people, who say words in an order, held against other orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from voiceprint.audio.conditions import standard_telephone
from voiceprint.audio.degrade import add_background, decaying_echo, pink_noise, reverberate
from voiceprint.challenge.checker import CLASSES
from voiceprint.challenge.order import order_scores
from voiceprint.challenge.words import LENGTH, WORDS
from voiceprint.corpus import Utterance
from voiceprint.metrics import det_curve, eer_interpolated
from voiceprint.training.challenge.speech import Samples, said_orders
from voiceprint.training.run.criterion import EER

Recognizer = Callable[[Samples], NDArray[np.float32]]
"""Samples (n,) -> log probabilities (frames, classes)."""


def _quiet(samples: Samples, generator: Generator) -> Samples:
    return add_background(samples, pink_noise(len(samples), generator), snr_db=40.0)


CONDITIONS: Mapping[str, Callable[[Samples, Generator], Samples]] = {
    "in a quiet place": _quiet,
    "noise at 15 dB": lambda x, rng: add_background(x, pink_noise(len(x), rng), snr_db=15.0),
    "a room of 0.3 s": lambda x, rng: reverberate(_quiet(x, rng), decaying_echo(0.3, rng)),
    "a telephone": lambda x, rng: standard_telephone(_quiet(x, rng)),
}
"""How what people said was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenOrder:
    """Somebody's answer to a challenge, as it is recorded."""

    speaker: str
    words: tuple[str, ...]
    condition: str
    samples: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTrials:
    """Scores of an answer.

    Parameters
    ----------
    right : float
        Of the words that were said.
    permuted, swapped, replaced, others : ndarray of float64
        Of the same words in every other order, of those orders in which two words changed places, of orders
        with one word replaced, and of orders of any words.
    """

    right: float
    permuted: NDArray[np.float64]
    swapped: NDArray[np.float64]
    replaced: NDArray[np.float64]
    others: NDArray[np.float64]


def spoken_orders(utterances: Sequence[Utterance], *, each: int, seed: int = 0) -> Iterator[SpokenOrder]:
    """Let people answer challenges under every condition."""
    for condition, change in CONDITIONS.items():
        generator = np.random.default_rng(seed)
        for speaker, words, samples in said_orders(utterances, generator, words=LENGTH, each=each):
            changed = change(samples, generator).astype(np.float32)
            yield SpokenOrder(speaker=speaker, words=words, condition=condition, samples=changed)


def order_trials(
    recognize: Recognizer, answers: Iterable[SpokenOrder], *, seed: int = 0
) -> list[OrderTrials]:
    """Score the right order of every answer, and wrong ones."""
    generator = np.random.default_rng(seed)
    found = []
    for answer in answers:
        words = answer.words
        permuted = [order for order in permutations(words) if order != words]
        differ = np.array([sum(a != b for a, b in zip(order, words, strict=True)) for order in permuted])
        replaced = [_replaced(words, generator) for _ in range(10)]
        others = [tuple(generator.permutation(WORDS)[:LENGTH].tolist()) for _ in range(20)]
        orders = [words, *permuted, *replaced, *(order for order in others if order != words)]
        classes = [[CLASSES.index(word) for word in order] for order in orders]
        scores = order_scores(recognize(answer.samples), classes)
        first, second = 1 + len(permuted), 1 + len(permuted) + len(replaced)
        found.append(
            OrderTrials(
                right=float(scores[0]),
                permuted=scores[1:first],
                swapped=scores[1:first][differ == 2],
                replaced=scores[first:second],
                others=scores[second:],
            )
        )
    return found


class WordSuite:
    """Dev people's answers.

    Parameters
    ----------
    utterances : sequence of Utterance
        Clips of one word of dev people.
    each : int
        Orders that everybody says.
    """

    criterion = EER

    def __init__(self, utterances: Sequence[Utterance], *, each: int) -> None:
        self._utterances, self._each = utterances, each

    @cached_property
    def _answers(self) -> list[SpokenOrder]:
        """Made where candidates are measured, in the process that leads."""
        return [*spoken_orders(self._utterances, each=self._each)]

    def __call__(self, network: nn.Module) -> Mapping[str, float]:
        """Measure a network that is in evaluation mode.

        Returns
        -------
        Mapping of str to float
            ``eer``: the rate at which as many right orders are refused as permuted ones pass.
        """

        def recognize(samples: Samples) -> NDArray[np.float32]:
            found: NDArray[np.float32] = network(torch.from_numpy(samples[None]))[0].numpy()
            return found

        trials = order_trials(recognize, self._answers)
        right = [each.right for each in trials]
        wrong = np.concatenate([each.permuted for each in trials])
        return {"eer": eer_interpolated(det_curve(right, wrong))}


def _replaced(words: tuple[str, ...], generator: Generator) -> tuple[str, ...]:
    place = int(generator.integers(len(words)))
    other = str(generator.choice([word for word in WORDS if word not in words]))
    return (*words[:place], other, *words[place + 1 :])
