"""A Report as one HTML page that needs nothing else, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from voiceprint.errors import ArgumentError, VoiceprintError
from voiceprint.evaluation.results import Report
from voiceprint.reports.charts import Figure
from voiceprint.reports.document import document, write_documents
from voiceprint.reports.headline import headline
from voiceprint.reports.html import figure
from voiceprint.reports.sections import confusion_section, method_section, set_section

_BRAND = "voiceprint report"


def render_page(report: Report) -> str:
    """Return the page: styles and charts inside, no script, no request to anywhere.

    Raises
    ------
    ArgumentError
        If nothing was measured: the report has no sets.
    """
    if not report.sets:
        raise ArgumentError("report.sets", report.sets, "one measured set or more")
    sections = [
        headline(report),
        *map(set_section, report.sets),
        confusion_section(report),
        method_section(report),
    ]
    title = f"{report.title}: how often is it wrong?"
    return document(title, "\n".join(sections), brand=_BRAND, contents=_contents(report))


def write_figures(title: str, note: str, figures: Sequence[Figure], page: str | os.PathLike[str]) -> None:
    """Write a page of some charts, made like that of a report.

    Parameters
    ----------
    title, note : str
        Heading, and a sentence below it.

    Raises
    ------
    VoiceprintError
        If the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from voiceprint.reports import write_figures
    >>> write_figures("Ours", "Nothing was drawn.", [], "ours.html")
    >>> "Nothing was drawn." in Path("ours.html").read_text()
    True
    """
    drawn = "".join(map(figure, figures))
    body = f'<section><h1>{escape(title)}</h1><p class="lede">{escape(note)}</p>'
    body += f'<div class="figures">{drawn}</div></section>'
    write_documents({Path(page): document(title, body, brand=_BRAND)})


def report_dict(report: Report) -> dict[str, Any]:
    """Return the report as JSON knows it; a number that is not finite is null.

    Examples
    --------
    >>> from voiceprint.reports import report_dict
    >>> from voiceprint.evaluation import Report
    >>> report = Report(title="Ours", models={}, sets=(), environment={"python": "3.13"}, seeds={})
    >>> report_dict(report)["environment"]
    {'python': '3.13'}
    """
    plain: dict[str, Any] = _plain(report)
    return {"format": 1, **plain}


def write_report(report: Report, page: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write the page, and the JSON beside it with the same name.

    Raises
    ------
    ArgumentError
        If nothing was measured.
    VoiceprintError
        If a file cannot be written.
    """
    html, data = Path(page), Path(page).with_suffix(".json")
    if html == data:
        raise VoiceprintError(f"{html}: the JSON goes there; give the page a name that ends in .html")
    plain = json.dumps(report_dict(report), indent=1, allow_nan=False) + "\n"
    write_documents({html: render_page(report), data: plain})
    return html, data


def _contents(report: Report) -> str:
    anchors = [("answer", "The answer"), *((measured.name, measured.name) for measured in report.sets)]
    if report.confusions:
        anchors.append(("classifiers", "Classifiers"))
    anchors.append(("method", "How it was measured"))
    return "".join(f'<a href="#{escape(target)}">{escape(name)}</a>' for target, name in anchors)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
