"""Answers as pieces of HTML, for notebooks: escaped, asking nobody, readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Literal

__all__ = ["Mark", "Raw", "card", "escaped", "grid", "lanes", "scale"]

Mark = Literal["yes", "no", "none"]
"""What an answer amounts to: accepted, rejected, no verdict or no question."""

_COLOURS: dict[Mark, str] = {"yes": "#2da44e", "no": "#d1495b", "none": "#8b949e"}
"""Seen on white and on black; words say the same, and have the notebook's own colour."""


class Raw(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: str) -> str:
    """Return text as HTML shows it; what is `Raw` stays as it is.

    Examples
    --------
    >>> escaped("<b>"), escaped(Raw("<b>"))
    ('&lt;b&gt;', '<b>')
    """
    return value if isinstance(value, Raw) else escape(value)


def card(title: str, *content: str, mark: Mark = "none") -> str:
    """Make a box with a title, a colour at its side, and lines of text or pieces of HTML.

    Parameters
    ----------
    *content : str
        Escaped, unless it is `Raw`; empty ones are left out.

    Examples
    --------
    >>> "ada &amp; co" in card("ada & co", "accepted", mark="yes")
    True
    """
    lines = "".join(
        line if isinstance(line, Raw) else f'<div style="opacity:.8">{escape(line)}</div>'
        for line in content
        if line
    )
    return (
        f'<div style="border-left:4px solid {_COLOURS[mark]};padding:.2em .8em;margin:.3em 0">'
        f"<strong>{escaped(title)}</strong>{lines}</div>"
    )


def grid(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Raw:
    """Make a table; empty without rows.

    Examples
    --------
    >>> grid(["name"], [["<ada>"]]).count("&lt;ada&gt;")
    1
    """
    body = "".join("<tr>" + "".join(f"<td>{escaped(value)}</td>" for value in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{escaped(name)}</th>" for name in columns)
    return Raw(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else "")


def scale(score: float, threshold: float, *, mark: Mark) -> Raw:
    """Draw a score between -1 and 1 as a bar, with a line where the threshold is.

    Examples
    --------
    >>> scale(0.9, 0.5, mark="yes").startswith("<svg")
    True
    """
    width, place = 100 * (score + 1), 100 * (threshold + 1)
    return Raw(
        f'<svg width="200" height="14" role="img" aria-label="score {score:.2f}, threshold {threshold:.2f}">'
        '<rect y="4" width="200" height="6" fill="currentColor" opacity=".15"/>'
        f'<rect y="4" width="{width:.0f}" height="6" fill="{_COLOURS[mark]}"/>'
        f'<rect x="{place:.0f}" width="2" height="14" fill="currentColor"/></svg>'
    )


def lanes(stretches: Mapping[str, Sequence[tuple[float, float]]], seconds: float) -> Raw:
    """Draw a lane for each name, with its stretches of time.

    Parameters
    ----------
    stretches : mapping of str to (start, stop)
        In seconds.
    seconds : float
        The length of a lane.

    Examples
    --------
    >>> lanes({"ada": [(0.0, 1.5)]}, 3.0).count("<rect")
    2
    """
    drawn = []
    for name, parts in stretches.items():
        bars = "".join(
            f'<rect x="{500 * start / seconds:.1f}" width="{500 * (stop - start) / seconds:.1f}" height="12" '
            f'fill="{_COLOURS["yes"]}"/>'
            for start, stop in parts
        )
        drawn.append(
            f'<div>{escape(name)}</div><svg width="500" height="12" style="max-width:100%">'
            f'<rect width="500" height="12" fill="currentColor" opacity=".1"/>{bars}</svg>'
        )
    return Raw("".join(drawn))
