"""The score of an order against brute force, and against torch."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest
import torch

from voiceprint.challenge.order import BLANK, order_scores


def log_probabilities(frames: int, classes: int, seed: int = 0) -> np.ndarray:
    drawn = torch.randn(frames, classes, generator=torch.Generator().manual_seed(seed))
    return np.asarray(drawn.log_softmax(dim=1))


def test_the_probabilities_of_all_orders_add_up_to_one() -> None:
    found = log_probabilities(4, 3)
    ways: dict[tuple[int, ...], float] = {}
    for path in product(range(3), repeat=4):
        order = tuple(kind for kind, _ in groupby(path) if kind != BLANK)
        ways[order] = ways.get(order, 0.0) + float(np.exp(sum(found[t, k] for t, k in enumerate(path))))
    assert sum(ways.values()) == pytest.approx(1.0)
    for order, probability in ways.items():
        if order:
            assert np.exp(order_scores(found, [order])[0]) == pytest.approx(probability, rel=1e-5), order


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_torch(seed: int) -> None:
    found, orders = log_probabilities(60, 14, seed), [[1, 2, 3, 4], [4, 4, 2, 2], [13, 5, 13, 6]]
    expected = [
        -float(
            torch.nn.functional.ctc_loss(
                torch.from_numpy(found)[:, None],
                torch.tensor([order]),
                torch.tensor([60]),
                torch.tensor([4]),
                reduction="sum",
            )
        )
        for order in orders
    ]
    assert order_scores(found, orders) == pytest.approx(expected, rel=1e-5)


def test_too_few_frames_hold_no_order() -> None:
    assert order_scores(log_probabilities(2, 5), [[1, 2, 3]])[0] < -1e6
    assert order_scores(log_probabilities(2, 5), [[1, 1]])[0] < -1e6  # a blank has to lie between
