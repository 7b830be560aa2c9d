"""How often people pass who say the words of a challenge, and how often other orders do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.spoof.parts import Options
from benchmarks.tables import markdown_table
from voiceprint.challenge import LENGTH, WordChecker
from voiceprint.corpus import read_manifest
from voiceprint.metrics import accuracy_interval
from voiceprint.training.challenge.suite import (
    CONDITIONS,
    OrderTrials,
    SpokenOrder,
    order_trials,
    spoken_orders,
)

_CORPUS = "speech_commands"
_EACH = 4  # orders that everybody says, under every condition


def said_in_order(options: Options) -> str:
    """Measure both under every condition, and return the table."""
    checker, generator = WordChecker.open(), np.random.default_rng(options.seed)
    manifest = read_manifest(options.corpora / _CORPUS / "manifest.csv")
    people = [each for each in manifest if each.split == options.split]
    answers = [*spoken_orders(people, each=_EACH, seed=options.seed)]
    trials = order_trials(checker.log_probabilities, answers, seed=options.seed)
    rows = []
    for condition in CONDITIONS:
        chosen = [place for place, answer in enumerate(answers) if answer.condition == condition]
        some, of = [trials[place] for place in chosen], [answers[place] for place in chosen]
        rows.append([condition, *_columns(some, of, checker.card.threshold, generator)])
    rows.append(["**all**", *_columns(trials, answers, checker.card.threshold, generator)])
    speakers = len({answer.speaker for answer in answers})
    heads = [
        "said",
        "right order passed %",
        "wrong orders passed %",
        "two swapped / one replaced %",
        "any words %",
    ]
    said = f"{speakers} {options.split} people of {_CORPUS}, {LENGTH} words, {len(answers)} answers"
    return "\n".join([f"{said}, seed {options.seed}, {checker.card.title}\n", markdown_table(heads, rows)])


def _columns(
    trials: Sequence[OrderTrials], answers: Sequence[SpokenOrder], threshold: float, generator: Generator
) -> list[str]:
    passed = np.array([each.right >= threshold for each in trials])
    right = accuracy_interval([each.speaker for each in answers], passed, generator=generator)

    def rate(kind: str) -> float:
        scores: NDArray[np.float64] = np.concatenate([getattr(each, kind) for each in trials])
        return 100 * float(np.mean(scores >= threshold))

    return [
        f"{100 * right.value:.1f} ({100 * right.low:.1f} to {100 * right.high:.1f})",
        f"{rate('permuted'):.2f}",
        f"{rate('swapped'):.2f} / {rate('replaced'):.2f}",
        f"{rate('others'):.3f}",
    ]
