"""What ``voiceprint evaluate --conditions`` adds: clip lengths, degraded clips, and groups of people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voiceprint.cli.scoring import ScoringOptions, open_cache
from voiceprint.cli.terminal import print_table, progress_bar
from voiceprint.percent import percent, percent_range

if TYPE_CHECKING:
    from voiceprint.evaluation.results import DecisionRate, GroupRow
    from voiceprint.evaluation.trial_conditions import ConditionsReport
    from voiceprint.metrics import Interval
    from voiceprint.trials import TrialList

__all__ = ["measure_conditions", "print_conditions"]


def measure_conditions(
    trials: TrialList, how: ScoringOptions, *, corpus: Path, seed: int, quiet: bool
) -> ConditionsReport:
    """Measure a trial list of a corpus under every condition."""
    from voiceprint.corpus import read_manifest
    from voiceprint.evaluation.trial_conditions import measure_trials
    from voiceprint.model import SpeakerModel

    opened = SpeakerModel.open(how.model)
    with (
        open_cache(opened, folder=how.cache, caching=not how.no_cache) as cache,
        progress_bar(quiet=quiet) as bar,
    ):
        task = bar.add_task("degrading and embedding", total=None)
        return measure_trials(
            trials,
            read_manifest(corpus),
            opened,
            cache=cache,
            jobs=how.jobs,
            seed=seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def print_conditions(found: ConditionsReport) -> None:
    """Print the tables."""
    rows = [
        ("full" if row.seconds is None else f"{row.seconds:g} s", row.n_speakers, row.eer, row.decision)
        for row in found.lengths
    ]
    _print("speech", rows)
    _print("condition", [_of_group(row) for row in found.conditions])
    if found.groups:
        _print("group", [_of_group(row) for row in found.groups])


Line = tuple[str, int, "Interval | None", "DecisionRate | None"]


def _of_group(row: GroupRow) -> Line:
    return row.name, row.n_speakers, row.eer, row.decision


def _print(what: str, lines: Sequence[Line]) -> None:
    rows = [
        (
            name,
            str(speakers),
            "too few" if eer is None else percent(eer.value),
            "" if eer is None else percent_range(eer.low, eer.high),
            "" if decision is None else percent(decision.p_fa.value),
            "" if decision is None else percent(decision.p_miss.value),
        )
        for name, speakers, eer, decision in lines
    ]
    heads = [what, "speakers", "EER", "95 %", "FAR (1 % asked)", "FRR"]
    print_table(heads, rows, right=heads[1:])
