"""Classic systems by the commands of every classifier: four synthetic people, GMMs and SVMs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.classification import ClassifierModel, evaluate_classifier
from voiceprint.cli import app
from voiceprint.corpus import Corpus
from voiceprint.corpus.splits import read_people
from voiceprint.errors import AudioError, ConfigError, CorpusError, ModelError, TrainingError, VoiceprintError
from voiceprint.training.classification import (
    ClassicOutcome,
    ClassicRecipe,
    export_classifier,
    load_classifier,
    open_run,
    read_classifier_recipe,
    read_clips,
    train_classic,
)
from voiceprint.training.classification.classic import (
    ClassicClassifier,
    ClassScores,
    GMMSystem,
    SVMSystem,
    directions,
    fit_sharpness,
)
from voiceprint.training.classification.frames import MFCCFrames
from voiceprint.training.classification.gmm import GMM, GMMConfig
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe, SVMRecipe
from voiceprint.training.classification.speaker_gmms import SpeakerGMMs
from voiceprint.training.classification.svm import SVMConfig, fit_svm
from voiceprint.training.classification.vectors import Embeddings

CONFIGS = Path(__file__).parents[3] / "configs"
NAMES = ("ada", "bert", "cleo", "dmitri")
GAUSSIANS = GMMConfig(components=16, iterations=10, max_frames=1000)
PLAIN = MFCCFrames(normalization="none")
KINDS = ("own", "adapted", "statistics", "embeddings")

runner = CliRunner()


@pytest.fixture(scope="module")
def clips(people: Path) -> Corpus:
    """Three clips of each to train on, one for dev, one for test."""
    return read_clips(people)


@pytest.fixture(scope="module")
def others(
    voice: Callable[..., NDArray[np.float32]],
    wav: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("others")
    for clip in range(4):
        wav(folder / "edda" / f"{clip}.wav", voice("edda", clip, 2.0))
    return folder


@pytest.fixture(scope="module")
def recipes(model_folder: Path) -> dict[str, ClassicRecipe]:
    background = AdaptedGMMs(background=("tiny",), relevance=4.0)
    return {
        "own": GMMRecipe(name="own", features=PLAIN, mixture=GAUSSIANS),
        "adapted": GMMRecipe(name="adapted", features=PLAIN, mixture=GAUSSIANS, speakers=background),
        "statistics": SVMRecipe(name="statistics", svm=SVMConfig(kernel="linear")),
        "embeddings": SVMRecipe(name="embeddings", vectors=Embeddings(model=str(model_folder))),
    }


@pytest.fixture(scope="module")
def runs(
    recipes: dict[str, ClassicRecipe],
    clips: Corpus,
    others: Path,
    tiny_corpora: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, ClassicOutcome]:
    root, out_of_set = tmp_path_factory.mktemp("classic"), read_people(others)
    return {
        kind: train_classic(recipe, clips, corpora=tiny_corpora, folder=root / kind, out_of_set=out_of_set)
        for kind, recipe in recipes.items()
    }


# ---- probabilities --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1.0, 20.0])
def test_probabilities_are_as_sure_as_clips_named_rightly_and_one_that_was_not(gap: float) -> None:
    scores = np.array([[gap, 0], [0, gap], [gap, 0]])
    # Three rightly named of 3 + 2, one of them in doubt: 1 - 1/5, whose odds are 4.
    assert fit_sharpness(scores, np.array([0, 1, 0])) == pytest.approx(np.log(4) / gap, rel=1e-3)


def test_scores_that_say_nothing_are_not_believed() -> None:
    scores = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert fit_sharpness(scores, np.array([0, 1, 0, 1])) == pytest.approx(1e-3, rel=0.01)


def gaussian(mean: float) -> GMM:
    one = np.ones((1, 40), np.float32)
    return GMM(weights=np.ones(1, np.float32), means=mean * one, variances=one)


@pytest.mark.parametrize("background", [None, gaussian(5.0)])
def test_gmms_score_by_likelihood_and_are_near_above_the_background(
    voice: Callable[..., NDArray[np.float32]], background: GMM | None
) -> None:
    speakers = SpeakerGMMs(gmms={"near": gaussian(0.0), "far": gaussian(3.0)}, background=background)
    features = MFCCFrames(normalization="mean-variance")
    found = GMMSystem(features=features, speakers=speakers).score(voice("ada", 0, 1.0))
    # Frames of mean 0 and variance 1 (slopes likewise): 40 dimensions of log density each.
    at = {mean: -20 * (np.log(2 * np.pi) + 1 + mean**2) for mean in (0.0, 3.0, 5.0)}
    np.testing.assert_allclose(found.scores, [at[0.0], at[3.0]], rtol=1e-4)
    common = 0.0 if background is None else at[5.0]
    assert found.similarity == pytest.approx(at[0.0] - common, rel=1e-4)


def test_an_svm_measures_cosines_of_embeddings_as_they_come_and_of_statistics_scaled() -> None:
    vectors = np.array([[10.0, 2.0], [14, 2], [10, 6], [14, 6]], np.float32)
    svm = fit_svm(vectors, np.array([0, 0, 1, 1]), SVMConfig(kernel="linear"))
    asked = np.array([[16.0, 4.0]], np.float32)  # mean (12, 4), deviation (2, 2)
    np.testing.assert_allclose(directions(svm, asked, scaled=True), [[1, 0]], atol=1e-6)
    system = SVMSystem(
        describe=lambda clips: np.repeat(np.array([[3, 4]], np.float32), len(clips), axis=0),
        svm=svm,
        scaled=False,
        centroids=np.array([[1, 0], [0, 1]], np.float32),
    )
    assert system.score(np.ones(1600, np.float32)).similarity == pytest.approx(0.8)


class Fixed:
    """A system that says the same of everything."""

    def score(self, samples: NDArray[np.float32]) -> ClassScores:
        return ClassScores(scores=np.array([np.log(3), 0.0]) / 2, similarity=0.25)


def test_a_classifier_sharpens_scores_and_passes_similarity_on(
    voice: Callable[..., NDArray[np.float32]],
) -> None:
    classifier = ClassicClassifier(system=Fixed(), names=("ada", "bert"), sharpness=2.0)
    found = classifier.classify(read_audio(voice("ada", 0, 2.0), sample_rate=SAMPLE_RATE))
    np.testing.assert_allclose(found.probabilities, [0.75, 0.25])
    assert found.similarity == 0.25
    assert 0.5 < found.seconds_of_speech <= 2.0


# ---- runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_opened_again_names_people(
    runs: dict[str, ClassicOutcome], kind: str, clips: Corpus
) -> None:
    outcome = runs[kind]
    assert outcome.clips == 4 and outcome.accuracy.value >= 0.75
    model = open_run(outcome.folder)
    assert model.classifier.names == NAMES
    assert model.rejection == outcome.rejection
    assert (outcome.rejection.in_set, outcome.rejection.out_of_set) == (4, 4)
    dev = evaluate_classifier(model.classifier, clips.filter(split="dev"))
    assert dev.accuracy == outcome.accuracy
    test = evaluate_classifier(model.classifier, clips.filter(split="test"))
    assert test.accuracy.value >= 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_from_the_files_is_what_was_trained(
    runs: dict[str, ClassicOutcome],
    kind: str,
    recipes: dict[str, ClassicRecipe],
    clips: Corpus,
    tiny_corpora: Path,
    tmp_path: Path,
) -> None:
    again = train_classic(recipes[kind], clips, corpora=tiny_corpora, folder=tmp_path / "run")
    first, second = (runs[kind].folder / "classifier.npz", again.folder / "classifier.npz")
    with np.load(first, allow_pickle=False) as one, np.load(second, allow_pickle=False) as two:
        assert set(one) == set(two)
        assert all(np.array_equal(one[key], two[key]) for key in one)
    assert again.rejection.out_of_set == 0 and again.rejection.p_fa is None


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_have_probabilities_and_reject(
    runs: dict[str, ClassicOutcome], kind: str, people: Path, others: Path
) -> None:
    model = open_run(runs[kind].folder)
    answer = model.predict(people / "ada" / "1.wav")
    assert (answer.decision, answer.name, answer.threshold) == ("identified", "ada", None)
    assert sum(each.probability for each in answer.probabilities) == pytest.approx(1.0)
    assert answer.similarity is not None
    at = model.predict(people / "ada" / "1.wav", threshold=answer.similarity)
    assert at.decision == "identified"  # the threshold itself is enough
    above = model.predict(people / "ada" / "1.wav", threshold=np.nextafter(answer.similarity, np.inf))
    assert (above.decision, above.name) == ("unknown", None)
    assert model.rejection is not None
    strict = model.predict(others / "edda" / "0.wav", reject=True)
    assert strict.threshold == model.rejection.threshold


def test_a_run_that_holds_the_weights_of_its_support_vectors_too_is_opened(
    copy: Callable[[str], Path], people: Path
) -> None:
    run = copy("statistics")
    clip = people / "ada" / "1.wav"
    before = open_run(run).predict(clip)
    with np.load(run / "classifier.npz") as arrays:
        n, classes = len(arrays["support"]), len(arrays["counts"])
        weights = {"dual": np.zeros((classes - 1, n)), "intercepts": np.zeros(classes * (classes - 1) // 2)}
        np.savez(run / "classifier.npz", **arrays, **weights)  # type: ignore[arg-type]  # its stub takes them for `allow_pickle`
    assert open_run(run).predict(clip) == before


def test_people_are_nearer_than_others_by_embeddings(
    runs: dict[str, ClassicOutcome], people: Path, others: Path
) -> None:
    model = open_run(runs["embeddings"].folder)

    def nearness(clip: Path) -> float:
        similarity = model.predict(clip).similarity
        assert similarity is not None
        return similarity

    near = [nearness(people / name / "4.wav") for name in NAMES]
    far = [nearness(others / "edda" / f"{clip}.wav") for clip in range(4)]
    assert np.mean(near) > np.mean(far)


# ---- what is refused ------------------------------------------------------------------------------------


def test_a_run_is_begun_once(
    runs: dict[str, ClassicOutcome], recipes: dict[str, ClassicRecipe], clips: Corpus
) -> None:
    with pytest.raises(TrainingError, match="holds a run already; give another folder"):
        train_classic(recipes["own"], clips, corpora=Path(), folder=runs["own"].folder)


def test_what_a_killed_training_left_is_replaced_whole(
    recipes: dict[str, ClassicRecipe], clips: Corpus, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("classifier.npz", "classifier.json"):
        (run / name).write_text("half of it")
        (tmp_path / name).hardlink_to(run / name)
    train_classic(recipes["own"], clips, corpora=Path(), folder=run)
    assert {(tmp_path / name).read_text() for name in ("classifier.npz", "classifier.json")} == {"half of it"}
    assert open_run(run).title == "own"


def test_out_of_set_speakers_are_others(
    recipes: dict[str, ClassicRecipe], clips: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="'ada' is one of the people"):
        train_classic(recipes["own"], clips, corpora=Path(), folder=tmp_path / "run", out_of_set=clips)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["own", "statistics"])
@pytest.mark.parametrize("silent", ["1.wav", "3.wav"])  # to train on, and dev
def test_a_silent_clip_is_named(
    recipes: dict[str, ClassicRecipe],
    people: Path,
    wav: Callable[..., Path],
    tmp_path: Path,
    kind: str,
    silent: str,
) -> None:
    clips = Path(shutil.copytree(people, tmp_path / "clips"))
    wav(clips / "bert" / silent, np.zeros(16_000, np.float32))
    with pytest.raises(AudioError, match=rf"bert/{silent}: the clip is digital silence"):
        train_classic(recipes[kind], read_clips(clips), corpora=tmp_path, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ask", [load_classifier, lambda run: export_classifier(run, run / "model")])
def test_a_classic_run_has_no_encoder(runs: dict[str, ClassicOutcome], ask: Callable[[Path], object]) -> None:
    with pytest.raises(ConfigError, match=r"kind = 'gmm'\), which has no encoder to export"):
        ask(runs["own"].folder)


@pytest.fixture
def copy(runs: dict[str, ClassicOutcome], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(runs[kind].folder, tmp_path / kind))


def drop_names(run: Path) -> None:
    facts = json.loads((run / "classifier.json").read_text())
    (run / "classifier.json").write_text(json.dumps(facts | {"names": ["ada"]}))


@pytest.mark.parametrize("kind", ["adapted", "statistics"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "classifier.npz").unlink(), "the run is not whole .* train it again"),
        (lambda run: (run / "classifier.npz").write_bytes(b"PK"), r"not whole \(no file of arrays"),
        (lambda run: (run / "classifier.json").write_text("{}"), "the run is not whole"),
        (drop_names, "the run is not whole"),
        (lambda run: np.savez(run / "classifier.npz", other=np.zeros(2)), "the run is not whole"),
        (lambda run: (run / "recipe.json").write_text('{"kind": "x"}'), "is no run of a classic system"),
    ],
)
def test_a_damaged_run_is_refused(
    copy: Callable[[str], Path], kind: str, damage: Callable[[Path], object], message: str
) -> None:
    run = copy(kind)
    damage(run)
    with pytest.raises(VoiceprintError, match=message):
        open_run(run)


def test_another_model_than_the_one_learned_from_is_refused(copy: Callable[[str], Path]) -> None:
    run = copy("embeddings")
    facts = json.loads((run / "classifier.json").read_text())
    (run / "classifier.json").write_text(json.dumps(facts | {"model_id": "0" * 64}))
    with pytest.raises(ModelError, match="another model than the one whose embeddings the run learned from"):
        open_run(run)


# ---- recipes and commands -------------------------------------------------------------------------------


def test_recipes_of_every_kind_are_read() -> None:
    assert isinstance(read_classifier_recipe(CONFIGS / "gmm.toml"), GMMRecipe)
    changed = read_classifier_recipe(CONFIGS / "svm.toml", ['vectors={kind="embeddings", model="m"}'])
    assert isinstance(changed, SVMRecipe) and changed.vectors == Embeddings(model="m")
    assert read_classifier_recipe(CONFIGS / "people.toml").name == "people"
    with pytest.raises(ConfigError, match=r"its network is trained on other people .* configs/svm.toml"):
        read_classifier_recipe(CONFIGS / "cnn-svm.toml")


def call(*words: object, code: int = 0) -> Result:
    result = runner.invoke(app, ["classify", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def test_the_commands_are_those_of_every_classifier(people: Path, others: Path, tmp_path: Path) -> None:
    run, svm = tmp_path / "run", ("--recipe", CONFIGS / "svm.toml")
    said = call("train", people, "-o", run, *svm, "--out-of-set", others).stdout
    assert "of out-of-set clips accepted" in said and "dev accuracy" in said and "of 4 clips" in said
    facts = json.loads(call("eval", run, "-o", tmp_path / "figures", "--json").stdout)
    assert facts["part"] == "test" and facts["confusion"]["names"] == list(NAMES)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["confusion.png", "report.json"]
    answers = json.loads(call("predict", run, people / "bert" / "0.wav", "--json").stdout)
    assert answers["model"] == "svm" and answers["predictions"][0]["name"] == "bert"
    call("predict", run, people / "bert" / "0.wav", "--threshold", "1.01", code=1)
    assert "has no encoder to export" in call("export", run, "-o", tmp_path / "model", code=2).stderr
    assert "holds a run already" in call("train", people, "-o", run, *svm, code=2).stderr
    own = ("--recipe", CONFIGS / "people.toml")
    assert "the run of a classic system" in call("train", people, "-o", run, *own, code=2).stderr


@pytest.mark.parametrize("option", [("--resume",), ("--export", "x"), ("--init", "x"), ("--device", "cuda")])
def test_options_of_encoders_are_refused(people: Path, tmp_path: Path, option: tuple[str, ...]) -> None:
    said = call("train", people, "-o", tmp_path / "run", "--recipe", CONFIGS / "svm.toml", *option, code=2)
    assert f"{option[0]} is for recipes that train an encoder" in " ".join(said.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_model_that_was_not_exported_cannot_reject_anybody(people: Path) -> None:
    model = ClassifierModel(
        classifier=ClassicClassifier(system=Fixed(), names=("ada", "bert"), sharpness=1.0),
        rejection=None,
        title="four",
    )
    clip = people / "ada" / "0.wav"
    assert model.predict(clip).decision == "identified"
    for asked in ({"reject": True}, {"threshold": 0.5}):
        with pytest.raises(ModelError, match="four: the run of an encoder cannot reject out-of-set speakers"):
            model.predict(clip, **asked)
