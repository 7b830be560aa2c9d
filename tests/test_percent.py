from __future__ import annotations

import pytest

from voiceprint.percent import percent, percent_range, percent_with_range
from voiceprint.reports.charts import percent as percent_of_a_page


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


def test_a_page_does_not_break_a_line_before_the_sign() -> None:
    assert percent_of_a_page(0.0123) == "1.2\N{NO-BREAK SPACE}%"
