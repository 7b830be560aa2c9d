"""Tables in Markdown, and the pages between whose markers they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Return a table; with ``numbers`` all columns but the first are aligned to the right."""
    rule = "---:" if numbers else "---"
    lines = [heads, ["---", *[rule] * (len(heads) - 1)], *rows]
    return "\n".join(markdown_line(*line) for line in lines)


def markdown_line(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def between(text: str, marker: str) -> str:
    """Return what is between ``<!-- marker:begin -->`` and ``<!-- marker:end -->``, or ValueError."""
    begin, end = _places(text, marker)
    return text[begin:end].strip("\n")


def put_between(text: str, marker: str, content: str) -> str:
    """Replace what stands between the markers; ValueError where they are missing."""
    begin, end = _places(text, marker)
    parts = [content.strip()] if content.strip() else []
    return "\n".join([text[:begin], *parts, text[end:]])


def _places(text: str, marker: str) -> tuple[int, int]:
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    return text.index(begin) + len(begin), text.index(end)
