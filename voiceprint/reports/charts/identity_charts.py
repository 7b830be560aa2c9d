"""Charts of identification: n-shot k-way curves, clip length, the map of embeddings, confusion matrices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from voiceprint.evaluation.benchmark import EpisodeResult
from voiceprint.evaluation.results import Confusion, SetReport
from voiceprint.percent import percent, percent_range, percent_with_range
from voiceprint.reports.charts.canvas import DASHES, Axis, Figure, Plot, series_class

_MARKERS = {"f": "circle", "m": "triangle", "": "square"}
_HUES = 8
_CELL = 34.0


def shots_figure(measured: SetReport, n: int) -> Figure | None:
    """Accuracy of naming one of k people who are known by n clips, of every model of a report."""
    return shots_chart([(system.name, system.shots) for system in measured.systems], n, where=measured.name)


def shots_chart(
    models: Sequence[tuple[str, Sequence[EpisodeResult]]], n: int, *, where: str
) -> Figure | None:
    """Accuracy of naming one of k people who are known by n clips, a line a model; None where none was asked.

    Parameters
    ----------
    models : sequence of (name, results)
        Results with another n are left out.
    where : str
        The recordings, as the title says them.
    """
    curves = {
        place: [result for result in results if result.n == n] for place, (_, results) in enumerate(models)
    }
    curves = {place: curve for place, curve in curves.items() if curve}
    if not curves:
        return None
    every = [result for curve in curves.values() for result in curve]
    low = min(0.9, *(min(result.low, 1.0 / result.k) for result in every)) - 0.02
    ways = sorted({result.k for result in every})
    plot = Plot(
        x=Axis.linear("people to choose from", ways[0] - 0.6, ways[-1] + 0.6),
        y=Axis.linear("named correctly, %", low, 1.03, text=lambda value: f"{100 * value:g}"),
        title=f"{n}-shot identification on {where}",
        description=f"Share of clips given the right name among k people known by {n} clips each.",
    )
    plot.line([(k, 1.0 / k) for k in range(ways[0], ways[-1] + 1)], style="chance", tip="guessing")
    for place, curve in curves.items():
        _draw_shots(plot, models[place][0], place, curve)
    clips = "one clip" if n == 1 else f"{n} clips"
    return Figure(
        title=f"Naming one of k people known by {clips}",
        svg=plot.render(),
        caption=f"{every[0].episodes:,} draws of k people with {clips} each; one more clip of one of them is "
        "named after the nearest. The grey line is guessing; whiskers are 95 % for other "
        "speakers like these.",
        columns=("model", "people", "correct", "95 % interval"),
        rows=[
            (
                models[place][0],
                str(result.k),
                percent(result.accuracy),
                percent_range(result.low, result.high),
            )
            for place, curve in curves.items()
            for result in curve
        ],
        legend=[(models[place][0], place) for place in curves] if len(curves) > 1 else [],
    )


def _draw_shots(plot: Plot, name: str, place: int, curve: Sequence[EpisodeResult]) -> None:
    style = series_class(place)
    plot.line(
        [(result.k, result.accuracy) for result in curve],
        style=style,
        dash=DASHES[place % len(DASHES)],
        tip=name,
    )
    for result in curve:
        plot.interval(result.k, result.low, result.high, style=style)
        plot.dot(result.k, result.accuracy, style=style, tip=_shots_tip(result))


def length_figure(measured: SetReport) -> Figure | None:
    """Equal error rate against the length of the test clip, of every model that was measured so."""
    series = {
        place: [row for row in system.lengths if row.eer is not None]
        for place, system in enumerate(measured.systems)
    }
    series = {place: rows for place, rows in series.items() if len(rows) > 1}
    if not series:
        return None
    names = [_length(row.seconds) for row in next(iter(series.values()))]
    top = max(row.eer.high for rows in series.values() for row in rows if row.eer is not None)
    plot = Plot(
        x=Axis(
            label="speech in the clip",
            low=-0.4,
            high=len(names) - 0.6,
            ticks=[(float(place), name) for place, name in enumerate(names)],
        ),
        y=Axis.linear("EER, %", 0.0, 1.1 * max(top, 0.01), text=lambda value: f"{100 * value:g}"),
        title=f"Errors by clip length on {measured.name}",
        description="Equal error rate with test clips cut to several lengths; lower is better.",
    )
    table = []
    for place, rows in series.items():
        style = series_class(place)
        points = []
        for row in rows:
            if row.eer is None or _length(row.seconds) not in names:
                continue
            x = float(names.index(_length(row.seconds)))
            points.append((x, row.eer.value))
            plot.interval(x, row.eer.low, row.eer.high, style=style)
            table.append(
                (
                    measured.systems[place].name,
                    _length(row.seconds),
                    percent(row.eer.value),
                    percent_range(row.eer.low, row.eer.high),
                    "" if row.decision is None else percent(row.decision.p_fa.value),
                    "" if row.decision is None else percent(row.decision.p_miss.value),
                    f"{row.n_clips} of {row.n_speakers} people",
                )
            )
        plot.line(points, style=style, dash=DASHES[place % len(DASHES)])
        for x, y in points:
            plot.dot(x, y, style=style, tip=f"{names[int(x)]}: {percent(y)}")
    return Figure(
        title="Longer clips, fewer errors",
        svg=plot.render(),
        caption="Test clips cut to the middle of their speech, against voiceprints of whole clips. "
        "EER: the rate at which both errors are equal. Longer cuts have fewer clips (see the numbers).",
        columns=("model", "speech", "EER", "95 % interval", "FAR (asked 1 %)", "FRR", "clips"),
        rows=table,
        legend=_legend(measured, series),
    )


def map_figure(measured: SetReport) -> Figure | None:
    """Clips of some speakers on a plane: colour is the speaker, the marker the gender."""
    drawn = measured.systems[0].map
    if drawn is None:
        return None
    plot = Plot(
        x=Axis(label="", low=-0.04, high=1.04, ticks=[]),
        y=Axis(label="", low=-0.04, high=1.04, ticks=[]),
        title=f"Map of the embeddings on {measured.name}",
        description="Clips near each other sound alike to the model; clips of one person should lie "
        "together.",
        height=400.0,
    )
    names = list(dict.fromkeys(drawn.speakers))
    for x, y, speaker, gender in zip(drawn.x, drawn.y, drawn.speakers, drawn.genders, strict=True):
        place = names.index(speaker)
        # Twice as many speakers as hues: the second round is drawn hollow.
        hollow = " hollow" if place // _HUES % 2 else ""
        words = {"f": ", woman or girl", "m": ", man or boy"}.get(gender, "")
        plot.shape(x, y, kind=_MARKERS[gender], style=f"h{place % _HUES}{hollow}", tip=f"{speaker}{words}")
    counts = [(name, drawn.speakers.count(name)) for name in names]
    genders = dict(zip(drawn.speakers, drawn.genders, strict=True))
    return Figure(
        title="A map of voices",
        svg=plot.render(),
        caption=f"Each mark is a clip; a colour (filled or hollow) is a speaker; circles are women and "
        f"girls, triangles men and boys, squares unknown. Near means alike ({drawn.method}); distances "
        "between far groups mean little.",
        columns=("speaker", "gender", "clips drawn"),
        rows=[(name, genders[name] or "unknown", str(count)) for name, count in counts],
    )


def confusion_figure(confusion: Confusion) -> Figure:
    """A confusion matrix: rows who it was, columns who was answered."""
    matrix, names = confusion.matrix, confusion.matrix.names
    size = len(names)
    longest = max(map(len, names))
    left, top = 24.0 + 8.0 * longest, 10.0  # a letter is about eight wide
    width, height = left + size * _CELL + 10, top + size * _CELL + 24.0 + 6.0 * longest
    cells = []
    for row, counts in enumerate(matrix.counts):
        total = max(sum(counts), 1)
        y = top + row * _CELL
        cells.append(
            f'<text class="tick" x="{left - 8:g}" y="{y + _CELL / 2 + 4:g}" text-anchor="end">'
            f"{escape(names[row])}</text>"
        )
        for column, count in enumerate(counts):
            share, x = count / total, left + column * _CELL
            tip = f"{names[row]} called {names[column]}: {count} of {total}"
            cells.append(
                f'<rect class="cell" x="{x:g}" y="{y:g}" width="{_CELL - 2:g}" height="{_CELL - 2:g}" '
                f'fill-opacity="{share:.3f}"><title>{escape(tip)}</title></rect>'
                f'<text class="count{" on" if share > 0.5 else ""}" x="{x + _CELL / 2 - 1:g}" '
                f'y="{y + _CELL / 2 + 4:g}" text-anchor="middle">{count}</text>'
            )
    for column, name in enumerate(names):
        x, y = left + column * _CELL + _CELL / 2, top + size * _CELL + 10
        cells.append(
            f'<text class="tick" transform="translate({x:g} {y:g}) rotate(-40)" text-anchor="end">'
            f"{escape(name)}</text>"
        )
    return Figure(
        title=confusion.title,
        svg=f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(confusion.title)}">'
        f"{''.join(cells)}</svg>",
        caption="Rows: who it was. Columns: the answer. "
        f"{matrix.correct:,} of {matrix.total:,} are right ({percent(matrix.accuracy)}).",
        columns=("it was", *names),
        rows=[(name, *map(str, counts)) for name, counts in zip(names, matrix.counts, strict=True)],
    )


def _legend(measured: SetReport, places: Collection[int]) -> list[tuple[str, int]]:
    return [(measured.systems[place].name, place) for place in places] if len(places) > 1 else []


def _length(seconds: float | None) -> str:
    return "full" if seconds is None else f"{seconds:g} s"


def _shots_tip(result: EpisodeResult) -> str:
    return f"{result.k} people, {result.n} clips each: " + percent_with_range(
        result.accuracy, result.low, result.high
    )
