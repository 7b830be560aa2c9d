"""``metrics.jsonl``, the log of a run: a line a step, appended while training and read by everything else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voiceprint.files.whole import write_whole

_FILE = "metrics.jsonl"


def append_metrics(run: Path, line: Mapping[str, Any]) -> None:
    """Append the line of a step."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / _FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run, one a step; a last line still being written is left out."""
    path = run / _FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def cut_metrics(run: Path, *, after: int) -> None:
    """Drop the lines of steps after ``after``, and a last line that was cut while it was written."""
    path = run / _FILE
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    write_whole(path, "".join(f"{line}\n" for line in lines if _step_of(line) <= after))


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError):  # the line that was being written when the run was killed
        return math.inf
