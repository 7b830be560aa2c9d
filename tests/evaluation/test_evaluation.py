from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpus import write_small_corpus

from voiceprint.audio import read_audio
from voiceprint.audio.clips import read_clip, samples_to_embed
from voiceprint.calibration import Decider
from voiceprint.corpus import Corpus
from voiceprint.errors import CalibrationError, TrialError
from voiceprint.evaluation import (
    CachedEmbedding,
    ClipFile,
    EmbeddedClips,
    EmbeddingCache,
    all_pairs,
    calibration_trials,
    corpus_files,
    embed_clips,
    embed_lengths,
    evaluate_scores,
    find_files,
    measure_card,
    score_trials,
    trial_llrs,
)
from voiceprint.metrics import det_curve, eer_hull
from voiceprint.model import SpeakerModel
from voiceprint.scoring import Cohort, centroid, normalize
from voiceprint.trials import EnrollmentModel, TrialList, make_trials


@pytest.fixture(scope="module")
def clips(corpus: Corpus, model: SpeakerModel) -> EmbeddedClips:
    return embed_clips(corpus_files(corpus), model, jobs=1)


def by_hand(**embeddings: list[float]) -> EmbeddedClips:
    return EmbeddedClips(
        names=tuple(embeddings),
        embeddings=normalize(list(embeddings.values())),
        seconds=np.full(len(embeddings), 2.0),
        failed={"broken": "is no audio"},
    )


def trial_list(*trials: tuple[str, str, bool]) -> TrialList:
    """Trials of ``"clip clip"`` against ``"clip"``."""
    models = tuple(dict.fromkeys(enroll for enroll, _, _ in trials))
    tests = tuple(dict.fromkeys(test for _, test, _ in trials))
    return TrialList(
        models=tuple(EnrollmentModel(name=m, clips=tuple(m.split())) for m in models),
        tests=tests,
        enroll=np.array([models.index(enroll) for enroll, _, _ in trials], dtype=np.int32),
        test=np.array([tests.index(test) for _, test, _ in trials], dtype=np.int32),
        target=np.array([target for _, _, target in trials]),
    )


def test_a_clip_is_embedded_as_verify_hears_it(
    corpus: Corpus, model: SpeakerModel, clips: EmbeddedClips
) -> None:
    clip = read_clip(corpus[3].path)
    assert clips.names[3] == corpus[3].id
    np.testing.assert_array_equal(clips.embeddings[3], model.embed([clip.speech])[0])
    assert clips.seconds[3] == clip.quality.seconds_of_speech
    assert not clips.failed


def test_processes_do_not_change_embeddings(
    corpus: Corpus, model: SpeakerModel, clips: EmbeddedClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.evaluation.embedding._WORTH_A_PROCESS", 4)
    again = embed_clips(corpus_files(corpus), model, jobs=2)
    assert again.names == clips.names
    np.testing.assert_array_equal(again.embeddings, clips.embeddings)


def test_what_cannot_be_embedded_is_named(tmp_path: Path, corpus: Corpus, model: SpeakerModel) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    files = [
        ClipFile(name="gone", path=tmp_path / "gone.wav"),
        ClipFile(name="silence", path=tmp_path / "silence.wav"),
        ClipFile(name="good", path=corpus[0].path),
    ]
    clips = embed_clips(files, model, jobs=1)
    assert clips.names == ("good",)
    assert clips.embeddings.shape == (1, model.dim)
    assert set(clips.failed) == {"gone", "silence"}
    assert "gone.wav" in clips.failed["gone"]
    assert "silence" in clips.failed["silence"]


def test_lengths_are_cut_from_the_middle_of_the_speech(corpus: Corpus, model: SpeakerModel) -> None:
    file = corpus_files(corpus)[0]
    at = embed_lengths([file], model, [None, 0.5, 60.0], jobs=1)
    speech = samples_to_embed(read_audio(file.path))
    start = (len(speech) - 8000) // 2
    np.testing.assert_array_equal(at[0.5].embeddings[0], model.embed([speech[start : start + 8000]])[0])
    assert at[0.5].seconds.tolist() == [0.5]
    assert at[60.0].names == ()
    assert "s to embed, and 60 s are asked for" in at[60.0].failed[file.name]


def test_a_stretch_of_a_recording_is_embedded_alone(
    tmp_path: Path, corpus: Corpus, model: SpeakerModel, clips: EmbeddedClips
) -> None:
    first, second = (read_audio(corpus[i].path).samples for i in (0, 4))
    soundfile.write(tmp_path / "both.wav", np.concatenate([first, second]), 16000)
    seconds = len(first) / 16000
    files = [
        ClipFile(name="first", path=tmp_path / "both.wav", stop=seconds),
        ClipFile(name="second", path=tmp_path / "both.wav", start=seconds),
    ]
    stretches = embed_clips(files, model, jobs=1)
    np.testing.assert_allclose(stretches.embeddings, clips.embeddings[[0, 4]], atol=1e-3)


def test_a_second_evaluation_embeds_nothing(
    tmp_path: Path,
    corpus: Corpus,
    model: SpeakerModel,
    clips: EmbeddedClips,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [*corpus_files(corpus), ClipFile(name="gone", path=tmp_path / "gone.wav")]
    with EmbeddingCache(tmp_path, model_id=model.id, dim=model.dim) as cache:
        first = embed_lengths(files, model, [None, 1.0], cache=cache, jobs=1)
    monkeypatch.setattr(model, "embed", None)
    with EmbeddingCache(tmp_path, model_id=model.id, dim=model.dim) as cache:
        second = embed_lengths(files, model, [1.0, None], cache=cache, jobs=1)
    for length in (None, 1.0):
        np.testing.assert_array_equal(second[length].embeddings, first[length].embeddings)
        np.testing.assert_array_equal(second[length].seconds, first[length].seconds)
        assert set(second[length].failed) == {"gone"}
    np.testing.assert_array_equal(first[None].embeddings, clips.embeddings)


def test_the_cache_knows_changed_audio_and_other_models(
    tmp_path: Path, corpus: Corpus, model: SpeakerModel
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(corpus[0].path.read_bytes())
    file = ClipFile(name="a", path=path)
    with EmbeddingCache(tmp_path / "cache", model_id=model.id, dim=model.dim) as cache:
        before = embed_clips([file], model, cache=cache, jobs=1)
        path.write_bytes(corpus[9].path.read_bytes())
        after = embed_clips([file], model, cache=cache, jobs=1)
    assert not np.array_equal(before.embeddings, after.embeddings)
    EmbeddingCache(tmp_path / "cache", model_id="f" * 64, dim=3).close()
    files = list((tmp_path / "cache").glob("*.sqlite"))
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)  # voices are nobody else's business


def _no_database(folder: Path) -> None:
    (folder / f"embeddings-{'a' * 16}.sqlite").write_bytes(b"no database" * 100)


def _no_file(folder: Path) -> None:
    (folder / f"embeddings-{'a' * 16}.sqlite").mkdir()


def _damaged_later(folder: Path) -> None:
    with EmbeddingCache(folder, model_id="a" * 64, dim=3) as cache:
        cache.put(
            {str(i): CachedEmbedding(embedding=np.ones(3, np.float32), seconds=1.0) for i in range(999)}
        )
    file = folder / f"embeddings-{'a' * 16}.sqlite"
    file.write_bytes(file.read_bytes()[:4096] + bytes(len(file.read_bytes()) - 4096))


@pytest.mark.parametrize("spoil", [_no_database, _no_file, _damaged_later])
def test_a_cache_that_cannot_be_used_finds_and_keeps_nothing_and_says_why(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path)
    with EmbeddingCache(tmp_path, model_id="a" * 64, dim=3) as cache:
        assert cache.get(["0", "1"]) == {}
        cache.put({"0": CachedEmbedding(embedding=np.ones(3, dtype=np.float32), seconds=1.0)})
        assert cache.get(["0"]) == {}
        assert str(tmp_path) in cache.trouble


def test_a_cache_below_a_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with EmbeddingCache(tmp_path / "file" / "cache", model_id="a" * 64, dim=3) as cache:
        assert cache.get(["0"]) == {}
        assert "cannot be opened: Not a directory" in cache.trouble


def test_names_are_found_below_a_root_or_in_a_corpus(tmp_path: Path, corpus: Corpus) -> None:
    assert find_files(["a/b.wav"], root=tmp_path)[0].path == tmp_path / "a/b.wav"
    assert find_files([corpus[2].id], corpus=corpus)[0].path == corpus[2].path
    with pytest.raises(TrialError, match=r"1 of 1 clips .* are not in the corpus, such as 'x'"):
        find_files(["x"], corpus=corpus)


def test_scores_are_cosines_with_the_centroid() -> None:
    clips = by_hand(a=[1, 0], b=[0, 1], c=[1, 1])
    scored = score_trials(trial_list(("a", "c", True), ("a b", "c", True), ("a b", "a", False)), clips)
    np.testing.assert_allclose(scored.scores, [np.sqrt(0.5), 1.0, np.sqrt(0.5)], rtol=1e-6)
    averaged = score_trials(trial_list(("a b", "c", True)), clips, averaging="scores")
    np.testing.assert_allclose(averaged.scores, [np.sqrt(0.5)], rtol=1e-6)


def test_trials_that_cannot_be_scored_are_named_and_get_no_number() -> None:
    clips = by_hand(a=[1, 0], b=[0, 1])
    trials = trial_list(("a", "b", True), ("a", "broken", False), ("a broken", "b", True))
    scored = score_trials(trials, clips)
    assert scored.scores.tolist() == [0.0]
    assert [u.reason for u in scored.unscored] == ["broken: is no audio"] * 2
    assert [u.trial.test for u in scored.unscored] == ["broken", "b"]
    with pytest.raises(
        TrialError, match="none of the 1 trials can be scored; the first: broken: is no audio"
    ):
        score_trials(trial_list(("a", "broken", True)), clips)


def test_cohort_normalisation_by_hand() -> None:
    clips = by_hand(a=[1, 0], b=[0.6, 0.8])
    cohort = Cohort(embeddings=normalize([[1, 0], [0, 1]]), speakers=("x", "y"))
    scored = score_trials(trial_list(("a", "b", True)), clips, cohort=cohort, top_k=2)
    # a scores 1 and 0 against the cohort (mean 0.5, deviation 0.5), b scores 0.6 and 0.8 (0.7 and 0.1).
    np.testing.assert_allclose(scored.scores, [((0.6 - 0.5) / 0.5 + (0.6 - 0.7) / 0.1) / 2], rtol=1e-4)


def test_all_pairs_by_hand_and_against_the_trial_list(corpus: Corpus, clips: EmbeddedClips) -> None:
    pairs = all_pairs(normalize([[1, 0], [0, 1], [1, 1]]), ["ada", "bob", "ada"])
    np.testing.assert_allclose(pairs.scores, [0.0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-7)
    assert pairs.is_target.tolist() == [False, True, False]
    pairs = all_pairs(clips.embeddings, [u.speaker_id for u in corpus])
    scored = score_trials(make_trials(corpus), clips)
    for of_pairs, of_list in (
        (pairs.scores[pairs.is_target], scored.target_scores),
        (pairs.scores[~pairs.is_target], scored.nontarget_scores),
    ):
        np.testing.assert_allclose(np.sort(of_pairs), np.sort(of_list), atol=1e-6)
    with pytest.raises(TrialError, match="there are 3 embeddings and 1 speakers"):
        all_pairs(np.eye(3, dtype=np.float32), ["ada"])


def test_the_report_says_what_was_measured(corpus: Corpus, clips: EmbeddedClips, model: SpeakerModel) -> None:
    speakers = {u.id: u.speaker_id for u in corpus}
    scored = score_trials(make_trials(corpus, n_enroll=3), clips)
    calibration = model.card.calibration
    assert calibration is not None
    llrs = trial_llrs(scored, clips, Decider(calibration=calibration))
    card = measure_card(scored, clips, Decider(calibration=calibration))
    report = evaluate_scores(scored, llrs=llrs, card_rates=card, speakers=speakers, repetitions=50)
    assert (report.metrics.n_target, report.metrics.n_nontarget) == (6, 6 * 20)
    assert (report.n_models, report.n_tests, report.n_speakers) == (6, 24, 6)
    assert report.metrics.eer == eer_hull(det_curve(scored.target_scores, scored.nontarget_scores))
    assert report.eer_method == "ROC convex hull"
    assert report.eer_interval is not None
    assert report.eer_interval.low <= report.metrics.eer <= report.eer_interval.high
    assert report.metrics.cllr is not None
    assert [rate.promised for rate in report.card_rates] == [None, 0.05, 0.01, 0.001]
    assert report.notes == ()


def test_ratios_and_decisions_follow_the_shape_of_each_trial(
    corpus: Corpus, clips: EmbeddedClips, model: SpeakerModel
) -> None:
    calibration = model.card.calibration
    assert calibration is not None
    scored = score_trials(make_trials(corpus, n_enroll=2), clips)
    llrs = trial_llrs(scored, clips, Decider(calibration=calibration))
    assert llrs is not None
    rows = clips.rows
    accepted = []
    for trial, score, llr in zip(scored.trials, scored.scores, llrs, strict=True):
        seconds = float(clips.seconds[rows[trial.test]])
        assert llr == pytest.approx(calibration.llr(float(score), n_enroll=2, seconds=seconds))
        accepted.append(score >= calibration.threshold(p_fa=0.05, n_enroll=2, seconds=seconds))
    (rate,) = measure_card(scored, clips, Decider(calibration=calibration), rates=[0.05])
    assert rate.p_fa == np.mean(np.array(accepted)[~scored.trials.target])
    assert rate.p_miss == pytest.approx(np.mean(~np.array(accepted)[scored.trials.target]))


def test_what_is_missing_from_a_report_is_said() -> None:
    clips = by_hand(a=[1, 0], b=[0.9, 0.1], c=[0, 1])
    scored = score_trials(trial_list(("a", "b", True), ("a", "c", False)), clips)
    report = evaluate_scores(scored)
    assert report.metrics.eer == 0.0
    assert (report.eer_interval, report.metrics.cllr) == (None, None)
    assert "it needs to know who speaks" in report.notes[0]
    assert "the scores are not calibrated" in report.notes[1]
    few = evaluate_scores(scored, speakers={"a": "x", "b": "x", "c": "y"})
    assert few.eer_interval is None
    assert "2 speakers are too few" in few.notes[0]


def test_contradictions_with_the_corpus_are_refused() -> None:
    clips = by_hand(a=[1, 0], b=[0.9, 0.1], c=[0, 1])
    scored = score_trials(trial_list(("a", "b", True), ("a", "c", False)), clips)
    with pytest.raises(TrialError, match="1 labels contradict the corpus, such as 'a' against 'b'"):
        evaluate_scores(scored, speakers={"a": "x", "b": "y", "c": "y"})
    with pytest.raises(TrialError, match="who speaks in 'c'"):
        evaluate_scores(scored, speakers={"a": "x", "b": "x"})
    mixed = score_trials(trial_list(("a c", "b", True)), clips)
    with pytest.raises(TrialError, match="'a c' has clips of several people: x, y"):
        evaluate_scores(mixed, speakers={"a": "x", "b": "x", "c": "y"})


def test_one_kind_of_trial_has_no_error_rate() -> None:
    clips = by_hand(a=[1, 0], b=[0, 1])
    with pytest.raises(TrialError, match="there are no nontarget trials"):
        evaluate_scores(score_trials(trial_list(("a", "b", True)), clips))


def test_a_model_is_its_centroid(clips: EmbeddedClips, corpus: Corpus) -> None:
    trials = make_trials(corpus, n_enroll=3, seed=5)
    scored = score_trials(trials, clips)
    rows = clips.rows
    first = trials[0]
    voiceprint = centroid(clips.embeddings[[rows[clip] for clip in first.enroll.clips]])
    assert scored.scores[0] == pytest.approx(float(voiceprint @ clips.embeddings[rows[first.test]]), abs=1e-6)


def test_calibration_trials_have_the_shapes_that_verify_sees(
    tmp_path: Path, model: SpeakerModel, voice: Callable[..., object]
) -> None:
    corpus = write_small_corpus(tmp_path / "small", voice, clips=6, seconds=3.5)
    told: list[tuple[int, int]] = []
    found = calibration_trials(
        corpus, model, n_enroll=(1, 3), seconds=(1.0, 5.0), jobs=1, progress=lambda *done: told.append(done)
    )
    assert list(found) == ["small"]
    cells = found["small"]
    assert [(cell.n_enroll, cell.seconds) for cell in cells] == [(1, 1.0), (1, 5.0), (3, 1.0), (3, 5.0)]
    assert [cell.n_speakers for cell in cells] == [6] * 4
    assert [cell.n_pairs for cell in cells] == [15] * 4
    # Three clips in each of 12 halves: one voiceprint of three, three tests of 1 s, one joined one of 5 s.
    assert (len(cells[2].targets), len(cells[2].nontargets)) == (12 * 3, 12 * 10 * 3)
    assert (len(cells[3].targets), len(cells[3].nontargets)) == (12 * 1, 12 * 10 * 1)
    assert cells[3].targets.mean() > cells[3].nontargets.mean() + 0.3
    assert told[-1] == (6, 6)
    again = calibration_trials(corpus, model, n_enroll=(3,), seconds=(1.0,), jobs=1)
    np.testing.assert_array_equal(np.sort(again["small"][0].targets), np.sort(cells[2].targets))


def test_calibration_trials_need_clips(corpus: Corpus, model: SpeakerModel) -> None:
    lack = r"no trials of 10 clips against 1 s.*of 6 speakers 0 have .*add longer clips"
    with pytest.raises(CalibrationError, match=lack):
        calibration_trials(corpus, model, n_enroll=(10,), seconds=(1.0,), jobs=1)
