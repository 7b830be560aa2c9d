"""ScoredTrials, and score files: ``enroll test score``, or CSV with the header ``enroll,test,score``."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrialError
from voiceprint.trials.formats import Style, claim, read_trial_file, write_rows
from voiceprint.trials.lists import Trial, TrialList

COLUMNS = ("enroll", "test", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredTrial:
    """A trial that has no score, and why."""

    trial: Trial
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredTrials:
    """Trials and their scores; a trial that could not be scored is named and has none.

    Parameters
    ----------
    scores : NDArray of float64 (n,)
        Their scores; higher means more likely the same person.

    Examples
    --------
    >>> from voiceprint.trials import make_trials
    >>> trials = make_trials(corpus)
    >>> scored = ScoredTrials(trials=trials, scores=np.where(trials.target, 1.0, 0.0))
    >>> len(scored.target_scores), len(scored.nontarget_scores)
    (50, 250)
    """

    trials: TrialList
    scores: NDArray[np.float64]
    unscored: tuple[UnscoredTrial, ...] = ()

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.trials),):
            raise TrialError(f"{len(self.trials)} trials have scores of shape {self.scores.shape}")
        if not np.isfinite(self.scores).all():
            worst = self.trials[int(np.flatnonzero(~np.isfinite(self.scores))[0])]
            raise TrialError(
                f"the score of {worst.enroll.name!r} against {worst.test!r} is not a finite number"
            )

    @property
    def target_scores(self) -> NDArray[np.float64]:
        """Scores of the target trials."""
        return self.scores[self.trials.target]

    @property
    def nontarget_scores(self) -> NDArray[np.float64]:
        """Scores of the nontarget trials."""
        return self.scores[~self.trials.target]


def write_scores(scored: ScoredTrials, path: str | os.PathLike[str], *, style: Style = "kaldi") -> None:
    """Write the scores, whole or not at all; a trial without a score has no line.

    Parameters
    ----------
    style : {'voxceleb', 'kaldi', 'csv'}
        ``csv`` holds names with spaces; the others are the same: ``enroll test score``.

    Raises
    ------
    TrialError
        If a name does not fit the style, or the file cannot be written.

    Examples
    --------
    >>> from voiceprint.trials import make_trials
    >>> trials = make_trials(corpus)
    >>> scored = ScoredTrials(trials=trials, scores=np.where(trials.target, 1.0, 0.0))
    >>> write_scores(scored, "scores.txt")
    >>> len(Path("scores.txt").read_text().splitlines())
    300
    """
    values = (f"{score:.9g}" for score in scored.scores)
    write_rows(path, scored.trials, values, style=style, columns=COLUMNS)


def read_scores(path: str | os.PathLike[str], trials: TrialList) -> ScoredTrials:
    """Read the scores of a trial list, by this or another system.

    Parameters
    ----------
    trials : TrialList
        The trials; one that the file does not score is among ``unscored``.

    Raises
    ------
    TrialError
        If the file cannot be read, a score is no finite number, or a line scores no trial of the list or one
        scored before; the message begins with file and line.

    Examples
    --------
    >>> from voiceprint.trials import make_trials
    >>> trials = make_trials(corpus)
    >>> scored = ScoredTrials(trials=trials, scores=np.where(trials.target, 1.0, 0.0))
    >>> write_scores(scored, "scores.txt")
    >>> len(read_scores("scores.txt", trials).scores)
    300
    """
    file = Path(path)
    models = {n: i for i, m in enumerate(trials.models) for n in (m.name, claim(m, "csv"))}
    tests = {test: i for i, test in enumerate(trials.tests)}
    trial_keys = trials.enroll.astype(np.int64) * len(tests) + trials.test
    order = np.argsort(trial_keys)
    rising = trial_keys[order]
    scores = np.full(len(trials), np.nan)
    for number, enroll, test, text in _lines(file):
        key = models.get(enroll, -1) * len(tests) + tests.get(test, -1)
        place = int(np.searchsorted(rising, key))
        if enroll not in models or test not in tests or place == len(rising) or rising[place] != key:
            raise TrialError(f"{file}:{number}: {enroll!r} against {test!r} is not in the trial list")
        if not math.isnan(scores[order[place]]):
            raise TrialError(f"{file}:{number}: {enroll!r} against {test!r} has a score already")
        scores[order[place]] = _score(text, f"{file}:{number}")
    there = ~np.isnan(scores)
    return ScoredTrials(
        trials=trials.select(there),
        scores=scores[there],
        unscored=tuple(
            UnscoredTrial(trial=trials[int(i)], reason=f"{file} has no score for it")
            for i in np.flatnonzero(~there)
        ),
    )


def _lines(file: Path) -> Iterator[tuple[int, str, str, str]]:
    text = read_trial_file(file)
    as_csv = text.lstrip().startswith(",".join(COLUMNS))
    rows = (
        csv.reader(io.StringIO(text, newline="")) if as_csv else (line.split() for line in io.StringIO(text))
    )
    for number, row in enumerate(rows, start=1):
        if not row or (as_csv and number == 1):
            continue
        if len(row) != 3:
            raise TrialError(f"{file}:{number}: has {len(row)} fields and not 3: enroll, test, score")
        yield number, row[0], row[1], row[2]


def _score(text: str, where: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise TrialError(f"{where}: score {text!r} is not a finite number; leave a trial without score out")
    return score
