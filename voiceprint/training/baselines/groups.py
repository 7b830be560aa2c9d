"""New speakers in small groups: a few seconds of each to learn from, then who of the group is it.

The protocol of transfer-learning studies: the features were trained on other people, if at all. Speakers are
dealt into groups, each gives 15 to 35 s of speech, a classifier is trained on these, and is asked about one
second of other clips of the same people. With more people to tell apart, accuracy falls towards chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import ConfigError, TrainingError
from voiceprint.metrics import Interval, accuracy_interval
from voiceprint.training.baselines.classifiers import Fit

__all__ = ["Fragments", "GroupResult", "GroupsConfig", "deal_groups", "measure_groups"]

Gender = Literal["mixed", "same"]

_GENDERS: tuple[Gender, ...] = ("mixed", "same")

_MOST_ENROLLED = 2 / 3  # of a speaker's fragments; the others are asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsConfig:
    """The ``[groups]`` table of a recipe.

    Parameters
    ----------
    sizes : tuple of int
        Speakers in a group.
    seconds : (float, float)
        Range of the speech that a speaker is known by, in seconds.
    fragment : float
        Seconds that are classified at a time.
    rounds : int
        How often all speakers are dealt into groups anew.
    """

    sizes: tuple[int, ...] = (3, 5, 7, 10)
    seconds: tuple[float, float] = (15.0, 35.0)
    fragment: float = 1.0
    rounds: int = 10

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 2:
            raise ConfigError(f"groups.sizes: {list(self.sizes)}; groups have 2 speakers or more")
        if not 0 < self.fragment <= self.seconds[0] <= self.seconds[1]:
            raise ConfigError(
                f"groups.seconds: {list(self.seconds)} must rise, from at least groups.fragment = "
                f"{self.fragment:g}"
            )
        if self.rounds < 1:
            raise ConfigError(f"groups.rounds: {self.rounds}; give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fragments:
    """Fragments of clips as vectors.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim), float32
    speakers, clips : ndarray of str, shape (n,)
        Who speaks, and which clip each is cut from; fragments of a clip stand together.
    genders : mapping of str to str
        ``f`` or ``m`` of each speaker.
    """

    vectors: NDArray[np.float32]
    speakers: NDArray[np.str_]
    clips: NDArray[np.str_]
    genders: Mapping[str, str]

    def of_enough(self, config: GroupsConfig) -> dict[str, str]:
        """The speakers with enough speech for the shortest enrollment, and their genders.

        Of whom one clip is a third of all is left out: it could leave nothing to ask about.
        """
        needed = config.seconds[0] / config.fragment / _MOST_ENROLLED
        enough = {}
        for name, gender in self.genders.items():
            _, lengths = np.unique(self.clips[self.speakers == name], return_counts=True)
            if lengths.sum() >= needed and lengths.max() < (1 - _MOST_ENROLLED) * lengths.sum():
                enough[name] = gender
        return enough


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """How often the speaker of a fragment was named rightly.

    Parameters
    ----------
    size : int
        Speakers in a group; chance is ``1 / size``.
    gender : {"mixed", "same"}
    groups, speakers : int
        Groups that were dealt, and different people in them.
    accuracy : Interval
        Mean over the members of all groups; the interval is for other speakers like these.
    lowest, highest : float
        Accuracy of the worst and best group.
    """

    size: int
    gender: Gender
    groups: int
    speakers: int
    accuracy: Interval
    lowest: float
    highest: float


def deal_groups(
    genders: Mapping[str, str], size: int, *, gender: Gender, generator: np.random.Generator
) -> list[tuple[str, ...]]:
    """Deal speakers into as many groups as there can be; nobody is in two.

    Parameters
    ----------
    genders : mapping of str to str
        ``f`` or ``m`` of each speaker.
    size : int
        Speakers in a group.
    gender : {"mixed", "same"}
        Each group has women and men, or only one of them.
    generator : numpy.random.Generator
        Of the dealing.
    """
    women, men = (
        [str(name) for name in generator.permutation(sorted(n for n, g in genders.items() if g == code))]
        for code in ("f", "m")
    )
    if gender == "same":
        return [*_slices(women, size), *_slices(men, size)]
    count = min(len(women), len(men), (len(women) + len(men)) // size)
    rest = [str(name) for name in generator.permutation([*women[count:], *men[count:]])]
    return [
        (women[group], men[group], *others)
        for group, others in zip(range(count), _slices(rest, size - 2, count=count), strict=True)
    ]


def measure_groups(fragments: Fragments, fit: Fit, config: GroupsConfig, *, seed: int) -> list[GroupResult]:
    """Deal groups of every size, mixed and of one gender, and see how often a classifier is right.

    Parameters
    ----------
    fragments : Fragments
        Of speakers that nothing was trained on.
    fit : callable
        The classifier: (known vectors, their speakers) -> a function from vectors to speakers.
    config : GroupsConfig
    seed : int
        Of groups and enrollment clips.

    Returns
    -------
    list of GroupResult
        Sizes that no group can be made of are left out.

    Raises
    ------
    TrainingError
        No group of any size can be made.
    """
    genders = fragments.of_enough(config)
    results = []
    for size in config.sizes:
        for place, gender in enumerate(_GENDERS):
            generator = np.random.default_rng([seed, size, place])
            groups = [
                group
                for _ in range(config.rounds)
                for group in deal_groups(genders, size, gender=gender, generator=generator)
            ]
            if groups:
                rates = [_ask(fragments, group, fit, config, generator) for group in groups]
                results.append(_result(groups, np.array(rates), gender, generator))
    if not results:
        raise TrainingError(
            f"{len(genders)} speakers have {config.seconds[0]:g} s of speech and some to spare; groups of "
            f"{min(config.sizes)} cannot be made of them"
        )
    return results


def _slices(names: Sequence[str], size: int, *, count: int | None = None) -> list[tuple[str, ...]]:
    count = len(names) // size if count is None else count
    return [tuple(names[size * group : size * (group + 1)]) for group in range(count)]


def _result(
    groups: Sequence[tuple[str, ...]],
    rates: NDArray[np.float64],
    gender: Gender,
    generator: np.random.Generator,
) -> GroupResult:
    """Sum up the rates (groups, members) of right answers."""
    members = np.array(groups)
    return GroupResult(
        size=len(groups[0]),
        gender=gender,
        groups=len(groups),
        speakers=len(np.unique(members)),
        accuracy=accuracy_interval(members.ravel(), rates.ravel(), generator=generator),
        lowest=float(rates.mean(axis=1).min()),
        highest=float(rates.mean(axis=1).max()),
    )


def _ask(
    fragments: Fragments,
    group: tuple[str, ...],
    fit: Fit,
    config: GroupsConfig,
    generator: np.random.Generator,
) -> list[float]:
    """Fraction of the fragments asked about that are named rightly, for each member."""
    halves = [_enroll(fragments, speaker, config, generator) for speaker in group]
    known = np.concatenate([enrolled for enrolled, _ in halves])
    asked = np.concatenate([others for _, others in halves])
    named = fit(fragments.vectors[known], fragments.speakers[known])(fragments.vectors[asked])
    actual = fragments.speakers[asked]
    return [float(np.mean(named[actual == speaker] == speaker)) for speaker in group]


def _enroll(
    fragments: Fragments, speaker: str, config: GroupsConfig, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows that a speaker is known by, and those asked about: never of one clip."""
    own = np.flatnonzero(fragments.speakers == speaker)
    wanted = round(generator.uniform(*config.seconds) / config.fragment)
    wanted = min(wanted, int(_MOST_ENROLLED * len(own)))
    clips = generator.permutation(np.unique(fragments.clips[own]))
    rows = np.concatenate([own[fragments.clips[own] == clip] for clip in clips])
    last = fragments.clips[rows[wanted - 1]]
    return rows[:wanted], rows[wanted:][fragments.clips[rows[wanted:]] != last]
