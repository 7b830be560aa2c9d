"""Reports: what models do on sets of clips, measured, and written as one HTML page and as JSON.

- `hear` embeds a corpus with a model; `measure_set` measures one or more models on it.
- `write_report` writes a `Report`: the page answers "how often will it let the wrong person in?" first.
"""

from voiceprint.reports.classifiers import read_confusion
from voiceprint.reports.data import Confusion, Report, SetReport, SystemReport
from voiceprint.reports.measure import (
    Heard,
    Settings,
    describe_environment,
    describe_model,
    fitted_note,
    hear,
    limit_clips,
    measure_set,
)
from voiceprint.reports.page import (
    render_figures,
    render_page,
    report_dict,
    write_figures,
    write_report,
)
from voiceprint.reports.verification import reliability_bins

__all__ = [
    "Confusion",
    "Heard",
    "Report",
    "SetReport",
    "Settings",
    "SystemReport",
    "describe_environment",
    "describe_model",
    "fitted_note",
    "hear",
    "limit_clips",
    "measure_set",
    "read_confusion",
    "reliability_bins",
    "render_figures",
    "render_page",
    "report_dict",
    "write_figures",
    "write_report",
]
