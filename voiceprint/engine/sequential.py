"""Wald's sequential probability ratio test: decide as soon as the evidence suffices, and not before.

Whoever looks at a score again and again and accepts at the first that reaches a threshold lets in more
impostors than the threshold promises: each look is another chance. Wald's test asks for so much more that the
rates hold whenever it stops (A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical
Statistics 16, 1945; eq. 3.17 and 3.18).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voiceprint.arguments import check_rate
from voiceprint.calibration import DEFAULT_FAR, MAX_FAR, Decider, OperatingPoint, TrialShape
from voiceprint.engine.decisions import Verdict, decide

__all__ = ["DEFAULT_MISS", "LATEST", "LEAST_SPEECH", "Look", "SequentialTest"]

DEFAULT_MISS = 0.05
"""How often a right claim may be rejected before the latest moment, where the caller does not say."""

LEAST_SPEECH = 1.0
"""Seconds of speech before which a session decides nothing."""

LATEST = 10.0
"""Seconds of speech at which a session decides in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the test says of the speech so far.

    Attributes
    ----------
    verdict : Verdict or None
        None while more speech is needed.
    threshold : float
        The lowest score that would be accepted now.
    """

    verdict: Verdict | None
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """Accept, reject or go on, by the likelihood ratio of the speech so far.

    With false-accept rate a and miss rate b, a claim is accepted from a likelihood ratio of (1 - b) / a on,
    and rejected below b / (1 - a). In between it takes more speech. Among n people a is divided by n for who
    is accepted, as `OperatingPoint.among` does, since each of them is another chance.

    Ratios are asked of the `Decider`, as the thresholds of least cost that they amount to, so that noise and
    the store's shift count as in any verdict.

    Parameters
    ----------
    far : float
        How often an impostor may be accepted, above 0 and at most `MAX_FAR`.
    miss : float
        How often a right claim may be rejected, likewise.
    final : OperatingPoint, optional
        Where the latest moment decides; at the false-accept rate unless given.

    Raises
    ------
    ArgumentError
        If a rate is out of range.

    Examples
    --------
    >>> test = SequentialTest(far=0.01, miss=0.05)
    >>> f"{test.upper.c_fa:.1f} {test.lower.c_fa:.4f}"
    '95.0 0.0505'
    """

    far: float = DEFAULT_FAR
    miss: float = DEFAULT_MISS
    final: OperatingPoint | None = field(default=None)

    def __post_init__(self) -> None:
        check_rate("far", self.far, most=MAX_FAR)
        check_rate("miss", self.miss, most=MAX_FAR)

    @property
    def upper(self) -> OperatingPoint:
        """Where a claim is accepted: at the likelihood ratio (1 - miss) / far."""
        return OperatingPoint.cost(p_target=0.5, c_fa=(1.0 - self.miss) / self.far)

    @property
    def promised(self) -> OperatingPoint:
        """The false-accept rate that holds whenever the test stops."""
        return self.final or OperatingPoint.far(self.far)

    @property
    def lower(self) -> OperatingPoint:
        """Below which a claim is rejected: the likelihood ratio miss / (1 - far)."""
        return OperatingPoint.cost(p_target=0.5, c_fa=self.miss / (1.0 - self.far))

    def decide(
        self, score: float, shape: TrialShape, *, people: int = 1, decider: Decider, tuned: bool
    ) -> Look:
        """Decide one trial before the latest moment.

        Parameters
        ----------
        score : float
            A cosine, of the speech so far.
        shape : TrialShape
            Of this trial.
        people : int
            How many the speech is compared with; the score is the likeliest one's.
        decider, tuned
            As in `voiceprint.engine.decisions.decide`.

        Raises
        ------
        NotCalibratedError
            If there is no calibration.
        """
        above = decide(score, shape, self.upper.among(people), decider=decider, tuned=tuned)
        if above.accepted:
            return Look(verdict=above, threshold=above.threshold)
        below = decide(score, shape, self.lower, decider=decider, tuned=tuned)
        return Look(verdict=None if below.accepted else below, threshold=above.threshold)

    def decide_finally(
        self, score: float, shape: TrialShape, *, people: int = 1, decider: Decider, tuned: bool
    ) -> Look:
        """Decide at the latest moment, as any clip is decided; parameters as in `decide`."""
        verdict = decide(score, shape, self.promised.among(people), decider=decider, tuned=tuned)
        return Look(verdict=verdict, threshold=verdict.threshold)

    def outcomes(
        self, scores: ArrayLike, shape: TrialShape, *, people: int = 1, decider: Decider
    ) -> NDArray[np.int8]:
        """Decide many looks at once.

        Parameters
        ----------
        scores : array_like
            Cosines.
        shape : TrialShape
            Of these trials.
        people, decider
            As in `decide`.

        Returns
        -------
        ndarray of int8, of the shape of the trials
            1 for accept, -1 for reject, 0 for go on.
        """
        accepted = decider.accepts(scores, shape, self.upper.among(people))
        rejected = ~decider.accepts(scores, shape, self.lower)
        return np.where(accepted, 1, np.where(rejected, -1, 0)).astype(np.int8)
