"""What a row measured, kept as one JSON file a row, so that rows are independent and can be resumed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmarks.program import ROOT
from voiceprint.config import build
from voiceprint.errors import TrainingError
from voiceprint.files.whole import write_whole
from voiceprint.metrics import Interval

# What a figure depends on; documentation and tests may change without making a row out of date.
_CODE = ("voiceprint", "benchmarks", "configs")
_COMMITS_FILE = "commits.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A fraction with its interval for other speakers like these.

    Parameters
    ----------
    what : str
        Its key, such as ``accuracy/blocks`` or ``eer/voxforge``.
    drawn : tuple of float
        The same on speakers drawn anew, who are drawn alike for every row: of an EER, so that the margin
        between two rows has an interval of its own.
    """

    what: str
    value: float
    low: float
    high: float
    drawn: tuple[float, ...] = ()

    @classmethod
    def of(cls, what: str, interval: Interval, drawn: Iterable[float] = ()) -> Accuracy:
        """Give an interval its key."""
        return cls(what=what, value=interval.value, low=interval.low, high=interval.high, drawn=tuple(drawn))


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Who was taken for whom: rows who it was, columns who was answered."""

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigure:
    """Accuracy of naming the speakers of fragments, within groups of new speakers.

    Parameters
    ----------
    size : int
        Speakers in a group; chance is ``1 / size``.
    groups, speakers : int
        Groups that were dealt, and different people in them.
    """

    corpus: str
    size: int
    gender: Literal["mixed", "same"]
    groups: int
    speakers: int
    accuracy: Accuracy
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a system takes.

    Parameters
    ----------
    parameters : int or None
        Numbers that were learned; None where a system keeps as many clips as it needs.
    clips_seen : int or None
        Clips that training drew, repetitions counted; None without training.
    training_minutes : float or None
        None where it was trained elsewhere.
    ms_per_clip : float
        From samples or file to answer or embedding, on one thread.
    """

    parameters: int | None
    clips_seen: int | None
    training_minutes: float | None
    ms_per_clip: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Costs):
    """What running a row gives.

    Parameters
    ----------
    converged : bool
        False where training ended while its dev figure still improved, on fewer clips than the default's.
    verification : Costs or None
        Those of verification, where it is another system than the one that names the five speakers.
    commits : tuple of str
        Those that its networks were trained at, the earliest first.
    """

    converged: bool = True
    figures: tuple[Accuracy, ...] = ()
    groups: tuple[GroupFigure, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    verification: Costs | None = None
    commits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row that ran.

    Parameters
    ----------
    fingerprint : str
        Of the recipe and everything else that the row was asked to do.
    commit : str
        Of the code, with ``+`` where files had been changed since; several, joined by an ellipsis, where a
        network was trained at other commits than the one it was measured at.
    """

    row: str
    fingerprint: str
    commit: str
    date: str
    quick: bool
    measured: Measured

    def write(self, folder: Path) -> None:
        """Write the record, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{self.row}.json", json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path, row: str) -> Record | None:
        """Read the record of a row; None where it has not run."""
        path = folder / f"{row}.json"
        if not path.exists():
            return None
        try:
            return build(cls, json.loads(path.read_text(encoding="utf-8")), where=path.name)
        except ValueError as error:
            raise TrainingError(f"{path}: is not JSON; delete it to run the row again") from error


def fingerprint(*parts: Any) -> str:
    """Hash of recipes (dataclasses) and plain values: equal if and only if they are."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(part: Any) -> Any:
    if isinstance(part, tuple):
        return [_plain(one) for one in part]
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else part


def note_commit(run: Path, *, first_step: int) -> None:
    """Write into a run's folder that its steps from ``first_step`` on are of this commit."""
    before = () if first_step == 1 else trained_at(run)
    if before[-1:] != (commit(),):
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / _COMMITS_FILE, "\n".join((*before, commit())) + "\n")


def trained_at(run: Path) -> tuple[str, ...]:
    """The commits that a run's steps are of, in order; ``?`` for steps that nobody wrote one down for."""
    path = run / _COMMITS_FILE
    return tuple(path.read_text(encoding="utf-8").split()) if path.exists() else ("?",)


@cache
def commit() -> str:
    """The checkout's commit, with ``+`` where code has been changed since.

    It is looked up once: what runs is the code as it was when the program began.
    """
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", *_CODE) else "")
    except (OSError, subprocess.CalledProcessError) as error:
        raise TrainingError(f"{ROOT}: a row names the commit it was run from, and git knows none") from error


def _git(*arguments: str) -> str:
    command: Sequence[str] = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
