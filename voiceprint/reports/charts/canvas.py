"""Charts as inline SVG: scales, axes and marks. Colours and fonts come from the page's style sheet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import NormalDist

WIDTH, HEIGHT = 480.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 14.0, 12.0, 46.0

DASHES = ("", "7 4", "2 3", "9 3 2 3")
"""Of the first, second ... model's lines, so that colour is never the only difference."""


_ids = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with what stands beside it.

    Parameters
    ----------
    legend : sequence of (name, series number)
        Empty where there is one series only.
    """

    title: str
    svg: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    legend: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A direction of a chart.

    Parameters
    ----------
    warp : callable
        From a value to where it stands, up to scale: identity or normal deviate.
    rates : bool
        Whether values are rates, whose warp knows neither 0 nor 1.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    warp: Callable[[float], float] = float
    rates: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands, 0 at `low` and 1 at `high`; -0.2 or 1.2 where it is far beyond."""
        low, high = self.warp(self.low), self.warp(self.high)
        if self.rates:
            value = min(max(value, 1e-9), 1.0 - 1e-9)  # 0 and 1 are infinitely far
        return min(max((self.warp(value) - low) / (high - low), -0.2), 1.2)

    def shows(self, value: float) -> bool:
        """Whether a value is in the range shown."""
        return self.low <= value <= self.high

    @classmethod
    def linear(
        cls, label: str, low: float, high: float, *, text: Callable[[float], str] = "{:g}".format
    ) -> Axis:
        """Make an axis with five or so round ticks."""
        step = _round_step((high - low) / 5.0)
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        values = [round((first + i) * step, 10) for i in range(count)]
        return cls(label=label, low=low, high=high, ticks=[(value, text(value)) for value in values])

    @classmethod
    def deviate(cls, label: str, rates: Sequence[float]) -> Axis:
        """Make an axis of rates on the normal-deviate scale, on which a DET curve is nearly straight."""
        return cls(
            label=label,
            low=rates[0],
            high=rates[-1],
            ticks=[(rate, f"{100 * rate:g}") for rate in rates],
            warp=NormalDist().inv_cdf,
            rates=True,
        )


def series_class(place: int) -> str:
    """Name the style of the first (0), second (1) ... model."""
    return f"s{place % len(DASHES) + 1}"


@dataclass(slots=True, kw_only=True)
class Plot:
    """A chart being drawn.

    Parameters
    ----------
    title : str
        For those who do not see it.
    description : str
        What it shows, in a sentence, for the same.
    height : float
        The width is always 480.
    """

    x: Axis
    y: Axis
    title: str
    description: str
    height: float = HEIGHT
    _lines: list[str] = field(default_factory=list)  # cut off at the frame
    _marks: list[str] = field(default_factory=list)  # whole, or not at all

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point, in units of the drawing."""
        return (
            _LEFT + self.x.place(x) * (WIDTH - _LEFT - _RIGHT),
            self.height - _BOTTOM - self.y.place(y) * (self.height - _TOP - _BOTTOM),
        )

    def line(
        self, points: Iterable[tuple[float, float]], *, style: str, dash: str = "", tip: str = ""
    ) -> None:
        """Join points."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        path = _path([self.at(x, y) for x, y in points])
        self._lines.append(f'<path class="line {style}" d="{path}"{dashed}>{_tip(tip)}</path>')

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], *, style: str) -> None:
        """Fill between two lines."""
        there = [self.at(x, y) for x, y in zip(xs, highs, strict=True)]
        back = [self.at(x, y) for x, y in zip(xs, lows, strict=True)][::-1]
        self._lines.append(f'<path class="band {style}" d="{_path(there + back)}Z"/>')

    def bars(self, edges: Sequence[float], heights: Sequence[float], *, style: str, tip: str = "") -> None:
        """Fill the outline of a histogram."""
        corners = [(edges[0], 0.0)]
        for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
            corners += [(left, height), (right, height)]
        corners.append((edges[-1], 0.0))
        path = _path([self.at(x, y) for x, y in corners])
        self._lines.append(f'<path class="bars {style}" d="{path}Z">{_tip(tip)}</path>')

    def dot(self, x: float, y: float, *, style: str, tip: str = "", radius: float = 3.5) -> None:
        """Put a dot, where it is in the range shown."""
        if not (self.x.shows(x) and self.y.shows(y)):
            return
        px, py = self.at(x, y)
        self._marks.append(
            f'<circle class="dot {style}" cx="{px:.1f}" cy="{py:.1f}" r="{radius:g}">{_tip(tip)}</circle>'
        )

    def shape(self, x: float, y: float, *, kind: str, style: str, tip: str = "") -> None:
        """Put a marker: ``circle``, ``square`` or ``triangle``."""
        px, py = self.at(x, y)
        path = {
            "circle": f"M{px - 4:.1f},{py:.1f}a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z",
            "square": f"M{px - 3.5:.1f},{py - 3.5:.1f}h7v7h-7Z",
            "triangle": f"M{px:.1f},{py - 4.5:.1f}l4.3,7.8h-8.6Z",
        }[kind]
        self._marks.append(f'<path class="marker {style}" d="{path}">{_tip(tip)}</path>')

    def interval(self, x: float, low: float, high: float, *, style: str) -> None:
        """Draw a vertical interval."""
        (px, bottom), (_, top) = self.at(x, low), self.at(x, high)
        self._lines.append(f'<path class="whisker {style}" d="M{px:.1f},{bottom:.1f}V{top:.1f}"/>')

    def rule(self, value: float, *, label: str) -> None:
        """Draw an upright line with a label at its top."""
        px, top = self.at(value, self.y.high)
        _, bottom = self.at(value, self.y.low)
        self._marks.append(f'<path class="rule" d="M{px:.1f},{bottom:.1f}V{top:.1f}"/>')
        end = "end" if px > 0.8 * WIDTH else "start"
        shift = -4 if end == "end" else 4
        self._marks.append(
            f'<text class="note" x="{px + shift:.1f}" y="{top + 11:.1f}" '
            f'text-anchor="{end}">{escape(label)}</text>'
        )

    def text(self, x: float, y: float, label: str, *, dx: float = 6.0, dy: float = -6.0) -> None:
        """Write beside a point, where it is in the range shown."""
        if not (self.x.shows(x) and self.y.shows(y)):
            return
        px, py = self.at(x, y)
        end = px > 0.75 * WIDTH
        anchor, shift = ("end", -dx) if end else ("start", dx)
        self._marks.append(
            f'<text class="note" x="{px + shift:.1f}" y="{py + dy:.1f}" text-anchor="{anchor}">'
            f"{escape(label)}</text>"
        )

    def render(self) -> str:
        """Return the SVG element."""
        name = f"c{next(_ids)}"
        right, bottom = WIDTH - _RIGHT, self.height - _BOTTOM
        frame = f'x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}"'
        return (
            f'<svg viewBox="0 0 {WIDTH:g} {self.height:g}" role="img" aria-labelledby="{name}t {name}d">'
            f'<title id="{name}t">{escape(self.title)}</title>'
            f'<desc id="{name}d">{escape(self.description)}</desc>'
            f'<clipPath id="{name}c"><rect {frame}/></clipPath>'
            f"{self._axes(right, bottom)}"
            f'<g clip-path="url(#{name}c)">{"".join(self._lines)}</g>{"".join(self._marks)}</svg>'
        )

    def _axes(self, right: float, bottom: float) -> str:
        parts = []
        for value, text in self.x.ticks:
            px, _ = self.at(value, self.y.low)
            parts.append(f'<path class="grid" d="M{px:.1f},{_TOP}V{bottom:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{px:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">'
                f"{escape(text)}</text>"
            )
        for value, text in self.y.ticks:
            _, py = self.at(self.x.low, value)
            parts.append(f'<path class="grid" d="M{_LEFT},{py:.1f}H{right:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{_LEFT - 7:.1f}" y="{py + 4:.1f}" text-anchor="end">'
                f"{escape(text)}</text>"
            )
        middle = (_LEFT + right) / 2
        parts.append(
            f'<text class="label" x="{middle:.1f}" y="{self.height - 8:.1f}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
        )
        height = (_TOP + bottom) / 2
        parts.append(
            f'<text class="label" transform="translate(14 {height:.1f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>"
        )
        return "".join(parts)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1 - 1e-9))
