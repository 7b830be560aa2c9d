"""Decisions counted by pairs of speakers, so that intervals can draw speakers anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.metrics import Interval, pair_rate_interval, rate_interval

__all__ = ["DecisionCounts", "count_decisions"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecisionCounts:
    """How many trials of each pair of speakers were accepted, of how many: (s, s) each, claimed by tested."""

    accepted: NDArray[np.int64]
    trials: NDArray[np.int64]

    @property
    def false_accepts(self) -> int:
        """Nontargets accepted."""
        return int(self.accepted.sum() - self.accepted.trace())

    @property
    def n_nontarget(self) -> int:
        """Nontargets."""
        return int(self.trials.sum() - self.trials.trace())

    @property
    def misses(self) -> int:
        """Targets rejected."""
        return int(self.trials.trace() - self.accepted.trace())

    @property
    def n_target(self) -> int:
        """Targets."""
        return int(self.trials.trace())

    def intervals(self, *, seed: int) -> tuple[Interval, Interval]:
        """False-accept and miss rate, each with 95 % for other speakers like these."""
        rejected = np.diag(self.trials - self.accepted)
        return (
            pair_rate_interval(self.accepted, self.trials, generator=np.random.default_rng(seed)),
            rate_interval(rejected, np.diag(self.trials), generator=np.random.default_rng(seed)),
        )


def count_decisions(
    accepted: NDArray[np.bool_], claimed: NDArray[np.generic], tested: NDArray[np.generic]
) -> DecisionCounts:
    """Count decisions by pair of speakers.

    Parameters
    ----------
    accepted : NDArray of bool (n,)
        The decision of each trial.
    claimed, tested : NDArray (n,)
        Speaker of the voiceprint and of the clip.
    """
    names, codes = np.unique(np.concatenate([claimed, tested]), return_inverse=True)
    pair = codes[: len(claimed)] * len(names) + codes[len(claimed) :]
    shape, size = (len(names), len(names)), len(names) ** 2
    return DecisionCounts(
        accepted=np.bincount(pair, weights=accepted, minlength=size).astype(np.int64).reshape(shape),
        trials=np.bincount(pair, minlength=size).reshape(shape),
    )
