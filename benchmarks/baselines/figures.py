"""The figures of docs/explanation/baselines.md: n-shot curves and confusion matrices, as small PNG files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines.bench import SPLITS
from benchmarks.baselines.models import SHOTS
from benchmarks.baselines.records import Confusion, Record
from voiceprint.files.whole import whole_file
from voiceprint.training.classification.figures import shade_counts

_DPI = 80
_CORPUS = "speechocean762"
_SHOT = re.compile(r"(\d+)-shot (\d+)-way/(.+)")
_COLUMNS = 4

Curves = dict[str, list[tuple[int, float, float, float]]]
"""Row -> (people, accuracy, low, high), rising."""


def draw_figures(records: Mapping[str, Record], folder: Path) -> dict[str, Path]:
    """Draw what can be drawn of the rows that ran; return the files by name."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {}
    curves = {n: _curves(records, n) for n in SHOTS}
    if any(curves.values()):
        drawn["shots"] = _draw_shots(curves, folder / "baselines-shots.png")
    for kind in SPLITS:
        matrices = [
            (name, c) for name, r in records.items() for c in r.measured.confusions if c.title == kind
        ]
        if matrices:
            path = folder / f"baselines-confusions-{kind}.png"
            drawn[f"confusions-{kind}"] = _draw_confusions(matrices, path)
    return drawn


def _curves(records: Mapping[str, Record], n: int) -> Curves:
    curves: Curves = {}
    for name, record in records.items():
        points = []
        for figure in record.measured.figures:
            match = _SHOT.fullmatch(figure.what)
            if match and int(match[1]) == n and match[3] == _CORPUS:
                points.append((int(match[2]), figure.value, figure.low, figure.high))
        if points:
            curves[name] = sorted(points)
    return curves


def _draw_shots(curves: Mapping[int, Curves], path: Path) -> Path:
    """One panel a number of clips, people along, a line a system, the best first in the legend."""
    from matplotlib import pyplot  # noqa: PLC0415

    styles = _styles(sorted({name for of_rows in curves.values() for name in of_rows}))
    figure, panels = pyplot.subplots(1, len(curves), figsize=(10, 4), sharey=True, squeeze=False)
    for panel, (n, of_rows) in zip(panels[0], curves.items(), strict=True):
        ways: set[int] = set()
        for name, points in sorted(of_rows.items(), key=lambda row: -row[1][-1][1]):
            ks, values, lows, highs = zip(*points, strict=True)
            ways |= set(ks)
            panel.plot(ks, values, marker="o", markersize=3, linewidth=1.2, label=name, **styles[name])
            panel.fill_between(ks, lows, highs, alpha=0.1, color=styles[name]["color"])
        chance = sorted(ways)
        panel.plot(chance, [1 / k for k in chance], linestyle=":", color="black", label="chance")
        panel.set(title=f"{n}-shot", xlabel="people (k)", xticks=chance, ylim=(0, 1.02))
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel(f"accuracy, {_CORPUS} test")
    panels[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _save(figure, path)


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """No two lines alike: the default's encoder in solid ones, other systems dashed."""
    from matplotlib import colormaps  # noqa: PLC0415

    colours = colormaps["tab10"](range(10))
    ours = [name for name in names if name.startswith("default")]
    others = [name for name in names if name not in ours]
    return {
        name: {"linestyle": line, "color": colours[place % len(colours)]}
        for line, group in (("-", ours), ("--", others))
        for place, name in enumerate(group)
    }


def _draw_confusions(matrices: list[tuple[str, Confusion]], path: Path) -> Path:
    """A small matrix a system: rows who it was, columns who was answered, shaded by share of the row."""
    from matplotlib import pyplot  # noqa: PLC0415

    rows = -(-len(matrices) // _COLUMNS)
    figure, panels = pyplot.subplots(rows, _COLUMNS, figsize=(2.6 * _COLUMNS, 2.7 * rows), squeeze=False)
    for panel in panels.flat[len(matrices) :]:
        panel.axis("off")
    for panel, (name, matrix) in zip(panels.flat, matrices, strict=False):
        _draw_matrix(panel, name, matrix)
    return _save(figure, path)


def _draw_matrix(panel: Any, name: str, matrix: Confusion) -> None:
    shade_counts(panel, np.array(matrix.counts), fontsize=7)
    short = [label.rpartition("_")[2][:12] for label in matrix.names]
    panel.set_xticks(range(len(short)), short, rotation=45, ha="right", fontsize=6)
    panel.set_yticks(range(len(short)), short, fontsize=6)
    panel.set_title(name, fontsize=8)


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot  # noqa: PLC0415

    figure.tight_layout()
    with whole_file(path) as file:
        # No date in the file: the same rows give the same bytes.
        figure.savefig(file, dpi=_DPI, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return path
