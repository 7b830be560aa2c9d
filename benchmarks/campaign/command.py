"""The command line of the campaign: which attacks, for how long, and the table at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from benchmarks.campaign.attacks import ATTACKS
from benchmarks.campaign.running import Attack, Finding, Outcome, run_attacks

MOST_LINES = 8
"""Of a finding that are printed; all of it is in ``finding.txt`` in the case's folder."""


def campaign(
    minutes: Annotated[float, typer.Option(min=0, help="For all attacks together.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same cases.")] = 1,
    only: Annotated[str, typer.Option(help=f"Some attacks: {', '.join(ATTACKS)}.")] = "",
    case: Annotated[int | None, typer.Option(min=0, help="One case of one attack, by its number.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where broken cases are kept.")] = None,
) -> None:
    """Attack the product, and count what it keeps of its promises.

    The exit code is 1 if a promise was broken; the lines below the table say how to see it again.

    Examples: scripts/campaign --minutes 5 --seed 1; scripts/campaign --minutes 240 --only kills,damage;
    scripts/campaign --seed 1 --only damage --case 17
    """
    attacks = _chosen(only)
    if case is not None and len(attacks) != 1:
        raise typer.BadParameter("--case needs one attack: --only NAME")
    place = Path(tempfile.mkdtemp(prefix="voiceprint-campaign-")) if folder is None else folder.resolve()
    with _progress() as progress:
        outcomes = run_attacks(
            attacks, seconds=60 * minutes, seed=seed, folder=place, progress=progress, only=case
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(outcome_table(outcomes))
    findings = [finding for outcome in outcomes for finding in outcome.findings.values()]
    for finding in findings:
        console.print(Text(reproduction(finding)))
    if findings:
        raise typer.Exit(1)
    if folder is None:
        shutil.rmtree(place, ignore_errors=True)


def _chosen(only: str) -> list[Attack]:
    names = [name.strip() for name in only.split(",") if name.strip()] or list(ATTACKS)
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        raise typer.BadParameter(f"no attack is called {unknown[0]!r}; there are {', '.join(ATTACKS)}")
    return [ATTACKS[name] for name in names]


def outcome_table(outcomes: Sequence[Outcome]) -> Table:
    """Return a row for each attack: its promise, how the cases ended, and how often it was broken."""
    table = Table("attack", "promise", "cases", "how they ended", "broken")
    for outcome in outcomes:
        endings = ", ".join(f"{ending} {count:,}" for ending, count in outcome.endings.most_common())
        broken = Text(str(outcome.n_broken), style="bold red" if outcome.findings else "green")
        attack = outcome.attack
        table.add_row(attack.name, attack.promise, f"{outcome.n_cases:,}", endings or "-", broken)
    return table


def reproduction(finding: Finding) -> str:
    """Return what was broken and the command that shows it again."""
    case = finding.case
    again = f"scripts/campaign --seed {case.seed} --only {case.attack} --case {case.number}"
    lines = finding.what.rstrip().splitlines()
    shown = lines if len(lines) <= MOST_LINES else ["...", *lines[-MOST_LINES:]]
    what = "\n".join(line[:400] for line in shown)
    return f"\nBROKEN: {what}\n  again: {again}\n  kept:  {case.folder}"


@contextmanager
def _progress() -> Iterator[_Bar]:
    columns = (TextColumn("{task.description:12}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


class _Bar:
    """A bar for each attack that has begun."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, attack: Attack, share: float) -> None:
        if attack.name not in self._tasks:
            self._tasks[attack.name] = self._progress.add_task(attack.name, total=1.0)
        self._progress.update(self._tasks[attack.name], completed=share)


def app() -> typer.Typer:
    """Return the command line."""
    holder = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    holder.command()(campaign)
    return holder


def main() -> None:
    """Run the command line and exit."""
    app()(prog_name="scripts/campaign")
