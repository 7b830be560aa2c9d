"""Choices, rates, numbers and counts: what passes, and what is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from voiceprint.arguments import (
    check_choice,
    check_count,
    check_number,
    check_one_of,
    check_rate,
    check_text,
)
from voiceprint.errors import ArgumentError


@pytest.mark.parametrize(
    ("check", "value", "allowed"),
    [
        (lambda v: check_choice("it", v, ("new", "add", "replace")), "append", "new, add or replace"),
        (lambda v: check_choice("it", v, ("new",)), None, "new"),
        (lambda v: check_choice("it", v, ("new", "add")), ["new"], "new or add"),
        (lambda v: check_rate("it", v), 0.0, "a rate above 0 and below 1 (1 % is 0.01)"),
        (lambda v: check_rate("it", v, most=0.5), 0.6, "a rate above 0 and at most 0.5 (1 % is 0.01)"),
        (lambda v: check_rate("it", v), math.nan, "a rate above 0 and below 1 (1 % is 0.01)"),
        (lambda v: check_rate("it", v), "0.1", "a rate above 0 and below 1 (1 % is 0.01)"),
        (
            lambda v: check_number("it", v, least=-1.0, most=1.0),
            1.1,
            "a finite number at least -1 and at most 1",
        ),
        (lambda v: check_number("it", v), math.inf, "a finite number"),
        (lambda v: check_number("it", v), 10**400, "a finite number"),
        (lambda v: check_number("it", v), True, "a finite number"),
        (lambda v: check_number("it", v), None, "a finite number"),
        (lambda v: check_number("it", v, above=0.0), 0, "a finite number above 0"),
        (lambda v: check_count("it", v), 0, "a whole number of at least 1"),
        (lambda v: check_count("it", v), 1.0, "a whole number of at least 1"),
        (lambda v: check_count("it", v), True, "a whole number of at least 1"),
        (lambda v: check_count("it", v, least=2, most=5), 6, "a whole number from 2 to 5"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(
    check: Callable[[Any], object], value: object, allowed: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        check(value)
    assert (caught.value.argument, caught.value.value, caught.value.allowed) == ("it", value, allowed)


def test_what_is_in_range_passes_as_it_is() -> None:
    assert check_choice("mode", "add", ("new", "add")) == "add"
    # Numbers of every library pass, not only those that the annotations name.
    rates: list[Any] = [1e-12, 0.5, np.float32(0.25)]
    numbers: list[Any] = [-1, 1.0, Fraction(1, 2)]
    counts: list[Any] = [1, np.int64(7)]
    assert [check_rate("far", rate, most=0.5) for rate in rates] == [1e-12, 0.5, 0.25]
    assert [check_number("t", number, least=-1.0, most=1.0) for number in numbers] == [-1, 1, 0.5]
    assert [check_count("top", count) for count in counts] == [1, 7]


def test_two_arguments_that_exclude_each_other() -> None:
    check_one_of(far=None, threshold=0.5)
    with pytest.raises(ArgumentError, match=r"threshold is 0\.5; it must be left out where far is given"):
        check_one_of(far=0.01, threshold=0.5)


@pytest.mark.parametrize("value", [None, b"x", 1.5, ["x"], "x\ud800"])
def test_what_is_no_text_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ArgumentError, match="it must be text") as caught:
        check_text("notes", value)
    assert (caught.value.argument, caught.value.value) == ("notes", value)
