"""Reports: what `voiceprint.evaluation` measured, as one HTML page, as JSON, and as Markdown tables.

`write_report` writes a `voiceprint.evaluation.Report`. The page answers first how often it accepts the wrong
person.
"""

from voiceprint.reports.page import (
    render_page,
    report_dict,
    write_figures,
    write_report,
)

__all__ = ["render_page", "report_dict", "write_figures", "write_report"]
