"""Measuring models on a corpus: counts that can be checked by hand, and the order of what comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_report import CONFUSED, SETTINGS, measure_small

from voiceprint.corpus import Corpus
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import TrialError
from voiceprint.evaluation import (
    Confusion,
    EmbeddedCorpus,
    SetReport,
    fitted_note,
    limit_clips,
    measure_set,
    read_confusion,
)
from voiceprint.evaluation.benchmark import LabelledEmbeddings, draw_open_sets
from voiceprint.evaluation.identification import measure_out_of_set
from voiceprint.evaluation.verification import count_decisions
from voiceprint.model import SpeakerModel


@pytest.fixture(scope="module")
def measured(corpus: Corpus, embedded: EmbeddedCorpus) -> SetReport:
    return measure_small(corpus, embedded)


def test_a_report_measures_what_the_models_decide(measured: SetReport, embedded: EmbeddedCorpus) -> None:
    ours, peer = measured.systems
    assert [protocol.n_enroll for protocol in ours.protocols] == [1, 2]
    # Six people of four clips, two enrolled: two tests of their own, twenty of others.
    assert (ours.main.evaluation.metrics.n_target, ours.main.evaluation.metrics.n_nontarget) == (12, 120)
    assert [rate.asked for rate in ours.main.decisions] == [0.05, 0.01, 0.001]
    for found, card in zip(ours.main.decisions, ours.main.evaluation.card_rates[1:], strict=True):
        assert found.p_fa.value == pytest.approx(card.p_fa)
        assert found.p_miss.value == pytest.approx(card.p_miss)
        assert found.p_fa.low <= found.p_fa.value <= found.p_fa.high
    assert {row.name for row in ours.groups} >= {"women", "men", "same session", "other session"}
    assert all(row.eer is None for row in ours.groups if row.kind == "gender")  # three speakers each
    assert [row.name for row in ours.conditions] == ["clean", "noise 5 dB"]
    assert [row.seconds for row in ours.lengths] == [1.0, None]
    assert {(result.n, result.k) for result in ours.shots} == {(1, 2), (1, 3)}  # nobody has six clips
    assert (peer.main.decisions, peer.out_of_set, peer.conditions) == ((), (), ())
    assert peer.main.evaluation.metrics.eer == ours.main.evaluation.metrics.eer


def test_the_worst_trials_are_the_worst(measured: SetReport) -> None:
    worst = measured.systems[0].worst
    nontargets = [trial.score for trial in worst if not trial.target]
    targets = [trial.score for trial in worst if trial.target]
    assert nontargets == sorted(nontargets, reverse=True)
    assert targets == sorted(targets)
    assert all((trial.enroll_speaker == trial.test_speaker) == trial.target for trial in worst)
    assert all(Path(trial.test_path).is_file() for trial in worst)


def test_a_note_says_where_thresholds_were_fitted_to_these_people(
    corpus: Corpus, model: SpeakerModel
) -> None:
    source = {"corpora": [corpus[0].corpus], "splits": ["test"]}
    card = replace(model.card, extra={"calibrated_on": source})
    fitted = SpeakerModel(model.folder, card, b"")
    assert "fitted to these very people" in fitted_note(fitted, corpus)
    assert fitted_note(model, corpus) == ""


def test_equal_seeds_make_equal_reports(
    corpus: Corpus, embedded: EmbeddedCorpus, measured: SetReport
) -> None:
    peer = EmbeddedCorpus(name="a peer", clips=embedded.clips)
    assert measure_set(corpus, [embedded, peer], SETTINGS, note="Not people.") == measured


def test_decisions_are_counted_by_hand() -> None:
    claimed = np.array(["a", "a", "b", "b", "c", "a"])
    tested = np.array(["a", "b", "b", "c", "a", "a"])
    counts = count_decisions(np.array([True, True, False, False, True, True]), claimed, tested)
    assert (counts.false_accepts, counts.n_nontarget) == (2, 3)
    assert (counts.misses, counts.n_target) == (1, 3)
    p_fa, p_miss = counts.intervals(seed=0)
    assert (p_fa.value, p_miss.value) == pytest.approx((2 / 3, 1 / 3))
    assert (p_fa.low, p_fa.high) == (0.0, 1.0)  # three speakers say nothing of others


def test_intervals_cover_what_speakers_differ_by() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(100):
        # Whoever is easy to imitate is so for everybody: false accepts come in people, not in trials.
        easy = rng.beta(1.0, 19.0, size=30)
        claimed, tested = (axis.ravel() for axis in np.indices((30, 30)))
        other = claimed != tested
        accepted = ~other | (rng.random(900) < easy[claimed])
        counts = count_decisions(accepted, claimed, tested)
        interval = counts.intervals(seed=seed)[0]
        covered.append(interval.low <= 0.05 <= interval.high)
    assert 85 <= sum(covered) <= 100


def test_no_error_at_all_is_not_taken_for_proof() -> None:
    claimed, tested = (axis.ravel() for axis in np.indices((10, 10)))
    counts = count_decisions(claimed == tested, claimed, tested)
    p_fa, _ = counts.intervals(seed=0)
    assert p_fa.value == 0.0
    assert p_fa.high == pytest.approx(3.0 / 45.0)  # the rule of three, for 45 pairs


def test_out_of_set_speakers_are_named_as_identify_would(embedded: EmbeddedCorpus, corpus: Corpus) -> None:
    speakers = np.array([u.speaker_id for u in corpus])
    assert embedded.decider is not None
    rates = measure_out_of_set(embedded.clips, speakers, embedded.decider, n_enroll=1, seed=0, draws=4)
    assert [rate.asked for rate in rates] == [0.05, 0.01]
    assert rates[0].enrolled == 3
    # Four draws of three people: nine clips of theirs are left, twelve are of out-of-set speakers.
    assert (rates[0].n_known, rates[0].n_out_of_set) == (36, 48)
    assert rates[1].named.value <= rates[0].named.value
    assert measure_out_of_set(embedded.clips, speakers, embedded.decider, n_enroll=4, seed=0) == ()


def test_a_clip_is_named_where_the_verifier_names_it(
    embedded: EmbeddedCorpus, corpus: Corpus, model: SpeakerModel, tmp_path: Path
) -> None:
    speakers = np.array([u.speaker_id for u in corpus])
    labelled = LabelledEmbeddings(embeddings=embedded.clips.embeddings, speakers=speakers)
    (draw,) = draw_open_sets(labelled, n=2, enrolled=3, draws=1, seed=7)
    rates = measure_out_of_set(
        embedded.clips, speakers, model.decider(), n_enroll=2, enrolled=3, rates=(0.5, 0.01), draws=1, seed=7
    )
    enrolled = np.setdiff1d(np.arange(len(speakers)), draw.rows)
    with Verifier(tmp_path / "store", model=model) as verifier:
        for name in np.unique(speakers[enrolled]).tolist():
            verifier.enroll(name, [corpus[i].path for i in enrolled if speakers[i] == name])
        for rate in rates:
            answers = [
                verifier.identify(corpus[i].path, far=rate.asked, allow_replay=True) for i in draw.rows
            ]
            named = np.array([bool(answer) for answer in answers])
            right = np.array([answer.name for answer in answers]) == speakers[draw.rows]
            assert rate.named.value == pytest.approx(named[~draw.known].mean())
            assert rate.found == pytest.approx(right[draw.known].mean())


def test_more_people_than_there_are_cannot_be_enrolled(
    embedded: EmbeddedCorpus, corpus: Corpus, model: SpeakerModel
) -> None:
    speakers = np.array([u.speaker_id for u in corpus])
    with pytest.raises(TrialError, match="6 of 6 speakers cannot be enrolled with 2 clips each"):
        measure_out_of_set(embedded.clips, speakers, model.decider(), n_enroll=2, enrolled=6, seed=0)


def test_a_limit_takes_the_same_clips_every_time(corpus: Corpus) -> None:
    few = limit_clips(corpus, 2, seed=0)
    assert [len(own) for own in few.by_speaker.values()] == [2] * 6
    assert few.fingerprint == limit_clips(corpus, 2, seed=0).fingerprint
    assert {u.id for u in few} < {u.id for u in limit_clips(corpus, 3, seed=0)}


def test_a_confusion_matrix_is_read_from_json(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(json.dumps({"confusion": CONFUSED.to_dict(), "accuracy": 0.875}))
    assert read_confusion(tmp_path / "eval.json") == Confusion(title="eval", matrix=CONFUSED)
    (tmp_path / "named.json").write_text(json.dumps({**CONFUSED.to_dict(), "title": "Two people"}))
    assert read_confusion(tmp_path / "named.json").title == "Two people"
    (tmp_path / "broken.json").write_text("{")
    for name, message in (("broken", "is not JSON"), ("none", "cannot be read"), ("list", "an object")):
        (tmp_path / "list.json").write_text("[]")
        with pytest.raises(TrialError, match=rf"{name}\.json: .*{message}"):
            read_confusion(tmp_path / f"{name}.json")
