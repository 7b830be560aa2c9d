"""Verification and identification measured over a corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.all_pairs import measure_pairs
from benchmarks.accuracy.identification import draw_rates
from benchmarks.accuracy.open_sets import EVERY, WAYS, Person, search, threshold_in
from benchmarks.accuracy.verification import enroll_everybody, measure_people, measure_trials
from voiceprint.corpus import Corpus
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.verifier import Verifier
from voiceprint.evaluation.results import OutOfSetRate
from voiceprint.metrics import Interval
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
        found = measure_trials(verifier, left, np.random.default_rng(0))
        answers = [
            (name == claimed, bool(verifier.verify(claimed, clip.report.source, far=0.05, allow_replay=True)))
            for name, clips in left.items()
            for clip in clips
            for claimed in left
        ]
    targets = [accepted for target, accepted in answers if target]
    impostors = [accepted for target, accepted in answers if not target]
    assert (found["target_trials"], found["nontarget_trials"]) == (len(targets), len(impostors))
    rates = found["at"]["0.05"]
    assert rates["false_accepts"]["value"] == pytest.approx(np.mean(impostors))
    assert rates["false_rejects"]["value"] == pytest.approx(1 - np.mean(targets))
    assert all(rate["low"] <= rate["value"] <= rate["high"] for rate in rates.values())


def test_all_pairs_of_whole_clips_are_compared(corpus: Corpus, model: SpeakerModel) -> None:
    embeddings = model.embed([each.path for each in corpus])
    pairs = [
        (float(embeddings[i] @ embeddings[j]), corpus[i].speaker == corpus[j].speaker)
        for i in range(len(corpus))
        for j in range(i)
    ]
    targets, others = ([score for score, same in pairs if same is kind] for kind in (True, False))
    eer = measure_pairs(corpus, model, jobs=1)
    at = [(np.mean(np.array(targets) < t), np.mean(np.array(others) >= t)) for t in sorted(targets + others)]
    miss, false_accept = min(at, key=lambda rates: abs(rates[0] - rates[1]))
    assert eer.value == pytest.approx((miss + false_accept) / 2, abs=0.02)
    assert eer.low <= eer.value <= eer.high


def test_whoever_has_too_few_clips_is_named(tmp_path: Path, people: Measured, model: SpeakerModel) -> None:
    few = {"ada": people["small/ada"], "bert": people["small/bert"][:2]}
    with Verifier(tmp_path / "store", model=model) as verifier:
        left, refused = enroll_everybody(verifier, few, 2, np.random.default_rng(0))
    assert (list(left), refused) == (["ada"], ["bert has 2 clips"])


def test_rates_are_drawn_against_the_number_of_people() -> None:
    rates = [
        OutOfSetRate(
            asked=0.01,
            named=Interval(value=0.01 * size, low=0.0, high=0.02 * size, level=0.95),
            found=0.9 - 0.01 * size,
            enrolled=size,
            n_out_of_set=100,
            n_known=100,
        )
        for size in (1, 10, 40)
    ]
    drawing = fromstring(draw_rates(rates))
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    words = "".join(drawing.itertext())
    assert "enrolled people, named rightly" in words and "(1.0 % asked)" in words
    lines = [each.get("d", "") for each in drawing.iter() if each.get("class", "").startswith("line")]
    assert [line.count("L") for line in lines] == [2, 2]


def test_one_threshold_serves_all_stores() -> None:
    rng = np.random.default_rng(2)
    people = [Person(corpus="made", clips=dict.fromkeys(EVERY, near(rng))) for _ in range(60)]
    searches = search(people, 30, EVERY, near(rng), rng)
    assert searches.known.sum() == searches.known.size // 2
    assert searches.right[searches.known].all()
    cells = threshold_in({"a": searches, "b": searches}, WAYS["0.4 of both"])
    assert cells["a"] == cells["b"]
    assert cells["a"].endswith(" / 100")
    assert float(cells["a"].split(" / ", maxsplit=1)[0]) <= 1.0


def near(rng: np.random.Generator) -> NDArray[np.float32]:
    rows = 5.0 * rng.normal(size=64) + rng.normal(size=(8, 64))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
