"""Try the cases of each attack for its share of the time, and keep what broke a promise."""

from __future__ import annotations

import itertools
import re
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.world import World, new_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A kind of attack.

    Attributes
    ----------
    promise : str
        What must hold however a case ends, in a few words.
    prepare : callable
        Takes the world and a folder for what the cases share, and lends what tries a case.
    """

    name: str
    promise: str
    prepare: Callable[[World, Path], AbstractContextManager[Attempt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken promise, with what is needed to see it again."""

    case: Case
    what: str

    @property
    def kind(self) -> str:
        """Where a traceback ends, or what stands before the colon; numbers and quoted values do not count."""
        lines = self.what.strip().splitlines()
        said = lines[-3:] if "Traceback" in self.what else [lines[0].partition(": ")[0]]
        return re.sub(r"'[^']*'|\"[^\"]*\"|[0-9a-f]*\d[0-9a-f]*|\S*/\S*", "_", " ".join(said))[:200]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What an attack came to.

    Attributes
    ----------
    findings : dict of str to Finding
        Of each kind of broken promise the first case.
    """

    attack: Attack
    endings: Counter[str] = field(default_factory=Counter)
    n_broken: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def n_cases(self) -> int:
        """How many cases were tried."""
        return self.endings.total() + self.n_broken

    def note(self, finding: Finding) -> None:
        """Count a broken promise, and keep it if there was none of its kind."""
        self.n_broken += 1
        if finding.kind not in self.findings:
            self.findings[finding.kind] = finding
            (finding.case.folder / "finding.txt").write_text(finding.what, encoding="utf-8")


Progress = Callable[[Attack, float], None]
"""Told of an attack under way: which, and the share of its time that has passed."""

MOST_FINDINGS = 10
"""An attack that found so many kinds of broken promises ends: they are enough to begin with."""


def run_attacks(
    attacks: Sequence[Attack],
    *,
    seconds: float,
    seed: int,
    folder: Path,
    progress: Progress,
    only: int | None = None,
) -> list[Outcome]:
    """Run attacks one after the other, each for an equal share of the time.

    Parameters
    ----------
    seconds : float
        For all of them; an attack's last case is finished, and each tries one case at least.
    folder : Path
        Where cases work; those that broke a promise stay there.
    only : int, optional
        One case of each attack, by its number.
    """
    shutil.rmtree(folder / "world", ignore_errors=True)
    world, end = new_world(folder / "world"), time.monotonic() + seconds
    outcomes = []
    for place, attack in enumerate(attacks):
        share = max(0.0, end - time.monotonic()) / (len(attacks) - place)
        outcomes.append(
            _run_attack(
                attack, world=world, seconds=share, seed=seed, folder=folder, progress=progress, only=only
            )
        )
    return outcomes


def _run_attack(
    attack: Attack,
    *,
    world: World,
    seconds: float,
    seed: int,
    folder: Path,
    progress: Progress,
    only: int | None = None,
) -> Outcome:
    outcome, begin = Outcome(attack=attack), time.monotonic()
    shared = folder / attack.name / "shared"
    shutil.rmtree(shared.parent, ignore_errors=True)
    shared.mkdir(parents=True)
    numbers = itertools.count() if only is None else [only]
    cases = (
        Case(seed=seed, attack=attack.name, number=number, folder=shared.parent / f"case-{number}")
        for number in numbers
    )
    first = Case(seed=seed, attack=attack.name, number=0, folder=shared)
    with _noted(first, outcome), attack.prepare(world, shared) as attempt:
        for case in cases:
            _try_case(attempt, case, outcome)
            passed = (time.monotonic() - begin) / max(seconds, 1e-9)
            progress(attack, min(1.0, passed))
            if passed >= 1 or len(outcome.findings) >= MOST_FINDINGS:
                break
    if not outcome.findings:
        shutil.rmtree(shared.parent)
    return outcome


def _try_case(attempt: Attempt, case: Case, outcome: Outcome) -> None:
    shutil.rmtree(case.folder, ignore_errors=True)
    case.folder.mkdir()
    with _noted(case, outcome):
        outcome.endings[attempt(case)] += 1
    if case not in (finding.case for finding in outcome.findings.values()):
        shutil.rmtree(case.folder, ignore_errors=True)


@contextmanager
def _noted(case: Case, outcome: Outcome) -> Iterator[None]:
    """Note a promise that is broken within the block, and any error that no attack expected."""
    try:
        yield
    except BrokenPromiseError as error:
        outcome.note(Finding(case=case, what=str(error)))
    except Exception:
        outcome.note(Finding(case=case, what=traceback.format_exc()))
