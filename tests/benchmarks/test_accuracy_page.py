"""The figures of the page on accuracy are those of docs/evaluation.json, by scripts/evaluate_default."""

from __future__ import annotations

import json

import pytest

from benchmarks.default_model.accuracy_tables import accuracy_table, out_of_set_table
from benchmarks.program import ROOT
from benchmarks.tables import between, put_between

DATA = ROOT / "docs" / "evaluation.json"
TABLES = {"accuracy": accuracy_table, "out-of-set": out_of_set_table}


@pytest.mark.parametrize("marker", TABLES)
def test_the_page_quotes_the_evaluation(marker: str) -> None:
    quoted = between((ROOT / "docs/explanation/accuracy.md").read_text(encoding="utf-8"), marker)
    # Before the first evaluation there is nothing to quote, and nothing may stand there.
    wanted = TABLES[marker](json.loads(DATA.read_text(encoding="utf-8"))) if DATA.exists() else ""
    assert quoted == wanted, "run scripts/evaluate_default, or put back what it wrote"


def test_what_is_put_between_markers_is_found_there_again() -> None:
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    assert between(text, "x") == "old"
    changed = put_between(text, "x", "| new |\n")
    assert changed == "a\n<!-- x:begin -->\n| new |\n<!-- x:end -->\nb\n"
    assert between(changed, "x") == "| new |"
    assert between(put_between(changed, "x", ""), "x") == ""
    with pytest.raises(ValueError, match="substring not found"):
        between(text, "y")
