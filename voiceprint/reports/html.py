"""Pieces of a page: tables, figures, bars. Everything that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

from voiceprint.html import Raw, escaped
from voiceprint.metrics import Interval
from voiceprint.percent import percent, percent_range
from voiceprint.reports.charts.canvas import DASHES, Figure, series_class


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str = "",
    text: Collection[int] = (0,),
    styles: Iterable[str] = (),
    kind: str = "",
) -> Raw:
    """Make a table; cells are escaped unless they are `Raw`.

    Parameters
    ----------
    text : collection of int
        Columns that are set to the left.
    styles : iterable of str
        A class for each row.
    """
    head = "".join(
        f'<th scope="col"{_text_class(place, text)}>{escaped(name)}</th>'
        for place, name in enumerate(columns)
    )
    classes = [*styles]
    body = []
    for number, row in enumerate(rows):
        style = f' class="{classes[number]}"' if number < len(classes) and classes[number] else ""
        cells = "".join(
            f"<td{_text_class(place, text)}>{escaped(value)}</td>" for place, value in enumerate(row)
        )
        body.append(f"<tr{style}>{cells}</tr>")
    titled = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Raw(
        f'<div class="scroll"><table class="{kind}">{titled}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def figure(shown: Figure) -> Raw:
    """Make a chart with its heading, legend, caption and the numbers behind it."""
    legend = "".join(
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true">'
        f'<path class="line {series_class(place)}" d="M0,4H26" '
        f'stroke-dasharray="{DASHES[place % len(DASHES)]}"/></svg>{escape(name)}</li>'
        for name, place in shown.legend
    )
    return Raw(
        f'<figure class="chart"><h3>{escape(shown.title)}</h3>'
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + f"{shown.svg}<figcaption>{escape(shown.caption)}"
        f"<details><summary>The numbers</summary>{table(shown.columns, shown.rows)}</details>"
        "</figcaption></figure>"
    )


def panel(title: str, note: str, *content: str) -> Raw:
    """Make a box with a heading, a note in small print, and content that is HTML."""
    noted = f'<p class="meta">{escape(note)}</p>' if note else ""
    return Raw(f'<div class="panel"><h3>{escape(title)}</h3>{noted}{"".join(content)}</div>')


def bar(interval: Interval, scale: float) -> Raw:
    """Draw a rate as a bar with its interval, `scale` being as long as there is room for."""
    value, low, high = (
        130.0 * min(1.0, rate / scale) for rate in (interval.value, interval.low, interval.high)
    )
    return Raw(
        '<svg class="bar" viewBox="0 0 130 14" aria-hidden="true">'
        '<rect class="track" width="130" height="14" rx="2"/>'
        f'<rect class="fill" width="{value:.1f}" height="14" rx="2"/>'
        f'<path class="range" d="M{low:.1f},7H{high:.1f}M{low:.1f},4v6M{high:.1f},4v6"/></svg>'
    )


def spread(interval: Interval) -> Raw:
    """Print a rate with its interval."""
    return Raw(f"{percent(interval.value)} <small>{percent_range(interval.low, interval.high)}</small>")


def one_in(rate: float) -> str:
    """Say a rate in words: 1 in 90."""
    if rate <= 0.0:
        return "none"
    count = 1.0 / rate
    return f"1 in {count:,.0f}" if count >= 9.5 else f"1 in {count:.1f}".removesuffix(".0")


def _text_class(place: int, text: Collection[int]) -> str:
    return ' class="text"' if place in text else ""
