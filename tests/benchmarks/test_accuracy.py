"""Verification and identification measured over a corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.people import TestClips as Clips
from benchmarks.accuracy.people import measure_people
from benchmarks.accuracy.verification import enroll_everybody, measure_trials
from voiceprint.corpus import Corpus
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel

Measured = dict[str, list[CandidateClip]]

Voice = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="module")
def people(corpus: Corpus, model: SpeakerModel) -> Measured:
    measured, without_decision = measure_people(corpus, model, jobs=1)
    assert without_decision == 0
    return measured


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
