from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_cells import shifted
from numpy.typing import NDArray
from small_corpus import write_small_corpus
from typer.testing import CliRunner

from voiceprint.calibration import (
    MOST_ON_ONE,
    CellScores,
    Decider,
    OpenSet,
    OperatingPoint,
    fit_calibration,
    fit_pooled,
    lend_cells,
    pool_cells,
)
from voiceprint.cli import app
from voiceprint.corpus import Corpus
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import CalibrationError, ModelError
from voiceprint.evaluation import (
    EmbeddingCache,
    calibration_trials,
    corpus_files,
    embed_lengths,
    score_trials,
    trial_shape,
)
from voiceprint.evaluation.cohort import FEWEST_OF_A_VOICE, cluster_voices
from voiceprint.evaluation.recalibration import (
    Calibrated,
    calibrate_on_trials,
    write_calibrated,
)
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.trials import make_trials, write_trials

runner = CliRunner()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., object]) -> Corpus:
    return write_small_corpus(tmp_path_factory.mktemp("small"), voice, clips=6, seconds=3.0)


def accepted(scores: CellScores, threshold: float) -> float:
    return float(np.mean(scores.nontargets >= threshold))


def test_a_small_hard_corpus_is_not_outvoted_by_a_large_easy_one() -> None:
    easy, hard = (
        shifted(shift=0.1, n=100_000, n_pairs=780),
        shifted(shift=0.3, n=5000, n_pairs=780, seed=1),
    )
    pooled = fit_calibration([pool_cells([easy, hard])]).cells[0]
    held = fit_pooled({"easy": [easy], "hard": [hard]}).cells[0]
    assert accepted(hard, pooled.threshold(0.01)) > 0.05
    assert accepted(hard, held.threshold(0.01)) == pytest.approx(MOST_ON_ONE * 0.01, abs=1e-12)
    assert accepted(easy, held.threshold(0.01)) < 0.01
    assert (held.slope, held.offset, held.eer) == (pooled.slope, pooled.offset, pooled.eer)


def test_a_corpus_too_small_to_measure_rates_has_no_say_in_them() -> None:
    easy, hard = (
        shifted(shift=0.1, n=100_000, n_pairs=780),
        shifted(shift=0.3, n=5000, n_pairs=15, seed=1),
    )
    pooled = fit_calibration([pool_cells([easy, hard])]).cells[0]
    held = fit_pooled({"easy": [easy], "hard": [hard]}).cells[0]
    # 15 pairs of speakers measure 20 % (3 pairs), and nothing below it.
    assert held.threshold(0.2) > pooled.threshold(0.2)
    assert [held.threshold(rate) for rate in (0.01, 0.001)] == [
        pooled.threshold(rate) for rate in (0.01, 0.001)
    ]


def test_below_what_it_measures_a_corpus_goes_on_along_its_tail() -> None:
    easy, hard = (
        shifted(shift=0.1, n=400_000, n_pairs=78_000),
        shifted(shift=0.3, n=5000, n_pairs=780, seed=1),
    )
    held = fit_pooled({"easy": [easy], "hard": [hard]}).cells[0]
    # The hard corpus measures 1 %; of its law, 0.3 + 3.09 standard deviations are reached in a thousand.
    assert held.threshold(0.001) == pytest.approx(0.3 + 0.1 * 2.88, abs=0.03)


def test_every_pair_of_speakers_counts_the_same() -> None:
    talkative = replace(shifted(shift=0.3, n=30_000, n_pairs=200), nontarget_pairs=np.arange(30_000) % 200)
    quiet = replace(
        shifted(shift=0.1, n=30_000, n_pairs=3800, seed=1), nontarget_pairs=np.arange(30_000) % 3800
    )
    found = fit_calibration([pool_cells([talkative, quiet])], rates=(0.05,)).cells[0].threshold(0.05)
    # One in twenty pairs is of the first corpus, whatever its share of the trials.
    assert 0.05 * accepted(talkative, found) + 0.95 * accepted(quiet, found) == pytest.approx(0.05, abs=0.001)


def test_a_corpus_lends_the_trials_of_its_nearest_shape() -> None:
    many, few = (
        shifted(shift=0.1, n=20_000, n_pairs=780),
        shifted(shift=0.2, n=20_000, n_pairs=780, seed=1),
    )
    more = replace(many, n_enroll=3, nontargets=many.nontargets + 0.05, targets=many.targets + 0.1)
    lent = lend_cells({"many": [many, more], "few": [few]})
    assert lent["many"] == (many, more)
    (_, made) = lent["few"]
    assert (made.n_enroll, made.seconds, made.n_pairs) == (3, 2.0, 780)
    np.testing.assert_allclose(made.nontargets, few.nontargets + 0.05)
    np.testing.assert_allclose(made.targets, few.targets + 0.1)


def test_nothing_is_lent_to_shapes_that_are_far_away_or_that_nobody_shares() -> None:
    near, far = (
        shifted(shift=0.1, n=1000, n_pairs=780),
        replace(shifted(shift=0.1, n=1000, n_pairs=780), n_enroll=5),
    )
    assert [len(cells) for cells in lend_cells({"a": [near, far], "b": [near]}).values()] == [2, 1]
    assert [len(cells) for cells in lend_cells({"a": [replace(near, n_enroll=2)], "b": [near]}).values()] == [
        1,
        1,
    ]


def test_one_corpus_is_calibrated_as_if_there_were_no_pooling() -> None:
    only = shifted(shift=0.1, n=20_000, n_pairs=780)
    assert fit_pooled({"only": [only]}) == fit_calibration([only])


def test_a_shape_that_one_corpus_lacks_is_fitted_to_what_it_lends_and_to_the_others() -> None:
    first, second = (
        shifted(shift=0.1, n=20_000, n_pairs=780),
        shifted(shift=0.2, n=20_000, n_pairs=780, seed=1),
    )
    longer = replace(first, seconds=5.0)
    fitted = fit_pooled({"both": [first, longer], "short": [second]}).cell(n_enroll=1, seconds=5.0)
    alone = fit_calibration([longer]).cells[0]
    assert (fitted.n_speakers, fitted.n_pairs) == (2 * alone.n_speakers, 2 * alone.n_pairs)
    assert fitted.threshold(0.01) > alone.threshold(0.01)


def test_a_trial_list_is_cut_to_every_length_that_its_tests_reach(
    corpus: Corpus, model: SpeakerModel
) -> None:
    trials = make_trials(corpus, n_enroll=2)
    fitted = calibrate_on_trials(trials, corpus, model, seconds=(1.0, 2.0, 30.0), jobs=1)
    assert fitted.calibration.n_enroll == (2,)
    assert fitted.calibration.seconds == (1.0, 2.0)
    # Six speakers with a model of two clips: four tests of their own, thirty of others.
    assert [c.n_target for c in fitted.calibration.cells] == [24, 24]
    assert [c.n_nontarget for c in fitted.calibration.cells] == [180, 180]
    assert fitted.source["speakers"] == 6


def test_trials_that_are_too_few_are_refused(corpus: Corpus, model: SpeakerModel) -> None:
    trials = make_trials(corpus, n_enroll=5, targets=3, nontargets=3)
    with pytest.raises(CalibrationError, match="6 trials are too few to calibrate on at any of the lengths"):
        calibrate_on_trials(trials, corpus, model, seconds=(1.0,), jobs=1)


def calibrated(model: SpeakerModel) -> Calibrated:
    return Calibrated(
        calibration=fit_calibration([shifted(shift=0.1, n=20_000, n_pairs=780)]),
        source={"speakers": 40},
        target_llrs=np.ones(1),
        nontarget_llrs=-np.ones(1),
    )


def test_the_new_folder_has_the_old_encoder_and_the_new_thresholds(
    model: SpeakerModel, tmp_path: Path
) -> None:
    rule = OperatingPoint.cost(p_target=0.01, c_fa=10.0)
    write_calibrated(model, calibrated(model), tmp_path / "new", decision=rule)
    opened = SpeakerModel.open(tmp_path / "new")
    assert opened.id == model.id
    assert opened.card.calibration == calibrated(model).calibration
    assert opened.card.extra["calibrated_on"] == {"speakers": 40}
    assert opened.card.decision == rule


def test_a_folder_is_replaced_only_when_told_to(model: SpeakerModel, tmp_path: Path) -> None:
    write_calibrated(model, calibrated(model), tmp_path / "new")
    with pytest.raises(ModelError, match="exists already"):
        write_calibrated(model, calibrated(model), tmp_path / "new")
    again = write_calibrated(
        SpeakerModel.open(tmp_path / "new"), calibrated(model), tmp_path / "new", overwrite=True
    )
    assert again == read_model_card(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("place", ["site-packages/voiceprint/models/default", "notes"])
def test_nothing_but_a_model_folder_of_ones_own_is_replaced(
    model: SpeakerModel, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "precious.txt").write_text("keep me")
    with pytest.raises(ModelError, match=r"installed package|no model folder"):
        write_calibrated(model, calibrated(model), folder, overwrite=True)
    assert (folder / "precious.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (OperatingPoint(), "false-accept rate 1 %"),
        (OperatingPoint.far(0.0005), "false-accept rate 0.05 %"),
        (OperatingPoint.eer(), "equal error rates"),
        (
            OperatingPoint.cost(p_target=0.01),
            "least cost at a prior of 0.01, a false accept costing 1 misses",
        ),
    ],
)
def test_a_rule_says_itself_in_words(rule: OperatingPoint, said: str) -> None:
    assert str(rule) == said
    assert OperatingPoint.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize(
    "data",
    [{"kind": "luck"}, {"p_fa": 1.0}, {"p_fa": "1"}, {"c_fa": 0.0}, {"kind": "threshold"}, {"colour": 1.0}],
)
def test_a_damaged_rule_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(CalibrationError, match="decision: "):
        OperatingPoint.from_dict(data)


def run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_writes_a_folder_that_verify_can_use(
    corpus: Corpus, model_folder: Path, tmp_path: Path
) -> None:
    manifest = corpus[0].path.parents[1] / "manifest.csv"
    trials = tmp_path / "trials.csv"
    write_trials(make_trials(corpus), trials, style="csv")
    said = run(
        "calibrate", model_folder, trials, "--corpus", manifest, "--split", "test",
        "--far", 0.05, "-o", tmp_path / "new", "--jobs", 1,
    )  # fmt: skip
    assert "calibrated on 6 speakers of" in said
    assert "decides at false-accept rate 5 %" in said
    assert "* extrapolated conservatively" in said  # six people measure no 1 %
    assert "nobody will be accepted" not in said
    assert read_model_card(tmp_path / "new").calibration is not None


@pytest.fixture(scope="module")
def noisy_corpus(
    tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., NDArray[np.float32]]
) -> Corpus:
    """Each clip has a pause of half a second, and noise of its own level throughout."""

    def in_noise(name: str, seed: int, seconds: float) -> NDArray[np.float64]:
        speech = np.concatenate([np.zeros(8000), voice(name, seed, seconds - 0.5)])
        rng = np.random.default_rng(seed)
        return speech + 0.002 * rng.integers(1, 9) * rng.standard_normal(len(speech))

    return write_small_corpus(tmp_path_factory.mktemp("noisy"), in_noise, clips=6, seconds=3.0)


def test_noise_counts_where_it_was_asked_for(
    noisy_corpus: Corpus, model_folder: Path, tmp_path: Path
) -> None:
    corpus = noisy_corpus
    manifest = corpus[0].path.parents[1] / "manifest.csv"
    trials, page = tmp_path / "trials.csv", tmp_path / "reliability.html"
    write_trials(make_trials(corpus), trials, style="csv")
    said = run(
        "calibrate", model_folder, trials, "--corpus", manifest, "--split", "test", "--jobs", 1,
        "--method", "isotonic", "--side-information", "duration,snr", "--figure", page,
        "--p-target", 1e-6, "-o", tmp_path / "new",
    )  # fmt: skip
    assert "nobody will be accepted" in said  # steps end where the evidence does
    assert "goes by noise: " in said
    assert "LLR stated" in said
    assert "Do the log-likelihood ratios mean what they say?" in page.read_text()
    card = read_model_card(tmp_path / "new")
    assert card.calibration is not None
    assert card.calibration.snr is not None
    assert card.calibration.cells[0].step_scores
    assert card.extra["calibrated_on"]["side_information"] == ["duration", "snr"]
    assert card.extra["calibrated_on"]["method"] == "isotonic"

    noise, clip = card.calibration.snr, corpus[0].path
    verifier = Verifier(tmp_path / "store", model=tmp_path / "new")
    verifier.enroll("ada", [u.path for u in corpus][1:3])
    answer = verifier.verify("ada", clip, far=0.05)
    assert answer.seconds_of_speech is not None
    snr_db = verifier.quality(clip).snr_db
    assert snr_db is not None
    plain = card.calibration.threshold(p_fa=0.05, n_enroll=2, seconds=answer.seconds_of_speech)
    assert answer.threshold == pytest.approx(plain - noise.shifts([snr_db])[0])

    # The evaluator decides as verify does.
    found = embed_lengths(corpus_files(corpus), verifier.model, [None], jobs=1)[None]
    assert found.snr_db is not None
    assert found.snr_db[0] == pytest.approx(snr_db)
    with EmbeddingCache(tmp_path, model_id=verifier.model.id, dim=verifier.model.dim) as cache:
        fresh, kept = (
            embed_lengths(corpus_files(corpus), verifier.model, [None], cache=cache, jobs=1)[None].snr_db
            for _ in range(2)
        )
    np.testing.assert_array_equal(fresh, kept)
    listed = make_trials(corpus)
    scored = score_trials(listed, found)
    by_hand = scored.scores + noise.shifts(found.snr_db[[found.rows[listed.tests[t]] for t in listed.test]])
    limits = [
        card.calibration.threshold(p_fa=0.05, n_enroll=1, seconds=found.seconds[found.rows[listed.tests[t]]])
        for t in listed.test
    ]
    decided = Decider(calibration=card.calibration).accepts(
        scored.scores, trial_shape(scored, found), OperatingPoint.far(0.05)
    )
    np.testing.assert_array_equal(decided, by_hand >= limits)


def test_clips_are_heard_in_noise_to_learn_what_it_costs(corpus: Corpus, model: SpeakerModel) -> None:
    plain = calibration_trials(corpus, model, n_enroll=(1,), seconds=(1.0,), jobs=1)[corpus[0].corpus][0]
    noisy = calibration_trials(corpus, model, n_enroll=(1,), seconds=(1.0,), snr=True, jobs=1)
    (found,) = noisy[corpus[0].corpus]
    assert plain.target_snr is None
    assert found.target_snr is not None
    assert found.target_snr.shape == found.targets.shape
    assert len(found.targets) > len(plain.targets)


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ([], "--output FOLDER or --in-place"),
        (["--in-place", "--far", 0.1, "--eer"], "one of --far, --eer and --p-target"),
        (["--in-place"], "one or more --corpus"),
        (["--in-place", "--c-fa", 10], "give --p-target with it"),
        (["--in-place", "--side-information", "weather"], "neither duration nor duration,snr"),
    ],
)
def test_the_command_says_what_is_missing(model_folder: Path, extra: list[object], complaint: str) -> None:
    assert complaint in run("calibrate", model_folder, *extra, code=2)


def test_a_cohort_makes_a_search_decide_over_rivals(model: SpeakerModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    voices = rng.normal(size=(20, model.dim)).astype(np.float32)
    made = Calibrated(
        calibration=fit_calibration([shifted(shift=0.1, n=5000, n_pairs=780)]),
        source={},
        target_llrs=np.zeros(1),
        nontarget_llrs=np.zeros(1),
        open_set=OpenSet(grid=fit_calibration([shifted(shift=0.1, n=5000, n_pairs=780)])),
        cohort=voices / np.linalg.norm(voices, axis=1, keepdims=True),
    )
    card = write_calibrated(model, made, tmp_path / "new")
    opened = SpeakerModel.open(tmp_path / "new")
    assert opened.card.open_set == card.open_set == made.open_set
    assert opened.cohort is not None
    assert made.cohort is not None
    np.testing.assert_allclose(opened.cohort, made.cohort, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(opened.cohort, axis=1), 1.0, atol=1e-6)

    (tmp_path / "new" / "cohort.npz").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelError, match="not the file that the card describes"):
        _ = SpeakerModel.open(tmp_path / "new").cohort
    (tmp_path / "new" / "cohort.npz").unlink()
    with pytest.raises(ModelError, match=r"cohort\.npz: cannot be read"):
        _ = SpeakerModel.open(tmp_path / "new").cohort


def test_a_cohort_that_stays_is_still_of_the_same_speakers(
    corpus: Corpus, model: SpeakerModel, tmp_path: Path
) -> None:
    first = Calibrated(
        calibration=fit_calibration([shifted(shift=0.1, n=5000, n_pairs=780)]),
        source={"speakers": 20, "cohort": {"speakers": 80}},
        target_llrs=np.zeros(1),
        nontarget_llrs=np.zeros(1),
        cohort=np.eye(model.dim, dtype=np.float32)[:4],
    )
    write_calibrated(model, first, tmp_path / "first")
    again = replace(first, source={"speakers": 30})
    card = write_calibrated(SpeakerModel.open(tmp_path / "first"), again, tmp_path / "again")
    assert card.extra["calibrated_on"] == {"speakers": 30, "cohort": {"speakers": 80}}

    manifest, trials = corpus[0].path.parents[1] / "manifest.csv", tmp_path / "trials.csv"
    write_trials(make_trials(corpus), trials, style="csv")
    options = ("--corpus", manifest, "--split", "test", "--in-place", "--jobs", 1)
    said = run("calibrate", tmp_path / "first", trials, *options)
    assert "searches have no thresholds over rivals" in said  # which a trial list cannot give
    assert read_model_card(tmp_path / "first").extra["calibrated_on"]["cohort"] == {"speakers": 80}


def test_a_cohort_s_voices_are_nobody_s(corpus: Corpus, model: SpeakerModel) -> None:
    voices = cluster_voices(corpus, model, jobs=1)
    assert 1 <= len(voices) <= len(corpus.speakers) * 2 // FEWEST_OF_A_VOICE
    np.testing.assert_allclose(np.linalg.norm(voices, axis=1), 1.0, atol=1e-5)
    few = Corpus(u for u in corpus if u.speaker_id in sorted(corpus.speakers)[:2])
    with pytest.raises(CalibrationError, match="too few for a cohort"):
        cluster_voices(few, model, jobs=1)
