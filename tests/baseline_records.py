"""What a row of the table of baselines measured, made up, and the tables of a page."""

from __future__ import annotations

from benchmarks.baselines.records import (
    Accuracy,
    Confusion,
    GroupFigure,
    Measured,
    Record,
)


def tables(page: str) -> list[list[str]]:
    """The tables of a page, each a list of lines."""
    found: list[list[str]] = [[]]
    for line in page.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def record(row: str, measured: Measured) -> Record:
    return Record(row=row, fingerprint="f", commit="abc", date="2026-01-01", quick=False, measured=measured)


MEASURED = Measured(
    parameters=1234567,
    clips_seen=None,
    training_minutes=90.04,
    ms_per_clip=1.25,
    converged=False,
    figures=(
        Accuracy(what="accuracy/blocks", value=0.9, low=0.85, high=0.951),
        Accuracy(what="5-shot 10-way/speechocean762", value=0.5, low=0.4, high=0.6),
    ),
    groups=(
        GroupFigure(
            corpus="voxforge",
            size=3,
            gender="same",
            groups=20,
            speakers=30,
            accuracy=Accuracy(what="3/same/voxforge", value=0.7, low=0.6, high=0.8),
            lowest=0.3,
            highest=1.0,
        ),
    ),
    confusions=(Confusion(title="blocks", names=("a", "b"), counts=((3, 1), (0, 4))),),
)
