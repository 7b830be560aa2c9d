"""Decisions counted by pairs of speakers, so that intervals can draw speakers anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.metrics import Interval

__all__ = ["DecisionCounts", "count_decisions"]

_LEVEL = 0.95
_FEWEST_SPEAKERS = 5


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
    def n_pairs(self) -> int:
        """Pairs of two speakers, in whatever order, in the nontarget trials."""
        return int(np.triu((self.trials + self.trials.T) > 0, k=1).sum())

    @property
    def misses(self) -> int:
        """Targets rejected."""
        return int(self.trials.trace() - self.accepted.trace())

    @property
    def n_target(self) -> int:
        """Targets."""
        return int(self.trials.trace())

    def intervals(self, *, seed: int, repetitions: int = 2000) -> tuple[Interval, Interval]:
        """False-accept and miss rate, each with 95 % for other speakers like these.

        Speakers are drawn with replacement, as `speaker_bootstrap` does. With under five the interval is all
        there is: 0 to 1.
        """
        size = len(self.trials)
        copies = np.random.default_rng(seed).multinomial(size, np.full(size, 1.0 / size), size=repetitions)
        off = 1 - np.eye(size, dtype=np.int64)
        false = _both(copies, self.accepted * off), _both(copies, self.trials * off)
        missed = copies @ np.diag(self.trials - self.accepted), copies @ np.diag(self.trials)
        few = size < _FEWEST_SPEAKERS
        return (
            _interval(self.false_accepts, self.n_nontarget, *false, few=few, independent=self.n_pairs),
            _interval(self.misses, self.n_target, *missed, few=few, independent=size),
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


def _both(copies: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum counts of pairs, each as often as both speakers were drawn: (r, s), (s, s) -> (r,)."""
    summed: NDArray[np.int64] = np.einsum("rs,rs->r", copies @ counts, copies)
    return summed


def _interval(
    count: int, total: int, drawn: NDArray[np.int64], of: NDArray[np.int64], *, few: bool, independent: int
) -> Interval:
    rates = drawn[of > 0] / of[of > 0]
    low, high = (0.0, 1.0) if few or not len(rates) else _central(rates)
    if count == 0:
        # Drawn anew, speakers without an error have none either; the rule of three says what may be missed.
        high = max(high, min(1.0, 3.0 / max(independent, 1)))
    return Interval(value=count / max(total, 1), low=low, high=high, level=_LEVEL)


def _central(rates: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(rates, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
