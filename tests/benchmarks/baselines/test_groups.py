"""New speakers in groups: nobody twice, equal seeds equal groups, no clip on both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.baselines.groups import Fragments, deal_groups, measure_groups
from benchmarks.baselines.named_speakers import fit_centroids
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.classification.recipes import GroupsConfig

Vectors = NDArray[np.float32]
Names = NDArray[np.str_]
Answer = Callable[[Vectors], Names]

GENDERS = {f"f{i}": "f" for i in range(7)} | {f"m{i}": "m" for i in range(5)}
CONFIG = GroupsConfig(sizes=(3,), rounds=2)


def people(*, clips: int = 12, fragments: int = 5, genders: dict[str, str] = GENDERS) -> Fragments:
    """Speakers each in a direction of their own, all fragments alike."""
    names = [name for name in genders for _ in range(clips * fragments)]
    return Fragments(
        vectors=np.eye(len(genders), dtype=np.float32)[[list(genders).index(name) for name in names]],
        speakers=np.array(names),
        clips=np.array([f"{n}/{i // fragments % clips:02d}" for i, n in enumerate(names)]),
        genders=genders,
    )


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("gender", ["mixed", "same"])
def test_nobody_is_in_two_groups_and_groups_are_of_the_gender_asked(
    size: int, gender: Literal["mixed", "same"]
) -> None:
    groups = deal_groups(GENDERS, size, gender=gender, generator=np.random.default_rng(0))
    members = [name for group in groups for name in group]
    assert len(members) == len(set(members)) == size * len(groups)
    kinds = {len({GENDERS[name] for name in group}) for group in groups}
    assert kinds == {2 if gender == "mixed" else 1}


def test_as_many_groups_are_dealt_as_there_can_be() -> None:
    rng = np.random.default_rng(0)
    assert len(deal_groups(GENDERS, 3, gender="mixed", generator=rng)) == 4  # 12 people
    assert len(deal_groups(GENDERS, 3, gender="same", generator=rng)) == 2 + 1  # of 7 and of 5
    assert deal_groups({"a": "m", "b": "m"}, 2, gender="mixed", generator=rng) == []


def test_equal_seeds_deal_equal_groups() -> None:
    first, second, other = (
        deal_groups(GENDERS, 3, gender="mixed", generator=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_no_clip_is_on_both_sides_and_seconds_are_as_asked() -> None:
    fragments = people()
    sides: list[tuple[Vectors, Names]] = []

    def watch(known: Vectors, speakers: Names) -> Answer:
        sides.append((known, speakers))
        return fit_centroids(known, speakers)

    marked = Fragments(
        vectors=np.concatenate(
            [fragments.vectors, np.unique(fragments.clips, return_inverse=True)[1][:, None]], axis=1
        ).astype(np.float32),
        speakers=fragments.speakers,
        clips=fragments.clips,
        genders=fragments.genders,
    )
    asked: list[set[float]] = []

    def fit(known: Vectors, speakers: Names) -> Answer:
        watch(known[:, :-1], speakers)
        enrolled = set(known[:, -1].tolist())

        def answer(vectors: Vectors) -> Names:
            asked.append(enrolled & set(vectors[:, -1].tolist()))
            return fit_centroids(known[:, :-1], speakers)(vectors[:, :-1])

        return answer

    measure_groups(marked, fit, CONFIG, corpus="made", seed=0)
    assert asked == [set()] * len(asked)
    counts = [count for _, speakers in sides for count in np.unique(speakers, return_counts=True)[1]]
    assert min(counts) >= 15
    assert max(counts) <= 35
    assert len(set(counts)) > 5


def test_a_classifier_that_knows_everybody_is_always_right() -> None:
    mixed, same = measure_groups(people(), fit_centroids, CONFIG, corpus="made", seed=0)
    assert (mixed.gender, mixed.groups, mixed.speakers) == ("mixed", 8, 12)
    assert (same.gender, same.groups) == ("same", 6)
    assert mixed.accuracy.value == mixed.lowest == mixed.highest == 1.0
    assert mixed.accuracy.low == 1 - 3 / 12  # nobody was mistaken, of twelve people


def test_one_that_always_gives_the_same_name_is_right_by_chance() -> None:
    def first(_known: Vectors, speakers: Names) -> Answer:
        return lambda asked: np.repeat(speakers[0], len(asked))

    mixed, _ = measure_groups(people(), first, CONFIG, corpus="made", seed=0)
    assert mixed.accuracy.value == pytest.approx(1 / 3)
    assert mixed.lowest == mixed.highest == pytest.approx(1 / 3)


def test_people_with_too_little_speech_are_left_out() -> None:
    with pytest.raises(TrainingError, match=r"0 speakers have 15 s of speech and some to spare"):
        measure_groups(people(clips=4), fit_centroids, CONFIG, corpus="made", seed=0)
    with pytest.raises(TrainingError, match=r"0 speakers have 15 s"):  # one clip is half of all
        measure_groups(people(clips=2, fragments=20), fit_centroids, CONFIG, corpus="made", seed=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sizes": (1,)}, "groups.sizes"),
        ({"seconds": (35.0, 15.0)}, "groups.seconds"),
        ({"rounds": 0}, "groups.rounds"),
    ],
)
def test_what_makes_no_groups_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GroupsConfig(**values)
