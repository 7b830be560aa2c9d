"""Exports and imports of everybody, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.store.figures import Figures, add_rates
from benchmarks.store.processes import run_apart

__all__ = ["exchange"]


def exchange(figures: Figures, store: Path, people: int) -> None:
    """Export and import everybody in each format, and note rates, sizes and memory."""
    for suffix in ("npz", "json"):
        file = store.parent / f"voices.{suffix}"
        for verb, source, target in (
            ("export", store, file),
            ("import", file, store.parent / f"from {suffix}"),
        ):
            done = run_apart(verb, str(source), str(target))
            add_rates(figures, f"{verb} {suffix}", done.whole, people)
            figures[f"{verb} {suffix}, megabytes of memory"] = done.megabytes
        figures[f"megabytes of the {suffix}"] = file.stat().st_size / 1e6
        file.unlink()
