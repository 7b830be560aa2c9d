"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["markdown_line", "markdown_table"]


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Return a table; with ``numbers`` all columns but the first are aligned to the right."""
    rule = "---:" if numbers else "---"
    lines = [heads, ["---", *[rule] * (len(heads) - 1)], *rows]
    return "\n".join(markdown_line(*line) for line in lines)


def markdown_line(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"
