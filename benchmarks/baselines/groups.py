"""New speakers in small groups: a few seconds of each to learn from, then which of the group is it.

The protocol of transfer-learning studies: the features were trained on other people, if at all. Speakers are
dealt into groups, each gives 15 to 35 s of speech, a classifier is trained on these, and is asked about one
second of other clips of the same people. With more people to tell apart, accuracy falls towards chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.named_speakers import Fit
from benchmarks.baselines.records import Accuracy, GroupFigure
from voiceprint.audio import SAMPLE_RATE
from voiceprint.corpus import Corpus
from voiceprint.errors import TrainingError
from voiceprint.metrics import accuracy_interval
from voiceprint.training.classification.recipes import GroupsConfig
from voiceprint.training.classification.speech import map_speech
from voiceprint.training.classification.vectors import VectorsConfig, describer

Gender = Literal["mixed", "same"]

_GENDERS: tuple[Gender, ...] = ("mixed", "same")

_MOST_ENROLLED = 2 / 3  # of a speaker's fragments; the others are asked about


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

        Speakers with a third of their speech in one clip are left out: nothing might be left to ask about.
        """
        needed = config.seconds[0] / config.fragment / _MOST_ENROLLED
        enough = {}
        for name, gender in self.genders.items():
            _, lengths = np.unique(self.clips[self.speakers == name], return_counts=True)
            if lengths.sum() >= needed and lengths.max() < (1 - _MOST_ENROLLED) * lengths.sum():
                enough[name] = gender
        return enough


def fragment_vectors(config: VectorsConfig, corpus: Corpus, *, seconds: float) -> Fragments:
    """Cut the speech of a corpus into fragments and describe each by one vector.

    Parameters
    ----------
    corpus : Corpus
        Speakers whose gender is known; others are left out, and so are clips shorter than a fragment.
    """
    known = corpus.filter(lambda u: u.gender in ("f", "m"))
    embed = describer(config)
    rows: list[NDArray[np.float32]] = []
    speakers: list[str] = []
    clips: list[str] = []
    for utterance, cut in map_speech(partial(_cut, seconds=seconds), known):
        parts = [part for part in cut if part.any()]
        if parts:
            rows.append(embed(parts))
            speakers += [utterance.speaker] * len(parts)
            clips += [utterance.id] * len(parts)
    return Fragments(
        vectors=np.concatenate(rows),
        speakers=np.array(speakers),
        clips=np.array(clips),
        genders={u.speaker: u.gender for u in known},
    )


def deal_groups(
    genders: Mapping[str, str], size: int, *, gender: Gender, generator: np.random.Generator
) -> list[tuple[str, ...]]:
    """Deal speakers into as many groups as there can be; nobody is in two.

    Parameters
    ----------
    genders : mapping of str to str
        ``f`` or ``m`` of each speaker.
    gender : {"mixed", "same"}
        Each group has women and men, or only one of them.
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


def measure_groups(
    fragments: Fragments, fit: Fit, config: GroupsConfig, *, corpus: str, seed: int
) -> list[GroupFigure]:
    """Deal groups of every size, mixed and of one gender, and see how often a classifier is right.

    Parameters
    ----------
    fragments : Fragments
        Of speakers that nothing was trained on.
    fit : callable
        The classifier: (known vectors, their speakers) -> a function from vectors to speakers.
    seed : int
        Of groups and enrollment clips.

    Returns
    -------
    list of GroupFigure
        Sizes that no group can be made of are left out.
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
                results.append(_figure(corpus, groups, np.array(rates), gender, generator))
    if not results:
        raise TrainingError(
            f"{len(genders)} speakers have {config.seconds[0]:g} s of speech and some to spare; groups of "
            f"{min(config.sizes)} cannot be made of them"
        )
    return results


def _cut(samples: NDArray[np.float32], seconds: float) -> list[NDArray[np.float32]]:
    """Cut samples (n,) at 16 kHz into consecutive fragments; what is left over at the end is dropped."""
    length = round(seconds * SAMPLE_RATE)
    return [samples[start : start + length] for start in range(0, len(samples) - length + 1, length)]


def _slices(names: Sequence[str], size: int, *, count: int | None = None) -> list[tuple[str, ...]]:
    count = len(names) // size if count is None else count
    return [tuple(names[size * group : size * (group + 1)]) for group in range(count)]


def _figure(
    corpus: str,
    groups: Sequence[tuple[str, ...]],
    rates: NDArray[np.float64],
    gender: Gender,
    generator: np.random.Generator,
) -> GroupFigure:
    """Sum up the rates (groups, members) of right answers."""
    members, size = np.array(groups), len(groups[0])
    interval = accuracy_interval(members.ravel(), rates.ravel(), generator=generator)
    return GroupFigure(
        corpus=corpus,
        size=size,
        gender=gender,
        groups=len(groups),
        speakers=len(np.unique(members)),
        accuracy=Accuracy.of(f"{size}/{gender}/{corpus}", interval),
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
