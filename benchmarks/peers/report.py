"""The comparison as a table for people, JSON for programs, and Markdown for docs/."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.peers.rows import MeasuredRow
from benchmarks.peers.systems import System
from benchmarks.tables import markdown_table
from benchmarks.timing import processor_name

Report = Mapping[str, Any]


def make_report(
    systems: Sequence[System], rows: Sequence[MeasuredRow], speed: Mapping[str, list[float]], *, limit: int
) -> Report:
    """Collect everything measured as JSON values; rates are fractions."""
    return {
        "date": date.today().isoformat(),
        "clips_per_speaker": limit or "all",
        "machine": {
            "processor": processor_name(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("numpy", "onnxruntime", "torch")},
        },
        "systems": [{"id": system.id, "title": system.title} for system in systems],
        "rows": [
            {
                **asdict(measured.row),
                "clips": measured.clips,
                "common_clips": measured.common,
                "speakers": measured.speakers,
                "fingerprint": measured.fingerprint,
                "results": {system: asdict(result) for system, result in measured.results.items()},
                "reasons": measured.reasons,
            }
            for measured in rows
        ],
        "real_time_factor": {
            system: {
                "median": times[len(times) // 2],
                "fastest_tenth": times[len(times) // 10],
                "slowest_tenth": times[9 * len(times) // 10],
                "repetitions": len(times),
            }
            for system, times in speed.items()
        },
    }


def write_report(report: Report, folder: Path | None) -> None:
    """Print the table; write peers.json and peers.md where a folder is given."""
    text = markdown(report)
    print(text)
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (folder / "peers.md").write_text(text + "\n", encoding="utf-8")


def markdown(report: Report) -> str:
    """Render the report as a Markdown table, percentages with intervals, and what failed below it."""
    systems = report["systems"]
    heads = (
        "EER % over all pairs (95 % interval), unless it says accuracy",
        "clips",
        *(system["title"] for system in systems),
    )
    rows = []
    for row in report["rows"]:
        title = row["title"] + (", accuracy %" if row["measure"] == "accuracy" else "")
        rows.append([title, str(row["clips"]), *(_own(row, system["id"]) for system in systems)])
        if row["common_clips"] < row["clips"]:
            cells = [_percent(row["results"][system["id"]]["common"]) for system in systems]
            rows.append(["- the clips that none failed on", str(row["common_clips"]), *cells])
    factors = [_spread(report["real_time_factor"][system["id"]]) for system in systems]
    title = "real-time factor, one thread, 3 s clip, median (fastest to slowest tenth)"
    rows.append([title, "1", *factors])
    return "\n".join([markdown_table(heads, rows), "", *_notes(report)])


def _own(row: Mapping[str, Any], system: str) -> str:
    result = row["results"][system]
    failed = f", {result['failed']} failed" if result["failed"] else ""
    return _percent(result["own"]) + failed


def _spread(factor: Mapping[str, float]) -> str:
    return f"{factor['median']:.5f} ({factor['fastest_tenth']:.5f} to {factor['slowest_tenth']:.5f})"


def _percent(interval: Mapping[str, float]) -> str:
    value, low, high = (100 * interval[key] for key in ("value", "low", "high"))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _notes(report: Report) -> list[str]:
    titles = {system["id"]: system["title"] for system in report["systems"]}
    notes = [
        f"Measured on {report['date']} on {report['machine']['processor']}, Python "
        f"{report['machine']['python']}, onnxruntime {report['machine']['onnxruntime']}, "
        f"torch {report['machine']['torch']}; models "
        + ", ".join(f"{title} `{system}`" for system, title in titles.items())
        + "."
    ]
    if report["clips_per_speaker"] != "all":
        notes.append(f"A trial on {report['clips_per_speaker']} clips a speaker, not a result.")
    for row in report["rows"]:
        notes += [
            f"{titles[system]} on {row['title']}: first failure: {reason}."
            for system, reason in row["reasons"].items()
        ]
    return notes
