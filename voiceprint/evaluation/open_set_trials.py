"""The margins that a search's thresholds are fitted on: stores of many sizes and kinds, simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.calibration import CellScores
from voiceprint.calibration.open_set import GAIN, NEAREST, PEOPLE, mean_of_nearest
from voiceprint.evaluation.calibration_trials import N_ENROLL, SECONDS, SpeakerPart
from voiceprint.scoring import cosine_matrix

MIXED = "all"
"""The name of stores in which the people of all corpora are enrolled together."""

MOST_ON_ONE_KIND = 2.0
"""How many times the rate of all stores together those of one kind may have."""

_LARGEST = 0.75  # of the people are enrolled at most; the others are out of the set
_SMALLEST = 8
_ENOUGH = 3200  # trials of out-of-set speakers in stores of one size
_MOST_DRAWS = 200


def search_trials(
    parts: Mapping[str, Sequence[SpeakerPart]],
    cohort: NDArray[np.float32],
    *,
    n_enroll: Sequence[int] = N_ENROLL,
    seconds: Sequence[float] = SECONDS,
    seed: int = 0,
) -> dict[str, tuple[CellScores, ...]]:
    """Enroll some of the speakers, and take the margin of whoever is nearest to each test clip.

    Stores hold the people of one corpus or of all. Their sizes double from `PEOPLE` up to three quarters of
    all, with as many trials of each; everybody else is out of the set. A target trial is the margin of the
    right person, a nontarget trial that of the nearest to an out-of-set speaker.

    Parameters
    ----------
    parts : mapping of str to sequence of SpeakerPart
        Embedded speakers, by the kind of recordings: as they are, or degraded.
    cohort : ndarray of shape (n, dim), float32
        The model's.
    n_enroll, seconds
        As for `calibration_trials`.
    seed : int
        Of who is enrolled.

    Returns
    -------
    dict of str to tuple of CellScores
        By kind of store, for `fit_pooled`; shapes and kinds that have too few people are missing.
    """
    rng = np.random.default_rng([seed, 2])
    cells: dict[str, list[CellScores]] = {}
    for recordings, everybody in parts.items():
        corpora = list(dict.fromkeys(part.corpus for part in everybody))
        groups = {name: [p for p in everybody if p.corpus == name] for name in corpora}
        if len(corpora) > 1:
            groups[MIXED] = list(everybody)
        for name, group in groups.items():
            for clips in n_enroll:
                people = _people(group, clips, rng)
                for length in seconds:
                    trials = _Trials.of(people, length, cohort)
                    cell = trials.cell(clips, length, rng)
                    if cell is not None:
                        cells.setdefault(f"{name}, {recordings}", []).append(cell)
    return {kind: tuple(of_kind) for kind, of_kind in cells.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Person:
    """A voiceprint (dim,), None where there are too few clips, and the test clips that it is not made of."""

    voiceprint: NDArray[np.float32] | None
    tests: Mapping[float, NDArray[np.float32]]


def _people(parts: Sequence[SpeakerPart], n_enroll: int, rng: np.random.Generator) -> list[_Person]:
    """Make a voiceprint of one part of each speaker's clips, and keep the tests of the other."""
    of_speaker: dict[tuple[str, str], list[SpeakerPart]] = {}
    for part in parts:
        of_speaker.setdefault((part.corpus, part.speaker), []).append(part)
    people = []
    for both in of_speaker.values():
        made = [part.voiceprints(n_enroll, rng) for part in both]
        place = next((i for i, of_part in enumerate(made) if len(of_part)), None)
        tests = both[1 - place if place is not None and len(both) > 1 else 0]
        enrolled = None if place is None or len(both) < 2 else made[place][0]
        people.append(_Person(voiceprint=enrolled, tests=tests.tests))
    return people


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trials:
    """Every test clip of one length against every voiceprint.

    Parameters
    ----------
    scores : ndarray of shape (clips, voiceprints)
    voices : ndarray of shape (clips, `NEAREST`)
        The highest scores of the cohort.
    who : ndarray of shape (clips,)
        The speaker, by number.
    enrolled : ndarray of shape (voiceprints,)
        Whose voiceprints they are, by number.
    """

    scores: NDArray[np.float64]
    voices: NDArray[np.float64]
    who: NDArray[np.int64]
    enrolled: NDArray[np.int64]

    @classmethod
    def of(cls, people: Sequence[_Person], seconds: float, cohort: NDArray[np.float32]) -> _Trials:
        """Score everybody."""
        able = [(i, person.voiceprint) for i, person in enumerate(people) if person.voiceprint is not None]
        dim = cohort.shape[1]
        clips = np.concatenate([person.tests[seconds].reshape(-1, dim) for person in people])
        voiceprints = np.array([voiceprint for _, voiceprint in able]).reshape(-1, dim)
        return cls(
            scores=cosine_matrix(clips, voiceprints).astype(np.float64),
            voices=np.sort(cosine_matrix(clips, cohort), axis=1)[:, -NEAREST:].astype(np.float64),
            who=np.repeat(np.arange(len(people)), [len(person.tests[seconds]) for person in people]),
            enrolled=np.array([i for i, _ in able], dtype=np.int64),
        )

    @property
    def sizes(self) -> list[int]:
        """Numbers of people to enroll; none where there are too few."""
        most = min(len(self.enrolled), int(_LARGEST * len(np.unique(self.who))))
        doubled = [PEOPLE << times for times in range(10) if PEOPLE << times < most]
        return [*doubled, most] if most >= _SMALLEST else []

    def cell(self, n_enroll: int, seconds: float, rng: np.random.Generator) -> CellScores | None:
        """Margins in stores of all sizes, as many of each; None where there are too few people."""
        targets, nontargets = [], []
        for size in self.sizes:
            found = 0
            for _ in range(_MOST_DRAWS):
                best, own, known = self._search(rng.permutation(len(self.enrolled))[:size])
                targets.append(own)
                nontargets.append(best[~known])
                found += len(nontargets[-1])
                if found >= _ENOUGH:
                    break
        if not sum(map(len, targets)) or not sum(map(len, nontargets)):
            return None
        people = len(np.unique(self.who))
        return CellScores(
            n_enroll=n_enroll,
            seconds=seconds,
            targets=np.concatenate(targets),
            nontargets=np.concatenate(nontargets),
            n_speakers=people,
            n_pairs=people * (people - 1) // 2,
        )

    def _search(
        self, columns: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Margins of the nearest (clips,), margins of the speakers who are enrolled, and who is (clips,)."""
        scores, enrolled = self.scores[:, columns], self.enrolled[columns]
        top = -np.partition(-scores, min(NEAREST, len(columns) - 1), axis=1)[:, : NEAREST + 1]
        best = top.max(axis=1)
        # Whoever is best is no rival.
        highest = np.concatenate([top, self.voices], axis=1)
        rivals = mean_of_nearest(np.where(highest == best[:, None], -1.0, highest))
        matches = self.who[:, None] == enrolled
        known = matches.any(axis=1)
        return best - GAIN * rivals, scores[matches] - GAIN * rivals[known], known
