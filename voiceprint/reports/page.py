"""A Report as one HTML page that needs nothing else, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from voiceprint.errors import VoiceprintError
from voiceprint.reports.data import Report
from voiceprint.reports.headline import headline
from voiceprint.reports.sections import confusion_section, method_section, set_section

__all__ = ["render_page", "report_dict", "write_report"]


def render_page(report: Report) -> str:
    """Return the page: styles and charts inside, no script, no request to anywhere."""
    here = files("voiceprint.reports")
    sections = [
        headline(report),
        *map(set_section, report.sets),
        confusion_section(report),
        method_section(report),
    ]
    return Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"{report.title}: how often is it wrong?"),
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        contents=_contents(report),
        body="\n".join(sections),
    )


def report_dict(report: Report) -> dict[str, Any]:
    """Return the report as JSON knows it; a number that is not finite is null."""
    plain: dict[str, Any] = _plain(report)
    return {"format": 1, **plain}


def write_report(report: Report, page: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write the page, and the JSON beside it with the same name.

    Parameters
    ----------
    report : Report
    page : path
        The HTML file.

    Returns
    -------
    tuple of Path
        The page and the JSON.

    Raises
    ------
    VoiceprintError
        If a file cannot be written.
    """
    html, data = Path(page), Path(page).with_suffix(".json")
    if html == data:
        raise VoiceprintError(f"{html}: the JSON goes there; give the page a name that ends in .html")
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        for path, text in (
            (html, render_page(report)),
            (data, json.dumps(report_dict(report), indent=1, allow_nan=False) + "\n"),
        ):
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
    except OSError as error:
        raise VoiceprintError(f"{html}: cannot be written: {error.strerror}") from error
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
