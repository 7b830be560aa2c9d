"""docs/explanation/baselines.md: what the systems are in plain words, and the tables of the rows that ran."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks.baselines.bench import CAP_MINUTES, SPLITS, TESTS, default_clips
from benchmarks.baselines.classic import CLIPS
from benchmarks.baselines.figures import draw_figures
from benchmarks.baselines.models import SHOTS
from benchmarks.baselines.records import Accuracy, Record
from benchmarks.baselines.rows import ROWS, Row
from benchmarks.program import ROOT
from benchmarks.tables import markdown_line, markdown_table, put_between
from voiceprint.files.whole import write_whole
from voiceprint.metrics import bias_corrected
from voiceprint.metrics.proportion import proportion_interval

NOT_YET = "not run yet"

_PAGE = ROOT / "docs" / "explanation" / "baselines.md"

Records = Mapping[str, Record]
Column = tuple[str, Callable[[Record], str]]

_WAYS_SHOWN = (5, 10, 20)


def write_report(records: Records, page: Path, images: Path) -> None:
    """Write the page and its figures from the rows that ran, whole or not at all."""
    page.parent.mkdir(parents=True, exist_ok=True)
    pictures = draw_figures(records, images)
    links = {name: os.path.relpath(path, page.parent) for name, path in pictures.items()}
    write_whole(page, markdown(records, links))


def markdown(records: Records, pictures: Mapping[str, str]) -> str:
    """Return the page with what is between its markers written anew."""
    text = _PAGE.read_text(encoding="utf-8")
    verifying = {name: _as_verifier(record) for name, record in records.items()}
    parts = {
        "five_speakers": _five_speakers(records),
        "verification": _table(_rows_of("eer"), verifying, _open_columns("speechocean762")),
        "voxforge": _table(_rows_of("voxforge"), records, _open_columns("voxforge")),
        "verdicts": verdicts(records),
        "distance": _table(_rows_of("distance"), records, _distance_columns()),
        "groups": _groups(records),
        "few_clips": _few_clips(records),
        "confusions": "\n\n".join(
            _picture(pictures, f"confusions-{kind}", f"Confusion matrices, {kind}") for kind in SPLITS
        ),
        "shots": _picture(pictures, "shots", "Accuracy against the number of people"),
        "first_epoch": _first_epoch(records),
        "machine": _machine(records),
    }
    for name, part in parts.items():
        text = put_between(text, name, part)
    return text


def _rows_of(kind: str) -> list[Row]:
    """Rows of one table."""
    return [row for row in ROWS if kind in row.measures]


def _as_verifier(record: Record) -> Record:
    """With the costs of verification, where they are of their own."""
    costs = record.measured.verification
    return record if costs is None else replace(record, measured=replace(record.measured, **asdict(costs)))


def _table(rows: Sequence[Row], records: Records, columns: Sequence[Column]) -> str:
    heads = ["", *(title for title, _ in columns)]
    return markdown_table(heads, [_cells(_title(row), records.get(row.name), columns) for row in rows])


def _title(row: Row) -> str:
    return f"{row.title} (`{row.name}`)"


def _cells(title: str, record: Record | None, columns: Sequence[Column]) -> list[str]:
    """The line of a system."""
    if record is None:
        return [title, NOT_YET, *[""] * (len(columns) - 1)]
    return [title, *(cell(record) for _, cell in columns)]


def _five_speakers(records: Records) -> str:
    """The classifiers, and under them what embeddings do that were learned from other people."""
    untrained = "the shipped model, nearest centroid of 20 clips of each (`centroids`)"
    columns = _closed_columns(_closed_accuracy)
    lines = [_cells(untrained, records.get("centroids"), _closed_columns(_few_accuracy))]
    lines += [
        _cells(f"SVM on embeddings of: {_title(row)}", records.get(row.name), columns)
        for row in _rows_of("svm")
    ]
    return "\n".join(
        [_table(_rows_of("accuracy"), records, columns), *(markdown_line(*line) for line in lines)]
    )


def _closed_columns(accuracy: Callable[[Record, str], str]) -> list[Column]:
    return [
        ("`random`, %", lambda record: accuracy(record, "random")),
        ("`blocks`, %", lambda record: accuracy(record, "blocks")),
        *_costs(),
    ]


def _few_accuracy(record: Record, kind: str) -> str:
    return _figure(record, f"centroid/20/{kind}")


def _closed_accuracy(record: Record, kind: str) -> str:
    """With Wilson's interval over the clips where nobody's were missed: drawn speakers then all agree."""
    matrix = next((c for c in record.measured.confusions if c.title == kind), None)
    if matrix is None or any(n for i, row in enumerate(matrix.counts) for j, n in enumerate(row) if i != j):
        return _figure(record, f"accuracy/{kind}")
    clips = sum(map(sum, matrix.counts))
    return _percent(Accuracy.of(kind, proportion_interval(clips, clips)))


def _open_columns(corpus: str) -> list[Column]:
    shots = [(n, k) for n in SHOTS for k in _WAYS_SHOWN]
    return [
        ("EER, %", _cell(f"eer/{corpus}")),
        ("threshold", _threshold),
        ("right yes and no, %", _cell(f"yes-no/{corpus}", interval=False)),
        *((f"{n}-shot {k}-way, %", _cell(f"{n}-shot {k}-way/{corpus}")) for n, k in shots),
        *_costs(_SHARE),
    ]


def _distance_columns() -> list[Column]:
    return [
        column
        for corpus in TESTS
        for column in (
            (f"EER, {corpus}, %", _cell(f"eer-distance/{corpus}")),
            ("right yes and no, %", _cell(f"yes-no-distance/{corpus}", interval=False)),
            *((f"1-shot {k}-way, %", _cell(f"1-shot {k}-way-distance/{corpus}")) for k in _WAYS_SHOWN),
        )
    ]


def _cell(what: str, *, interval: bool = True) -> Callable[[Record], str]:
    return lambda record: _figure(record, what, interval=interval)


def _costs(*further: Column) -> list[Column]:
    return [
        ("parameters", lambda record: _count(record.measured.parameters)),
        ("clips seen", lambda record: _count(record.measured.clips_seen)),
        *further,
        ("training, min", _minutes),
        ("ms a clip", lambda record: f"{record.measured.ms_per_clip:.1f}"),
        ("commit", lambda record: f"`{record.commit}`" + (" (quick)" if record.quick else "")),
    ]


def _share(record: Record) -> str:
    seen = record.measured.clips_seen
    if seen is None:
        return "-"
    share = 100 * seen / default_clips()
    return f"{share:.0f}" if share >= 1 else f"{share:.1f}"


_SHARE: Column = ("share of the default's clips, %", _share)


def _minutes(record: Record) -> str:
    if record.measured.training_minutes is None:
        return "-"
    minutes = f"{record.measured.training_minutes:.1f}"
    return minutes if record.measured.converged else f"{minutes}, **unconverged**"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _figure(record: Record, what: str, *, interval: bool = True) -> str:
    found = _find(record, what)
    return "-" if found is None else _percent(found, interval=interval)


def _threshold(record: Record) -> str:
    found = _find(record, "threshold")
    return "-" if found is None else f"{found.value:.3f}"


def _find(record: Record, what: str) -> Accuracy | None:
    return next((figure for figure in record.measured.figures if figure.what == what), None)


def _percent(found: Accuracy, *, interval: bool = True) -> str:
    value = f"{100 * found.value:.1f}"
    return f"{value} ({100 * found.low:.1f} to {100 * found.high:.1f})" if interval else value


def verdicts(records: Records) -> str:
    """Whether the default's encoder beats the systems it is compared with, figure by figure."""
    pairs = [(ours, rival) for ours in _OURS for rival in _RIVALS]
    beats = (f"`{ours}` beats `{rival}`{_so_far(records.get(rival))}" for ours, rival in pairs)
    rows = [
        [
            figure,
            corpus,
            *(_verdict(records.get(ours), records.get(rival), figure, corpus) for ours, rival in pairs),
        ]
        for figure in ("EER", *(f"1-shot {k}-way" for k in _WAYS_SHOWN))
        for corpus in TESTS
    ]
    return markdown_table(["figure", "corpus", *beats], rows)


_OURS = ("default", "default-without-teacher")
_RIVALS = ("voicemap", "voicemap-3s", "lstm-triplet")


def _verdict(ours: Record | None, rival: Record | None, figure: str, corpus: str) -> str:
    """Ours by cosine, the other by whichever of cosine and distance it was measured by is better."""
    if ours is None or rival is None:
        return NOT_YET
    key = "eer" if figure == "EER" else figure
    own = _find(ours, f"{key}/{corpus}")
    others = [
        found for way in (key, f"{key}-distance") if (found := _find(rival, f"{way}/{corpus}")) is not None
    ]
    if own is None or not others:
        return "-"
    if figure == "EER":
        return _margin(own, min(others, key=lambda other: other.value))
    return _YES_NO[all(own.low > other.high for other in others)]


def _margin(own: Accuracy, other: Accuracy) -> str:
    """By how much an EER is lower, speakers drawn alike for both; `-` where a row kept no draws."""
    if not own.drawn or len(own.drawn) != len(other.drawn):
        return "-"
    drawn = np.subtract(other.drawn, own.drawn)
    interval = bias_corrected(other.value - own.value, drawn)
    margin = _percent(Accuracy.of("margin", interval))
    return f"{_YES_NO[interval.low > 0]}, by {margin}{'' if own.high < other.low else ' †'}"


_YES_NO = {True: "yes", False: "no"}


def _groups(records: Records) -> str:
    """People in a group down, systems across."""
    systems = _rows_of("groups")
    kinds = sorted(
        {
            (group.corpus, group.gender, group.size)
            for row in systems
            if row.name in records
            for group in records[row.name].measured.groups
        }
    )
    rows = [
        [
            *(str(size), corpus, gender, f"{100 / size:.0f}"),
            *(_group_cell(records.get(row.name), corpus, gender, size) for row in systems),
        ]
        for corpus, gender, size in kinds
    ]
    heads = ["people", "corpus", "genders", "chance, %", *(f"{_title(row)}, %" for row in systems)]
    return markdown_table(heads, rows or [[*[""] * 4, *[NOT_YET] * len(systems)]])


def _group_cell(record: Record | None, corpus: str, gender: str, size: int) -> str:
    if record is None:
        return NOT_YET
    found = [g for g in record.measured.groups if (g.corpus, g.gender, g.size) == (corpus, gender, size)]
    if not found:
        return "-"
    group = found[0]
    spread = f"groups {100 * group.lowest:.0f} to {100 * group.highest:.0f}"
    return f"{_percent(group.accuracy)}; {spread}"


def _few_clips(records: Records) -> str:
    record = records.get("centroids")
    columns = [(kind, way) for kind in ("random", "blocks") for way in _WAYS]
    heads = ["clips a speaker", *(f"{_WAYS[way]}, `{kind}`, %" for kind, way in columns)]
    rows = []
    for clips in CLIPS:
        keys = [f"{way}/{clips}/{kind}" for kind, way in columns]
        cells = [NOT_YET] * len(keys) if record is None else [_figure(record, key) for key in keys]
        rows.append([str(clips), *cells])
    return markdown_table(heads, rows)


_WAYS = {"centroid": "nearest centroid", "svm": "SVM"}


def _first_epoch(records: Records) -> str:
    record = records.get("keras-fft-first-epoch")
    if record is None:
        return NOT_YET
    figure = record.measured.figures[0]
    return (
        f"{100 * figure.value:.1f} % (three seeds: {100 * figure.low:.1f} to {100 * figure.high:.1f}; "
        f"`{record.commit}`)."
    )


def _picture(pictures: Mapping[str, str], name: str, title: str) -> str:
    return f"![{title}]({pictures[name]})" if name in pictures else f"({title}: {NOT_YET}.)"


def _machine(records: Records) -> str:
    if not records:
        return "No row has run yet."
    dates = sorted(record.date for record in records.values())
    trial = (
        " **These are quick trials at tiny size, no results.**"
        if any(r.quick for r in records.values())
        else ""
    )
    return (
        f"{len(records)} of {len(ROWS)} rows have run, from {dates[0]} to {dates[-1]}, "
        f"on {platform.machine()}, Python {platform.python_version()}, one thread."
        f"{_cut_short(records)}{trial}"
    )


def _had_less_time(record: Record) -> bool:
    """Whether a smaller cap than usual ended its training."""
    return not record.measured.converged and (record.measured.training_minutes or 0) < 0.9 * CAP_MINUTES


def _so_far(record: Record | None) -> str:
    if record is None or not _had_less_time(record):
        return ""
    return f" (so far: {record.measured.training_minutes:.0f} minutes)"


def _cut_short(records: Records) -> str:
    """The rows that a smaller cap than usual ended, for the head of the page."""
    names = [f"`{name}`" for name, record in records.items() if _had_less_time(record)]
    if not names:
        return ""
    return (
        f" Given less than {CAP_MINUTES:.0f} minutes so far, and to be compared with each other rather than "
        f"with the rest: {', '.join(names)}; the same command without `--cap-minutes` goes on with them."
    )
