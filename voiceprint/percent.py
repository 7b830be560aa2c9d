"""Rates as people read them: in percent, with two digits that count."""

from __future__ import annotations

__all__ = ["percent", "percent_range", "percent_with_range"]


def percent(rate: float | None) -> str:
    """Print a rate (a fraction of 1); a dash where there is none.

    Examples
    --------
    >>> [percent(rate) for rate in (0.0, 0.001234, 0.0123, 0.5, 1.0, None)]
    ['0 %', '0.12 %', '1.2 %', '50.0 %', '100 %', '-']
    """
    if rate is None:
        return "-"
    value = 100.0 * rate
    if value in (0.0, 100.0):
        return f"{value:.0f} %"
    return f"{value:.2f} %" if value < 0.995 else f"{value:.1f} %"


def percent_range(low: float, high: float) -> str:
    """Print the ends of an interval of rates.

    Examples
    --------
    >>> percent_range(0.001, 0.02)
    '0.10 % to 2.0 %'
    """
    return f"{percent(low)} to {percent(high)}"


def percent_with_range(value: float, low: float, high: float) -> str:
    """Print a rate with its interval.

    Examples
    --------
    >>> percent_with_range(0.01, 0.001, 0.02)
    '1.0 % (0.10 % to 2.0 %)'
    """
    return f"{percent(value)} ({percent_range(low, high)})"
