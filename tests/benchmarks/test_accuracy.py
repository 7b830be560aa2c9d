"""Verification and identification measured over a corpus: the answers are those of Verifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.identification import Draw, draw, identify, summary
from benchmarks.accuracy.people import TestClips as Clips
from benchmarks.accuracy.people import measure_people
from benchmarks.accuracy.verification import enroll_everybody, measure_trials
from benchmarks.program import BenchmarkError
from voiceprint.corpus import Corpus
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel

Measured = dict[str, list[CandidateClip]]
ENROLLED = ("small/ada", "small/bert", "small/cleo")

Voice = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="module")
def people(corpus: Corpus, model: SpeakerModel) -> Measured:
    measured, without_decision = measure_people(corpus, model, jobs=1)
    assert without_decision == 0
    return measured


@pytest.mark.parametrize("far", [0.5, 0.05, 0.01])
def test_clips_are_identified_as_the_verifier_does(
    tmp_path: Path, corpus: Corpus, people: Measured, model: SpeakerModel, far: float
) -> None:
    with Verifier(tmp_path / "store", model=model) as verifier:
        for name in ENROLLED:
            verifier.enroll_measured(name, people[name][:2])
        left = {name: clips[2:] for name, clips in people.items()}
        found = identify(verifier, Clips.of(left), far)
        paths = [corpus[index].path for indices in corpus.by_speaker.values() for index in indices[2:]]
        answers = [verifier.identify(path, far=far) for path in paths]
    speakers = [name for name, clips in left.items() for _ in clips]
    nearest = [answer.matches[0].name for answer in answers]
    assert found.named.tolist() == [bool(answer) for answer in answers]
    assert found.first.tolist() == [name == best for name, best in zip(speakers, nearest, strict=True)]
    assert found.out_of_set.tolist() == [name not in ENROLLED for name in speakers]


def test_clips_are_verified_as_the_verifier_does(
    tmp_path: Path, corpus: Corpus, people: Measured, model: SpeakerModel
) -> None:
    with Verifier(tmp_path / "store", model=model) as verifier:
        left, refused = enroll_everybody(verifier, people, 2, np.random.default_rng(3))
        assert len(left) + len(refused) == 6 and {len(clips) for clips in left.values()} == {2}
        found = measure_trials(verifier, Clips.of(left), np.random.default_rng(0))
        answers = [
            (name == claimed, bool(verifier.verify(claimed, clip.report.source, far=0.05)))
            for name, clips in left.items()
            for clip in clips
            for claimed in left
        ]
    targets = [accepted for target, accepted in answers if target]
    impostors = [accepted for target, accepted in answers if not target]
    assert (found["target_trials"], found["nontarget_trials"]) == (len(targets), len(impostors))
    assert found["at"]["0.05"]["false_accepts"] == pytest.approx(np.mean(impostors))
    assert found["at"]["0.05"]["false_rejects"] == pytest.approx(1 - np.mean(targets))


def test_whoever_has_too_few_clips_is_named(tmp_path: Path, people: Measured, model: SpeakerModel) -> None:
    few = {"ada": people["small/ada"], "bert": people["small/bert"][:2]}
    with Verifier(tmp_path / "store", model=model) as verifier:
        left, refused = enroll_everybody(verifier, few, 2, np.random.default_rng(0))
    assert (list(left), refused) == (["ada"], ["bert has 2 clips"])


def test_a_draw_needs_people_who_can_be_enrolled(people: Measured, model: SpeakerModel) -> None:
    with pytest.raises(BenchmarkError, match="6 of 6 people cannot be enrolled with 2 clips each"):
        draw(people, 6, 2, model, 0.01, rng=np.random.default_rng(0))
    found = draw(people, 3, 2, model, 0.01, rng=np.random.default_rng(0))
    assert (found.out_of_set.sum(), len(found.named)) == (12, 18)


def test_draws_are_summed_up() -> None:
    quiet = Draw(
        out_of_set=np.array([True, True, False, False]),
        first=np.array([False, False, True, False]),
        named=np.array([False, False, True, True]),
    )
    loud = Draw(
        out_of_set=np.array([True, True]), first=np.array([False, False]), named=np.array([True, False])
    )
    found = summary(5, [quiet, loud])
    assert found == {
        "enrolled": 5,
        "strangers_clips": 4,
        "strangers_named": 0.25,
        "strangers_named_worst_draw": 0.5,
        "known_clips": 2,
        "rank_1": 0.5,
        "named_right": 0.5,
        "named_wrong": 0.5,
    }
