"""Rows without backpropagation: GMMs, SVMs, and what needs no training at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.baselines.bench import CONFIGS, SPLITS, TESTS, Bench, clips_a_batch, five_speakers
from benchmarks.baselines.groups import fragment_vectors, measure_groups
from benchmarks.baselines.models import measure_model, median_milliseconds, milliseconds, parameters_of
from benchmarks.baselines.named_speakers import (
    Fit,
    fit_centroids,
    fit_named_svm,
    name_by_gmms,
    name_by_svm,
    together,
)
from benchmarks.baselines.networks import measure_trained, train_network
from benchmarks.baselines.records import Accuracy, Costs, GroupFigure, Measured
from voiceprint.corpus import Corpus
from voiceprint.errors import TrainingError
from voiceprint.evaluation import EvaluationReport, evaluate_scores
from voiceprint.metrics import accuracy_interval
from voiceprint.model import PACKAGED_MODEL
from voiceprint.model.card import read_model_card
from voiceprint.training.classification.frames import Frames, FramesConfig, frames_of
from voiceprint.training.classification.gmm import GMM, adapt_means, likelihood_ratios
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe, GroupsConfig
from voiceprint.training.classification.speaker_gmms import fit_background
from voiceprint.training.classification.speech import map_speech
from voiceprint.training.classification.vectors import Embeddings, VectorsConfig, corpus_vectors
from voiceprint.training.run.recipe import read_recipe
from voiceprint.training.run.task import read_corpora
from voiceprint.trials import ScoredTrials, TrialList, make_trials

CLIPS = (1, 5, 20, 100)
"""Clips of each of the five speakers that a user might enroll."""

_DRAWS = 10  # of these clips
PACKAGED = Embeddings(model=str(PACKAGED_MODEL))


def gmm(bench: Bench, *overrides: str) -> Measured:
    """GMMs on the five speakers; with a background also the EER of unknown speakers."""
    recipe = bench.gmm(*overrides)
    if isinstance(recipe.speakers, AdaptedGMMs):
        return _adapted_gmms(recipe, recipe.speakers.relevance, bench)
    return _named_by_gmms(recipe, None, bench)


def svm(bench: Bench, vectors: VectorsConfig | None = None) -> Measured:
    """An SVM on statistics of short-term features, or on ``vectors``."""
    recipe = bench.svm()
    recipe = recipe if vectors is None else replace(recipe, vectors=vectors)
    cache = bench.folder / "embeddings"
    results = [name_by_svm(recipe, *_halves(bench, kind), kind=kind, cache=cache) for kind in SPLITS]
    fit = partial(fit_named_svm, config=recipe.svm)
    groups = _measure_groups(recipe.vectors, fit, recipe.groups, recipe.seed, bench)
    measured = replace(together(results), groups=groups)
    if isinstance(recipe.vectors, Embeddings):  # kept ones take no time
        speed = milliseconds(Path(recipe.vectors.model), seconds=1.0)
        measured = replace(measured, training_minutes=0.0, ms_per_clip=speed)
    return measured


def variant(name: str, bench: Bench, *, by_distance: bool = False) -> Measured:
    """A network as `verify_network` measures it, and an SVM on its embeddings."""
    trained = train_network(name, bench)
    measured = measure_trained(trained, bench, by_distance=by_distance)
    named = svm(bench, Embeddings(model=str(trained.model)))
    return replace(measured, figures=(*measured.figures, *named.figures), groups=named.groups)


def cnn_svm(bench: Bench) -> Measured:
    """An SVM on the embeddings of a spectrogram network that was trained on other people."""
    recipe = bench.cnn_svm()
    trained = train_network(recipe.network, bench)
    fit = partial(fit_named_svm, config=recipe.svm)
    vectors = Embeddings(model=str(trained.model))
    return replace(
        trained.measured,
        figures=tuple(measure_model(trained.model, bench)),
        groups=_measure_groups(vectors, fit, recipe.groups, recipe.seed, bench),
    )


def shipped(bench: Bench) -> Measured:
    """The model that ships, as it is; it was trained elsewhere, for as long as its card says."""
    training = read_model_card(PACKAGED_MODEL).training
    return Measured(
        parameters=parameters_of(PACKAGED_MODEL),
        clips_seen=int(training["steps"]) * clips_a_batch(read_recipe(CONFIGS / "default.toml").batches),
        training_minutes=float(training["minutes"]) if "minutes" in training else None,
        ms_per_clip=milliseconds(PACKAGED_MODEL),
        figures=tuple(measure_model(PACKAGED_MODEL, bench)),
    )


def without_training(bench: Bench) -> Measured:
    """What a user could do with the shipped model's embeddings of a few clips of the five speakers."""
    recipe = bench.svm()
    ways: dict[str, Fit] = {"centroid": fit_centroids, "svm": partial(fit_named_svm, config=recipe.svm)}
    figures = []
    for kind in SPLITS:
        known, asked = _halves(bench, kind)
        known_vectors, asked_vectors = (
            corpus_vectors(PACKAGED, corpus, cache=bench.folder / "embeddings") for corpus in (known, asked)
        )
        speakers, actual = (np.array([u.speaker for u in corpus]) for corpus in (known, asked))
        for way, fit in ways.items():
            for clips in [n for n in CLIPS if n <= min(np.unique(speakers, return_counts=True)[1])]:
                answered = [
                    fit(known_vectors[rows], speakers[rows])(asked_vectors)
                    for rows in _draws(speakers, clips)
                ]
                right = np.mean([names == actual for names in answered], axis=0)
                interval = accuracy_interval(actual, right, generator=np.random.default_rng(0))
                figures.append(Accuracy.of(f"{way}/{clips}/{kind}", interval))
    return Measured(
        parameters=0,
        clips_seen=None,
        training_minutes=0.0,
        ms_per_clip=milliseconds(PACKAGED_MODEL, seconds=1.0),
        figures=tuple(figures),
    )


def _draws(speakers: NDArray[np.str_], clips: int) -> list[NDArray[np.intp]]:
    """Rows of so many clips of every speaker, drawn several times."""
    generator = np.random.default_rng(clips)
    own = [np.flatnonzero(speakers == name) for name in np.unique(speakers)]
    return [
        np.concatenate([generator.choice(rows, clips, replace=False) for rows in own]) for _ in range(_DRAWS)
    ]


def _halves(bench: Bench, kind: str) -> tuple[Corpus, Corpus]:
    """What is learned from and what is asked, of a split of the five speakers."""
    corpus = five_speakers(bench.corpora, kind)
    return corpus.filter(split="train"), corpus.filter(split=SPLITS[kind])


def _adapted_gmms(recipe: GMMRecipe, relevance: float, bench: Bench) -> Measured:
    """One background, from which the five speakers are adapted, and those of every trial."""
    start = time.perf_counter()
    background = fit_background(recipe, corpora=bench.corpora)
    minutes = (time.perf_counter() - start) / 60
    named = _named_by_gmms(recipe, background, bench)
    return replace(
        named,
        training_minutes=minutes + (named.training_minutes or 0.0),
        figures=(*named.figures, _gmm_eer(recipe, background, relevance, bench)),
        verification=Costs(
            parameters=background.parameters,
            clips_seen=None,
            training_minutes=minutes,
            ms_per_clip=_milliseconds_a_trial(recipe, background, relevance),
        ),
    )


def _named_by_gmms(recipe: GMMRecipe, background: GMM | None, bench: Bench) -> Measured:
    name = partial(name_by_gmms, recipe, corpora=bench.corpora, background=background)
    return together([name(*_halves(bench, kind), kind=kind) for kind in SPLITS])


def _milliseconds_a_trial(recipe: GMMRecipe, background: GMM, relevance: float) -> float:
    """Adapting to a clip, and scoring it."""

    def adapt_and_score(noise: NDArray[np.float32]) -> object:
        frames = frames_of(recipe.features, noise)
        speaker = adapt_means(background, frames, relevance=relevance)
        return likelihood_ratios(background, speaker.means[None], frames)

    return median_milliseconds(adapt_and_score)


def _gmm_eer(recipe: GMMRecipe, background: GMM, relevance: float, bench: Bench) -> Accuracy:
    """EER over all pairs of clips of the test speakers, by likelihood ratio."""
    corpus = read_corpora(bench.corpora, ["speechocean762"], split="test")
    report = verify_by_gmms(
        make_trials(corpus),
        corpus,
        features=recipe.features,
        background=background,
        relevance=relevance,
        repetitions=bench.repetitions,
    )
    if report.eer_interval is None:
        raise TrainingError(f"no interval of the GMMs' EER: {'; '.join(report.notes)}")
    return Accuracy.of("eer/speechocean762", report.eer_interval)


def _measure_groups(
    vectors: VectorsConfig, fit: Fit, groups: GroupsConfig, seed: int, bench: Bench
) -> tuple[GroupFigure, ...]:
    found: list[GroupFigure] = []
    for name in TESTS:
        corpus = read_corpora(bench.corpora, [name], split="test")
        fragments = fragment_vectors(vectors, corpus, seconds=groups.fragment)
        found += measure_groups(fragments, fit, groups, corpus=name, seed=seed)
    return tuple(found)


_MODEL_COMPONENTS = 16_384  # Gaussians met at once by the frames of a clip: bounds the memory


def verify_by_gmms(
    trials: TrialList,
    corpus: Corpus,
    *,
    features: FramesConfig,
    background: GMM,
    relevance: float,
    repetitions: int = 1000,
) -> EvaluationReport:
    """Score trials by adapted GMMs and measure the errors.

    Parameters
    ----------
    trials : TrialList
        As `voiceprint.trials.make_trials` makes them of ``corpus``.
    corpus : Corpus
        Speakers that the background was not fitted to.
    """
    clips = {clip.id: frames for clip, frames in map_speech(partial(frames_of, features), corpus)}
    scored = score_by_gmms(trials, clips, background, relevance=relevance)
    speakers = {utterance.id: utterance.speaker for utterance in corpus}
    return evaluate_scores(scored, speakers=speakers, repetitions=repetitions)


def score_by_gmms(
    trials: TrialList, clips: Mapping[str, Frames], background: GMM, *, relevance: float
) -> ScoredTrials:
    """Score trials by the likelihood ratio of a speaker's adapted GMM and the background.

    Parameters
    ----------
    clips : mapping of str to ndarray, shape (n, dim), float32
        The frames of their clips.

    Returns
    -------
    ScoredTrials
        Scores in nats a frame; every trial has one.
    """
    missing = next((clip for clip in trials.clips if clip not in clips), None)
    if missing is not None:
        raise TrainingError(
            f"clip {missing!r} of the trials has no frames; give those of {len(trials.clips)}"
        )
    means = np.stack(
        [
            adapt_means(
                background, np.concatenate([clips[c] for c in model.clips]), relevance=relevance
            ).means
            for model in trials.models
        ]
    )
    scores = np.empty(len(trials))
    order = np.argsort(trials.test, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(trials.test[order])) + 1):
        frames = clips[trials.tests[trials.test[places[0]]]]
        scores[places] = _ratios(background, means[trials.enroll[places]], frames)
    return ScoredTrials(trials=trials, scores=scores)


def _ratios(background: GMM, means: NDArray[np.float32], frames: Frames) -> NDArray[np.float64]:
    at_once = max(1, _MODEL_COMPONENTS // means.shape[1])
    parts = [means[start : start + at_once] for start in range(0, len(means), at_once)]
    return np.concatenate([likelihood_ratios(background, part, frames) for part in parts])
