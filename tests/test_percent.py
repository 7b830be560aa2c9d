from __future__ import annotations

import pytest

from voiceprint.percent import percent, percent_range, percent_with_range


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.001234, "0.12 %"),
        (0.0123, "1.2 %"),
        (0.00999, "1.0 %"),
        (0.9999, "100.0 %"),
    ],
)
def test_rates_are_printed_with_two_digits_that_count(rate: float | None, said: str) -> None:
    assert percent(rate) == said


def test_an_interval_is_printed_behind_its_rate_or_alone() -> None:
    assert percent_range(0.0, 0.115) == "0 % to 11.5 %"
    assert percent_with_range(0.025, 0.0, 0.115) == "2.5 % (0 % to 11.5 %)"
