"""The charts of a report, as inline SVG with the numbers behind them."""

from voiceprint.reports.charts.canvas import Figure
from voiceprint.reports.charts.error_charts import (
    det_figure,
    histogram_figure,
    reliability_chart,
    reliability_figure,
)
from voiceprint.reports.charts.identity_charts import (
    confusion_figure,
    length_figure,
    map_figure,
    shots_chart,
    shots_figure,
)

__all__ = [
    "Figure",
    "confusion_figure",
    "det_figure",
    "histogram_figure",
    "length_figure",
    "map_figure",
    "reliability_chart",
    "reliability_figure",
    "shots_chart",
    "shots_figure",
]
