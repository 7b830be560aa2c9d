"""Trial and TrialList."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentModel:
    """What a trial claims to be: a name, and the clips it is made of."""

    name: str
    clips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question, whether the person of `enroll` is the person of `test`, and the answer."""

    enroll: EnrollmentModel
    test: str
    target: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialList:
    """Many trials, held as arrays so that ten million fit.

    Parameters
    ----------
    enroll : NDArray of int32 (n,)
        For each trial its place in `models`.
    test : NDArray of int32 (n,)
        For each trial its place in `tests`.
    target : NDArray of bool (n,)
        Whether both are the same person.
    left_out : tuple of str
        What reading or making the list left out, one sentence each.
    """

    models: tuple[EnrollmentModel, ...]
    tests: tuple[str, ...]
    enroll: NDArray[np.int32]
    test: NDArray[np.int32]
    target: NDArray[np.bool_]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> Trial:
        if not -len(self) <= index < len(self):
            raise IndexError(f"trial {index} of {len(self)}")
        return Trial(
            enroll=self.models[self.enroll[index]],
            test=self.tests[self.test[index]],
            target=bool(self.target[index]),
        )

    def __iter__(self) -> Iterator[Trial]:
        return (self[index] for index in range(len(self)))

    @property
    def clips(self) -> tuple[str, ...]:
        """Every clip that the trials need, each once."""
        enrolled = (clip for i in np.unique(self.enroll) for clip in self.models[i].clips)
        tested = (self.tests[i] for i in np.unique(self.test))
        return tuple(dict.fromkeys((*enrolled, *tested)))

    @property
    def self_trials(self) -> int:
        """How many trials test a clip against a model that was made of it, which flatters any system."""
        place = {clip: i for i, clip in enumerate(self.tests)}
        own = {
            (m, place[clip]) for m, model in enumerate(self.models) for clip in model.clips if clip in place
        }
        keys = np.array([m * len(self.tests) + t for m, t in own], dtype=np.int64)
        return int(np.isin(self.enroll.astype(np.int64) * len(self.tests) + self.test, keys).sum())

    def select(self, keep: NDArray[np.bool_]) -> TrialList:
        """Keep the trials where `keep` (n,) is true."""
        return replace(self, enroll=self.enroll[keep], test=self.test[keep], target=self.target[keep])
