"""Which rates are promised for short clips: those that are held without rejecting most right people."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from voiceprint.calibration.grid import Calibration

MOST_MISSED = 0.5
"""The share of right people's clips that may be rejected where a false-accept rate is promised."""

PROMISED_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Rates that are proposed in the place of one that does not hold."""

_STEP = 0.1  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A false-accept rate that is not promised for so short a clip.

    Attributes
    ----------
    far : float
        The rate that was asked for.
    needed_seconds : float or None
        Seconds of speech from which on it is promised; None where it is for no length.
    held_far : float or None
        The lowest rate that is promised for the clip as it is; None where none is.

    Examples
    --------
    >>> answer = verifier.compare("ada-1.wav", "bert-1.wav")
    >>> answer.shortfall is None  # the clips are long enough for the rate
    True
    """

    far: float
    needed_seconds: float | None
    held_far: float | None

    def __str__(self) -> str:
        """Say it in words, and what would do."""
        longer = [] if self.needed_seconds is None else [f"at least {self.needed_seconds:.1f} s"]
        higher = [] if self.held_far is None else [f"ask for {_rate(self.held_far)}"]
        advice = ", or ".join([*longer, *higher]) or "enroll more clips"
        return f"too short for {_rate(self.far)}: {advice}"


def find_shortfall(
    calibration: Calibration, far: float, *, n_enroll: int, seconds: float
) -> Shortfall | None:
    """Say what a trial lacks for a false-accept rate to be promised.

    Thresholds are raised until the rate holds on every corpus of the development speakers. Where this
    rejects more than `MOST_MISSED` of the right people's clips, the development speakers cannot hold the rate
    for clips so short, and it is promised from the length on from which they can. For less speech than the
    shortest cell's nothing is promised.

    Parameters
    ----------
    far : float
        Above 0 and below 1.
    seconds : float
        Speech in the test clip.

    Returns
    -------
    Shortfall or None
        None where the rate is promised.

    Raises
    ------
    CalibrationError
        If an argument is out of range.

    Examples
    --------
    >>> find_shortfall(model.card.calibration, 0.01, n_enroll=3, seconds=3.0) is None  # 1 % holds for 3 s
    True
    """
    needed = _shortest(calibration, far, n_enroll)
    if needed is not None and seconds >= needed:
        return None
    held = (
        rate
        for rate in PROMISED_RATES
        if rate > far and seconds >= (_shortest(calibration, rate, n_enroll) or math.inf)
    )
    return Shortfall(far=far, needed_seconds=needed, held_far=next(held, None))


def _rate(rate: float) -> str:
    """Say a rate that somebody asked for, as it was asked for."""
    return f"{100.0 * rate:g} %"


def _shortest(calibration: Calibration, far: float, n_enroll: int) -> float | None:
    """Seconds from which on a rate is held; None if it is not at the longest."""
    shortest, longest = calibration.seconds[0], calibration.seconds[-1]
    lengths = np.append(np.arange(shortest, longest, _STEP), longest)
    missed = calibration.p_miss(p_fa=far, n_enroll=n_enroll, seconds=lengths)
    broken = np.flatnonzero(missed > MOST_MISSED)
    if not len(broken):
        return shortest
    return None if broken[-1] == len(lengths) - 1 else round(float(lengths[broken[-1] + 1]), 2)
