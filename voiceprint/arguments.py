"""The one check of choices, rates, numbers and counts that callers give.

Every public function checks its arguments here, once; the command line and the server repeat none of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeVar

from voiceprint.errors import ArgumentError

__all__ = [
    "check_choice",
    "check_count",
    "check_number",
    "check_one_of",
    "check_rate",
    "check_text",
    "check_type",
]

_Choice = TypeVar("_Choice", bound=str)


def check_choice(argument: str, value: _Choice, allowed: Iterable[str]) -> _Choice:
    """Refuse a word that is none of those allowed.

    Parameters
    ----------
    allowed : iterable of str
        At least one.

    Raises
    ------
    ArgumentError
        If it is none of them.

    Examples
    --------
    >>> check_choice("mode", "add", ("new", "add"))
    'add'
    """
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        *first, last = words
        raise ArgumentError(argument, value, f"{', '.join(first)} or {last}" if first else last)
    return value


def check_number(
    argument: str,
    value: float,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """Refuse what is no finite number, or out of range.

    Parameters
    ----------
    least, above, most, below : float
        Bounds: ``>= least``, ``> above``, ``<= most``, ``< below``.

    Raises
    ------
    ArgumentError
        If it is not a number, NaN, infinite or out of range.

    Examples
    --------
    >>> check_number("seconds", 2.5, above=0.0)
    2.5
    """
    number = _real(value)
    if number is None or not (least <= number <= most and above < number < below):
        raise ArgumentError(argument, value, _range(least, above, most, below))
    return number


def check_rate(argument: str, value: float, *, most: float = math.inf) -> float:
    """Refuse what is no rate: a fraction above 0 and below 1, and at most `most`.

    Parameters
    ----------
    most : float
        Highest rate that makes sense.

    Raises
    ------
    ArgumentError
        If it is out of range, or not a number.

    Examples
    --------
    >>> check_rate("far", 0.01)
    0.01
    >>> check_rate("far", 1.5)
    Traceback (most recent call last):
    ...
    voiceprint.errors.ArgumentError: far is 1.5; it must be a rate above 0 and below 1 (1 % is 0.01)
    """
    number = _real(value)
    if number is None or not (0.0 < number < 1.0 and number <= most):
        limit = f"at most {most:g}" if most < 1.0 else "below 1"
        raise ArgumentError(argument, value, f"a rate above 0 and {limit} (1 % is 0.01)")
    return number


def check_count(argument: str, value: int, *, least: int = 1, most: int | None = None) -> int:
    """Refuse what is no whole number of at least `least`.

    Raises
    ------
    ArgumentError
        If it is not a whole number, or out of range.

    Examples
    --------
    >>> check_count("top", 5)
    5
    >>> check_count("top", 0)
    Traceback (most recent call last):
    ...
    voiceprint.errors.ArgumentError: top is 0; it must be a whole number of at least 1
    """
    given: object = value
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not whole or value < least or (most is not None and value > most):
        limit = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ArgumentError(argument, value, f"a whole number {limit}")
    return int(value)


def check_type(argument: str, value: object, kind: type | tuple[type, ...], allowed: str) -> None:
    """Refuse what is of another type than an argument takes.

    Parameters
    ----------
    allowed : str
        What may be given, in words.

    Raises
    ------
    ArgumentError
        If it is not of that type.

    Examples
    --------
    >>> check_type("top", 5, int, "a whole number")
    """
    if not isinstance(value, kind):
        raise ArgumentError(argument, value, allowed)


def check_text(argument: str, value: str) -> str:
    """Refuse what is no text, or cannot be stored: bytes that are no UTF-8 are lone surrogates in Python.

    Raises
    ------
    ArgumentError
        If it is not text, or holds a lone surrogate.

    Examples
    --------
    >>> check_text("name", "ada")
    'ada'
    """
    check_type(argument, value, str, "text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(argument, value, "text in UTF-8") from error
    return value


def check_one_of(**given: object) -> None:
    """Refuse two arguments that exclude each other.

    Raises
    ------
    ArgumentError
        If more than one is given.

    Examples
    --------
    >>> check_one_of(far=0.01, threshold=None)
    """
    present = [name for name, value in given.items() if value is not None]
    if len(present) > 1:
        first, second = present[:2]
        allowed = f"left out where {first} is given: one of them decides"
        raise ArgumentError(second, given[second], allowed, beside=(first,))


def _real(value: object) -> float | None:
    """Return a finite number as a float; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 300 digits
        return None
    return number if math.isfinite(number) else None


def _range(least: float, above: float, most: float, below: float) -> str:
    bounds = (
        (f"at least {least:g}", least > -math.inf),
        (f"above {above:g}", above > -math.inf),
        (f"at most {most:g}", most < math.inf),
        (f"below {below:g}", below < math.inf),
    )
    words = " and ".join(text for text, bounded in bounds if bounded)
    return f"a finite number {words}".rstrip()
