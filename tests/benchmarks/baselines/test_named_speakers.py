"""The classic systems from audio files to figures, on a few synthetic voices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from small_corpus import write_small_corpus

from benchmarks.baselines.classic import verify_by_gmms
from benchmarks.baselines.groups import fragment_vectors
from benchmarks.baselines.named_speakers import (
    confusion_interval,
    fit_centroids,
    fit_named_svm,
    name_by_gmms,
    name_by_svm,
)
from voiceprint.corpus import Corpus, read_manifest, write_manifest
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.metrics import ConfusionMatrix, accuracy_interval
from voiceprint.scoring import centroid
from voiceprint.training.classification.frames import LPCCFrames, MFCCFrames
from voiceprint.training.classification.gmm import GMMConfig
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe, SVMRecipe
from voiceprint.training.classification.speaker_gmms import fit_background
from voiceprint.training.classification.svm import SVMConfig
from voiceprint.training.classification.vectors import Embeddings, Statistics, corpus_vectors, describe
from voiceprint.trials import make_trials

Halves = tuple[Corpus, Corpus]

GAUSSIANS = GMMConfig(components=4, iterations=10, max_frames=1000)
OWN = GMMRecipe(name="own", mixture=GAUSSIANS)
ADAPTED = GMMRecipe(name="map", mixture=GAUSSIANS, speakers=AdaptedGMMs(background=("small",), relevance=4.0))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., NDArray[np.float32]]) -> Path:
    """Six voices with four clips of 2 s, two to learn from and two to be asked about."""
    root = tmp_path_factory.mktemp("classic")
    corpus = write_small_corpus(root / "small", voice)
    split = {"0.wav": "train", "1.wav": "train", "2.wav": "test", "3.wav": "test"}
    write_manifest(
        Corpus(replace(u, split=split[u.path.name]) for u in corpus), root / "small" / "manifest.csv"
    )
    return root


@pytest.fixture
def halves(corpora: Path) -> tuple[Corpus, Corpus]:
    corpus = read_manifest(corpora / "small")
    return corpus.filter(split="train"), corpus.filter(split="test")


@pytest.mark.parametrize("features", [MFCCFrames(normalization="none"), LPCCFrames(normalization="none")])
def test_a_gmm_a_speaker_names_voices(
    corpora: Path, halves: Halves, features: MFCCFrames | LPCCFrames
) -> None:
    result = name_by_gmms(replace(OWN, features=features), *halves, kind="blocks", corpora=corpora)
    (accuracy,), (confusion,) = result.figures, result.confusions
    assert (accuracy.what, confusion.title) == ("accuracy/blocks", "blocks")
    assert np.sum(confusion.counts) == 12
    assert accuracy.value == np.trace(confusion.counts) / 12 > 0.5  # chance is 1/6
    # Of each of six speakers four Gaussians: a weight, 40 means, 40 variances.
    assert result.parameters == 6 * 4 * 81
    assert result.training_minutes is not None
    assert result.training_minutes > 0 < result.ms_per_clip


def test_an_adapted_background_names_and_verifies_voices(corpora: Path, halves: Halves) -> None:
    recipe = replace(ADAPTED, features=MFCCFrames(normalization="none"))
    assert name_by_gmms(recipe, *halves, kind="blocks", corpora=corpora).figures[0].value > 0.5
    report = verify_by_gmms(
        make_trials(halves[1]),
        halves[1],
        features=recipe.features,
        background=fit_background(recipe, corpora=corpora),
        relevance=4.0,
        repetitions=20,
    )
    assert (report.metrics.n_target, report.metrics.n_nontarget) == (6, 60)
    assert report.metrics.eer < 0.35
    assert report.eer_interval is not None


def test_a_background_that_is_there_is_not_fitted_again(
    corpora: Path, halves: Halves, tmp_path: Path
) -> None:
    recipe = ADAPTED
    background = fit_background(recipe, corpora=corpora)
    name = partial(name_by_gmms, recipe, *halves, kind="blocks")
    here = name(corpora=corpora)
    given = name(corpora=tmp_path / "nothing", background=background)
    assert given.confusions == here.confusions
    dim = background.means.shape[1]
    assert background.parameters == 4 * (1 + 2 * dim)
    assert given.parameters == background.parameters * len(given.confusions[0].names)


def test_a_gmm_a_speaker_has_no_background(corpora: Path) -> None:
    with pytest.raises(ConfigError, match='"own" has no background'):
        fit_background(OWN, corpora=corpora)


def test_an_svm_names_voices_by_statistics(halves: Halves) -> None:
    result = name_by_svm(SVMRecipe(name="svm", svm=SVMConfig(kernel="linear")), *halves, kind="blocks")
    assert result.figures[0].value > 0.5
    assert result.parameters is None


def test_embeddings_are_kept_for_the_next_time(halves: Halves, model_folder: Path, tmp_path: Path) -> None:
    config = Embeddings(model=str(model_folder))
    first = corpus_vectors(config, halves[0], cache=tmp_path)
    assert first.shape[0] == 12
    assert list(tmp_path.glob("*.sqlite"))
    np.testing.assert_array_equal(corpus_vectors(config, halves[0], cache=tmp_path), first)


@pytest.mark.parametrize("kind", ["statistics", "embeddings"])
def test_fragments_know_speaker_clip_and_gender(halves: Halves, model_folder: Path, kind: str) -> None:
    config = Statistics() if kind == "statistics" else Embeddings(model=str(model_folder))
    fragments = fragment_vectors(config, halves[0], seconds=0.5)
    assert len(fragments.vectors) == len(fragments.speakers) == len(fragments.clips)
    assert fragments.genders["ada"] == "f"
    assert fragments.genders["bert"] == "m"
    of_ada = fragments.speakers == "ada"
    assert set(fragments.clips[of_ada]) == {"ada/0.wav", "ada/1.wav"}
    assert 4 <= of_ada.sum() <= 8  # of two clips of 2 s, without their pauses


def test_the_nearest_centroid_is_that_of_enrolling() -> None:
    known = np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    first, second = centroid(known[:2]), centroid(known[2:])
    halfway = first + second  # as near to one as to the other
    answer = fit_centroids(known, np.array(["a", "a", "b"]))
    assert answer(np.stack([halfway + 0.01 * first, halfway + 0.01 * second])).tolist() == ["a", "b"]


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_an_svm_separates_what_can_be_separated(kernel: Literal["linear", "rbf"]) -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [6, 0], [0, 600]], np.float32)  # dimensions of unlike scale
    places = rng.integers(3, size=90)
    vectors = (centres[places] + rng.normal(0, 1, (90, 2)) * [1, 100]).astype(np.float32)
    names = np.array(["a", "b", "c"])[places]
    answer = fit_named_svm(vectors[:60], names[:60], SVMConfig(kernel=kernel))
    assert np.mean(answer(vectors[60:]) == names[60:]) > 0.9


def test_one_speaker_is_no_question() -> None:
    with pytest.raises(TrainingError, match="two or more speakers"):
        fit_named_svm(np.eye(2, dtype=np.float32), np.array(["a", "a"]), SVMConfig())


def test_a_confusion_matrix_gives_the_interval_of_its_answers() -> None:
    matrix = ConfusionMatrix(names=("a", "b"), counts=((3, 1), (0, 2)))
    from_answers = accuracy_interval(
        list("aaaabb"), np.array([1, 1, 1, 0, 1, 1]), generator=np.random.default_rng(3)
    )
    assert confusion_interval(matrix, generator=np.random.default_rng(3)) == from_answers


def test_statistics_are_mean_deviation_and_quantiles() -> None:
    frames = np.stack([np.arange(11), np.ones(11)], axis=1).astype(np.float32)
    np.testing.assert_allclose(describe(frames), [5, 1, np.sqrt(10), 0, 1, 1, 5, 1, 9, 1], rtol=1e-6)
