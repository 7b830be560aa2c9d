"""Intervals of a fraction that was counted."""

from __future__ import annotations

import math
from statistics import NormalDist

from voiceprint.errors import TrialError
from voiceprint.metrics.speaker_intervals import Interval


def proportion_interval(count: int, total: int, *, level: float = 0.95) -> Interval:
    """Interval of a fraction, each of whose trials is drawn independently of the others.

    Returns
    -------
    Interval
        Wilson's, which stays within 0 and 1 and has a width at 0 and at 1.

    Raises
    ------
    TrialError
        If there are no trials, or the count is not from 0 to their number.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Examples
    --------
    >>> interval = proportion_interval(9, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.596, 0.982)
    """
    if not 0 <= count <= total or total < 1:
        raise TrialError(f"{count} of {total} is no fraction; count at least one trial")
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, shrink = count / total, 1 + z * z / total
    centre = (rate + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    # At the ends, rounding would leave a border a hair inside.
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == total else centre + half
    return Interval(value=rate, low=low, high=high, level=level)
