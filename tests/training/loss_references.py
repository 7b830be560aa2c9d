"""Losses as plain loops over Python floats, and the batch that they are tried on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Three speakers of three, two and two rows, one speaker with a single row, and two rows of nobody known.
LABELS = [0, 0, 0, 1, 1, 2, 2, 3, -1, -1]
DIM = 5
Rows = list[list[float]]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


EMBEDDINGS = draw(len(LABELS), DIM)
TEACHER = draw(len(LABELS), DIM, seed=1)
CENTRES = draw(4, 2, DIM, seed=2)
WEIGHT = draw(4, DIM, seed=3)
BIAS = draw(4, seed=4)
SCALE = torch.tensor(7.0, dtype=torch.float64)
SLOPE = torch.tensor(1.3, dtype=torch.float64)
OFFSET = torch.tensor(-0.4, dtype=torch.float64)


def number(loss: Tensor) -> float:
    return loss.detach().item()


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def unit_distance(a: Sequence[float], b: Sequence[float]) -> float:
    return math.sqrt(2 - 2 * cosine(a, b))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def mean_row(rows: Rows) -> list[float]:
    return [mean(column) for column in zip(*rows, strict=True)]


def negative_log_softmax(logits: Sequence[float], target: int) -> float:
    return math.log(sum(math.exp(value) for value in logits)) - logits[target]


def is_same(labels: Sequence[int], i: int, j: int) -> bool:
    return i != j and labels[i] == labels[j] and labels[i] >= 0


def anchors_and_positives(labels: Sequence[int]) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(labels)) for j in range(len(labels)) if is_same(labels, i, j)]


def negatives_of(labels: Sequence[int], i: int) -> list[int]:
    return [j for j in range(len(labels)) if labels[j] != labels[i]]


def softmax_reference(rows: Rows, labels: list[int]) -> float:
    logits = [
        [dot(row, weight) + bias for weight, bias in zip(WEIGHT.tolist(), BIAS.tolist(), strict=True)]
        for row in rows
    ]
    return mean([negative_log_softmax(logits[i], label) for i, label in enumerate(labels) if label >= 0])


def margin_reference(rows: Rows, labels: list[int], with_margin: Callable[[float], float]) -> float:
    each = []
    for row, label in zip(rows, labels, strict=True):
        if label >= 0:
            cosines = [max(cosine(row, sub) for sub in centre) for centre in CENTRES.tolist()]
            cosines[label] = with_margin(cosines[label])
            each.append(negative_log_softmax([10 * value for value in cosines], label))
    return mean(each)


def angular_reference(value: float, margin: float) -> float:
    angle = math.acos(value)
    return math.cos(angle + margin) if angle < math.pi - margin else value - margin * math.sin(margin)


def contrastive_reference(rows: Rows, labels: list[int]) -> float:
    same, different = [], []
    for i, j in itertools.combinations(range(len(rows)), 2):
        apart = distance(rows[i], rows[j])
        if is_same(labels, i, j):
            same.append(apart**2 / 2)
        elif labels[i] != labels[j]:
            different.append(max(0.0, 4.0 - apart) ** 2 / 2)
    return (mean(same) + mean(different)) / 2


def siamese_reference(rows: Rows, labels: list[int]) -> float:
    same, different = [], []
    for i, j in itertools.combinations(range(len(rows)), 2):
        p_different = 1 / (1 + math.exp(-(number(SLOPE) * distance(rows[i], rows[j]) + number(OFFSET))))
        if is_same(labels, i, j):
            same.append(-math.log(1 - p_different))
        elif labels[i] != labels[j]:
            different.append(-math.log(p_different))
    return (mean(same) + mean(different)) / 2


def batch_hard_reference(
    rows: Rows,
    labels: list[int],
    cost: Callable[[float], float],
    *,
    apart: Callable[[Sequence[float], Sequence[float]], float] = unit_distance,
) -> float:
    each = []
    for i in range(len(rows)):
        positives = [apart(rows[i], rows[j]) for j in range(len(rows)) if is_same(labels, i, j)]
        if positives:
            nearest = min(apart(rows[i], rows[j]) for j in negatives_of(labels, i))
            each.append(cost(max(positives) - nearest))
    return mean(each)


def semi_hard_reference(rows: Rows, labels: list[int]) -> float:
    each = []
    for i, j in anchors_and_positives(labels):
        positive = unit_distance(rows[i], rows[j])
        farther = [d for k in negatives_of(labels, i) if (d := unit_distance(rows[i], rows[k])) > positive]
        if farther:
            each.append(max(0.0, positive - min(farther) + 0.5))
    return mean(each)


def ge2e_reference(rows: Rows, labels: list[int]) -> float:
    units = [[x / math.sqrt(dot(row, row)) for x in row] for row in rows]
    groups = {s: [i for i, label in enumerate(labels) if label == s] for s in (0, 1, 2)}
    each = []
    for position, (own, members) in enumerate(groups.items()):
        for i in members:
            logits = [
                number(SCALE) * cosine(units[i], mean_row([units[j] for j in group if s != own or j != i]))
                for s, group in groups.items()
            ]
            each.append(negative_log_softmax(logits, position))
    return mean(each)


def angular_prototypical_reference(rows: Rows, labels: list[int]) -> float:
    groups = [[row for row, label in zip(rows, labels, strict=True) if label == s] for s in (0, 1, 2)]
    prototypes = [mean_row(group[:-1]) for group in groups]
    return mean(
        [
            negative_log_softmax(
                [number(SCALE) * cosine(group[-1], prototype) for prototype in prototypes], place
            )
            for place, group in enumerate(groups)
        ]
    )


def supervised_contrastive_reference(rows: Rows, labels: list[int]) -> float:
    each = []
    for i in range(len(rows)):
        others = [j for j in range(len(rows)) if j != i]
        logits = [cosine(rows[i], rows[j]) / 0.2 for j in others]
        positives = [place for place, j in enumerate(others) if is_same(labels, i, j)]
        if positives:
            each.append(mean([negative_log_softmax(logits, place) for place in positives]))
    return mean(each)


def distillation_reference(rows: Rows, labels: list[int]) -> float:
    return mean([1 - cosine(row, other) for row, other in zip(rows, TEACHER.tolist(), strict=True)])
