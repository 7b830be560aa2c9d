from __future__ import annotations

from itertools import product

import numpy as np

from voiceprint.diarization.attribution import decode


def test_the_path_is_the_best_of_all_paths() -> None:
    draw = np.random.default_rng(3)
    for _ in range(20):
        emissions, change = draw.normal(size=(6, 3)), -draw.exponential(size=6)

        def worth(path: tuple[int, ...], emissions=emissions, change=change) -> float:  # type: ignore[no-untyped-def]
            moved = sum(change[t] for t in range(1, 6) if path[t] != path[t - 1])
            return float(sum(emissions[t, who] for t, who in enumerate(path)) + moved)

        best = max(product(range(3), repeat=6), key=worth)
        assert worth(tuple(decode(emissions, change).tolist())) == worth(best)


def test_a_change_that_costs_nothing_takes_each_step_by_itself() -> None:
    emissions = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert decode(emissions, np.zeros(3)).tolist() == [0, 1, 0]
    assert decode(emissions, np.full(3, -5.0)).tolist() == [0, 0, 0]
