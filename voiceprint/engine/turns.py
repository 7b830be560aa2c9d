"""Whether somebody else has begun to speak."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import Decider, TrialShape
from voiceprint.scoring import cosine

__all__ = ["COMPARED", "EVERY", "REMEMBERED", "ChangeDetector"]

COMPARED = 1.0
"""Seconds of the latest speech that are compared with the turn before them."""

EVERY = 0.25
"""Seconds of new speech between two comparisons."""

REMEMBERED = 10.0
"""Seconds of a turn by which its speaker is known; more of it changes little."""

_KNOWN = 1.5  # seconds of a turn before which nothing is compared with it
_IN_A_ROW = 2  # comparisons that must agree: one second alone may be a laugh
_PRIOR = 1 / 40  # chance of a change at a comparison: once in ten seconds of speech


class ChangeDetector:
    """Compares the latest speech with the turn before it, by calibrated likelihood ratio.

    A change is told where it is likelier than not: where the log-likelihood ratio of one person over two
    falls below log(prior / (1 - prior)), for two comparisons running. Length of window, prior and repetition
    were chosen on dev speakers (docs/how-to/live.md).

    Parameters
    ----------
    decider : Decider
        The model's, with a calibration.
    """

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._limit = math.log(_PRIOR / (1.0 - _PRIOR))
        self._known: list[tuple[float, NDArray[np.float32]]] = []
        self._in_a_row = 0

    def remember(self, seconds: float, embedding: NDArray[np.float32]) -> None:
        """Take the embedding (dim,) of the turn's first so many seconds of speech."""
        self._known.append((seconds, embedding))

    def knows_before(self, seconds: float) -> bool:
        """Whether enough of the turn is known before its latest `COMPARED` seconds to compare them with."""
        before = self._before(seconds)
        return before is not None and before[0] >= _KNOWN

    def has_changed(self, seconds: float, latest: NDArray[np.float32]) -> bool:
        """Compare the latest speech.

        Parameters
        ----------
        seconds : float
            Speech of the turn so far.
        latest : ndarray, shape (dim,)
            Embedding of its last `COMPARED` seconds.

        Returns
        -------
        bool
            Whether another person speaks. Then the next turn begins, and nothing is remembered.
        """
        before = self._before(seconds)
        if before is None or before[0] < _KNOWN:
            return False
        self._known = [known for known in self._known if known[0] >= before[0]]
        score = float(cosine(before[1], latest))
        llr = self._decider.llrs(score, TrialShape(n_enroll=1, seconds=COMPARED))
        unlike = llr is not None and float(llr) < self._limit
        self._in_a_row = self._in_a_row + 1 if unlike else 0
        if self._in_a_row < _IN_A_ROW:
            return False
        self._known, self._in_a_row = [], 0
        return True

    def _before(self, seconds: float) -> tuple[float, NDArray[np.float32]] | None:
        """What is known of most of the turn before its latest seconds."""
        return max(
            (known for known in self._known if known[0] <= seconds - COMPARED),
            key=lambda known: known[0],
            default=None,
        )
