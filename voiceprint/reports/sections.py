"""The sections of a report: one for each set of clips, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from voiceprint.evaluation.results import GroupRow, Report, SetReport, WorstTrial
from voiceprint.html import Raw
from voiceprint.percent import percent
from voiceprint.reports import charts
from voiceprint.reports.charts import Figure
from voiceprint.reports.html import bar, figure, panel, spread, table

_METHOD = (
    "Clips are embedded as verify does it: decoded, their speech detected, embedded. Voiceprints are the "
    "mean of several clips; a score is a cosine. Every voiceprint meets every clip that is not part of it. "
    "Thresholds come from the model's card. Error rates are by the ROC convex hull. Intervals (95 %) say "
    "where the figure lies for other speakers like these: speakers, not trials, are drawn anew with "
    "replacement, for trials share speakers."
)

_KINDS = {
    "gender": "Gender",
    "age": "Age",
    "session": "Recording session",
}


def set_section(measured: SetReport) -> Raw:
    """Everything about one set of clips."""
    metrics = measured.systems[0].main.evaluation.metrics
    meta = (
        f"{measured.n_speakers} speakers, {measured.n_utterances:,} clips, {measured.hours:.1f} h · "
        f"{metrics.n_target:,} right and {metrics.n_nontarget:,} wrong claims · clips "
        f"{measured.fingerprint[:12]}"
    )
    note = f"<p>{escape(measured.note)}</p>" if measured.note else ""
    found = [
        charts.det_figure(measured),
        charts.histogram_figure(measured),
        charts.reliability_figure(measured),
        charts.length_figure(measured),
        *(charts.shots_figure(measured, n) for n in _shots(measured)),
        charts.map_figure(measured),
    ]
    figures = "".join(figure(each) for each in found if isinstance(each, Figure))
    return Raw(
        f'<section id="{escape(measured.name)}"><h2>{escape(measured.name)} '
        f'<small class="meta">{escape(measured.split)}'
        f'</small></h2><p class="meta">{escape(meta)}</p>{note}<div class="figures">{figures}</div>'
        f"{_conditions(measured)}{_groups(measured)}{_worst(measured)}{_unscored(measured)}</section>"
    )


def confusion_section(report: Report) -> Raw:
    """Confusion matrices of classifiers; nothing where none was evaluated."""
    if not report.confusions:
        return Raw("")
    figures = "".join(figure(charts.confusion_figure(each)) for each in report.confusions)
    return Raw(
        '<section id="classifiers"><h2>Who was taken for whom</h2>'
        f'<div class="figures">{figures}</div></section>'
    )


def method_section(report: Report) -> Raw:
    """How it was measured: models, environment, seeds."""
    heads = ("model", "id", "dimensions", "licence")
    models = [
        (name, *(facts.get(key, "") for key in ("id", "dim", "licence")))
        for name, facts in report.models.items()
    ]
    facts = [
        *report.environment.items(),
        *((f"seed of {name}", str(seed)) for name, seed in report.seeds.items()),
    ]
    return Raw(
        '<section id="method"><h2>How it was measured</h2>'
        f"<p>{escape(_METHOD)}</p>"
        f"{panel('Models', '', table(heads, models, text=(0, 1, 3)))}"
        f"{panel('Environment and seeds', '', table(('', ''), facts, text=(0, 1)))}</section>"
    )


def _shots(measured: SetReport) -> list[int]:
    return sorted({result.n for system in measured.systems for result in system.shots})


def _conditions(measured: SetReport) -> str:
    rows = measured.systems[0].conditions
    if not rows:
        return ""
    note = (
        "The same test clips, degraded, against clean voiceprints, at the threshold for 1 % false accepts. "
        "Noise and babble are given by their level below the speech, rooms by their reverberation time."
    )
    return panel("When the recording is poor", note, _rows_table(rows, "condition"))


def _groups(measured: SetReport) -> str:
    rows = measured.systems[0].groups
    if not rows:
        return ""
    note = (
        "Within each group: impostors are of the same group, which is harder than everybody against all. "
        "Sessions: one enrolled clip, of the test clip's session or of another. Groups of fewer than five "
        "speakers are too small to say anything."
    )
    gaps = "".join(f"<p>{escape(text)}</p>" for text in _gaps(rows))
    return panel("Is somebody served worse?", note, _rows_table(rows, "group"), gaps)


def _gaps(rows: Sequence[GroupRow]) -> list[str]:
    gaps = []
    for kind, name in _KINDS.items():
        known = [(row.eer.value, row.name) for row in rows if row.kind == kind and row.eer is not None]
        if len(known) > 1:
            mean, (worst, who) = sum(value for value, _ in known) / len(known), max(known)
            gaps.append(
                f"{name}: EER {percent(mean)} on average over the groups, "
                f"{percent(worst)} for the worst ({who})."
            )
    return gaps


def _rows_table(rows: Sequence[GroupRow], what: str) -> Raw:
    scale = max([0.001, *(row.eer.high for row in rows if row.eer is not None)])
    cells, styles = [], []
    for row in rows:
        styles.append("none" if row.eer is None else "")
        if row.eer is None:
            few = f"too small ({row.n_speakers} {'speaker' if row.n_speakers == 1 else 'speakers'})"
            cells.append((row.name, str(row.n_speakers), few, "", "", ""))
            continue
        decided = (
            ("-", "-") if row.decision is None else (spread(row.decision.p_fa), spread(row.decision.p_miss))
        )
        cells.append((row.name, str(row.n_speakers), bar(row.eer, scale), spread(row.eer), *decided))
    columns = (what, "speakers", "", "equal error rate", "impostors accepted", "right person rejected")
    return table(columns, cells, text=(0, 2), styles=styles, kind="rates")


def _worst(measured: SetReport) -> str:
    trials = measured.systems[0].worst
    if not trials:
        return ""
    parts = [
        table(
            ("said to be", "was", "enrolled", "clip", "score", "LLR"),
            [_worst_row(trial) for trial in trials if trial.target == target],
            caption=caption,
            text=(0, 1, 2, 3),
        )
        for target, caption in (
            (False, "Different people, highest scores"),
            (True, "The same person, lowest scores"),
        )
    ]
    return panel("Closest to a mistake, or past it", "The clips open where they lie on this machine.", *parts)


def _worst_row(trial: WorstTrial) -> tuple[str, ...]:
    return (
        trial.enroll_speaker,
        trial.test_speaker,
        _clip(trial.enroll.split(" ")[0], trial.enroll_path),
        _clip(trial.test, trial.test_path),
        f"{trial.score:.3f}",
        "-" if trial.llr is None else f"{trial.llr:+.1f}",
    )


def _clip(name: str, path: str) -> Raw:
    return Raw(f'<a href="{escape(Path(path).as_uri())}">{escape(name)}</a>')


def _unscored(measured: SetReport) -> str:
    failed = measured.systems[0].failed
    if not failed:
        return ""
    rows = list(failed.items())
    listed = table(("clip", "why"), rows[:50], text=(0, 1))
    return (
        f"<details><summary>{len(rows)} clips could not be scored and are in no figure</summary>"
        f"{listed}</details>"
    )
