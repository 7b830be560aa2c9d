"""Named speakers from a corpus: trained on one split, asked about another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voiceprint.corpus import Corpus
from voiceprint.errors import ConfigError
from voiceprint.metrics import ConfusionMatrix, Interval
from voiceprint.training.baselines.classifiers import confusion_interval, fit_svm
from voiceprint.training.baselines.frames import Frames, FramesConfig, frames_of, pool_frames
from voiceprint.training.baselines.mixtures import Mixture, fit_mixture
from voiceprint.training.baselines.recipes import AdaptedMixtures, GMMRecipe, OwnMixtures, SVMRecipe
from voiceprint.training.baselines.speakers import MixtureClassifier, adapted_speakers, own_speakers
from voiceprint.training.baselines.speech import hear, naming
from voiceprint.training.baselines.vectors import corpus_vectors
from voiceprint.training.run.task import read_corpora

Times = tuple[float, float, float]
"""The clock in seconds when it started, had learned, and had answered."""

__all__ = [
    "ClosedSetResult",
    "fit_background",
    "fit_mixtures",
    "name_by_mixtures",
    "name_by_svm",
    "result_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedSetResult:
    """How a classifier of named speakers did.

    Parameters
    ----------
    confusion : ConfusionMatrix
        Who was taken for whom.
    accuracy : Interval
        For other speakers like these.
    parameters : int or None
        Numbers that were learned; None of a support vector machine, which keeps as many clips as it needs.
    training_seconds, seconds_per_clip : float
        Learning them, from audio files; answering one clip, from its file.
    """

    confusion: ConfusionMatrix
    accuracy: Interval
    parameters: int | None
    training_seconds: float
    seconds_per_clip: float


def result_of(
    actual: Sequence[str],
    answered: Sequence[str],
    *,
    parameters: int | None,
    times: Times,
) -> ClosedSetResult:
    """Put answers and the clock's readings together."""
    start, trained, done = times
    confusion = ConfusionMatrix.count(actual, answered)
    return ClosedSetResult(
        confusion=confusion,
        accuracy=confusion_interval(confusion, generator=np.random.default_rng(0)),
        parameters=parameters,
        training_seconds=trained - start,
        seconds_per_clip=(done - trained) / len(actual),
    )


def fit_background(recipe: GMMRecipe, *, corpora: Path) -> Mixture:
    """Fit the universal background model of a recipe to the ``train`` speakers of its corpora.

    Raises
    ------
    ConfigError
        The recipe has no background.
    CorpusError
        A corpus is missing.
    """
    if not isinstance(recipe.speakers, AdaptedMixtures):
        raise ConfigError('speakers.kind: "own" has no background; set it to "map"')
    corpus = read_corpora(corpora, recipe.speakers.background, split="train")
    generator = np.random.default_rng(recipe.seed)
    share = max(1, recipe.mixture.max_frames // len(corpus))
    # Clip by clip, so that the frames of hours of speech are never held at once.
    drawn = [
        pool_frames([frames_of(recipe.features, clip.samples)], share, generator) for clip in hear(corpus)
    ]
    return fit_mixture(np.concatenate(drawn), recipe.mixture, seed=recipe.seed)


def fit_mixtures(
    recipe: GMMRecipe, train: Corpus, *, corpora: Path, background: Mixture | None = None
) -> MixtureClassifier:
    """Learn a mixture for each speaker of ``train``.

    Parameters
    ----------
    recipe : GMMRecipe
    train : Corpus
    corpora : Path
        Root of the background's corpora.
    background : Mixture, optional
        That of `fit_background`, for recipes that have one; fitted here where left out.

    Raises
    ------
    AudioError, CorpusError, TrainingError
        A clip cannot be read, a corpus is missing, or there is too little speech for a mixture.
    """
    clips = _frames_by_speaker(recipe.features, train)
    if isinstance(recipe.speakers, OwnMixtures):
        return own_speakers(clips, recipe.mixture, seed=recipe.seed)
    return adapted_speakers(
        clips,
        fit_background(recipe, corpora=corpora) if background is None else background,
        relevance=recipe.speakers.relevance,
        max_frames=recipe.mixture.max_frames,
        seed=recipe.seed,
    )


def name_by_mixtures(
    recipe: GMMRecipe, train: Corpus, test: Corpus, *, corpora: Path, background: Mixture | None = None
) -> ClosedSetResult:
    """Learn the speakers of ``train`` by mixtures, and name those of ``test``.

    Parameters
    ----------
    recipe : GMMRecipe
    train, test : Corpus
        Clips of the same speakers.
    corpora, background
        As for `fit_mixtures`; times are without a background that is given.

    Raises
    ------
    AudioError, CorpusError, TrainingError
        A clip cannot be read, a corpus is missing, or there is too little speech for a mixture.
    """
    start = time.perf_counter()
    classifier = fit_mixtures(recipe, train, corpora=corpora, background=background)
    trained = time.perf_counter()
    answered = [
        name for clip in hear(test) for name in classifier.answer([frames_of(recipe.features, clip.samples)])
    ]
    parameters = sum(mixture.parameters for mixture in classifier.mixtures.values())
    times = start, trained, time.perf_counter()
    return result_of([u.speaker for u in test], answered, parameters=parameters, times=times)


def name_by_svm(
    recipe: SVMRecipe, train: Corpus, test: Corpus, *, cache: Path | None = None
) -> ClosedSetResult:
    """Learn the speakers of ``train`` by a support vector machine, and name those of ``test``.

    Parameters
    ----------
    recipe : SVMRecipe
    train, test : Corpus
        Clips of the same speakers.
    cache : Path, optional
        As for `corpus_vectors`; times are of what was not kept there.

    Raises
    ------
    AudioError, TrainingError
        A clip cannot be read or described.
    ModelError
        The model folder of the recipe's embeddings is missing or damaged.
    """
    start = time.perf_counter()
    known = corpus_vectors(recipe.vectors, train, cache=cache)
    answer = fit_svm(known, np.array([u.speaker for u in train]), recipe.svm)
    trained = time.perf_counter()
    answered = answer(corpus_vectors(recipe.vectors, test, cache=cache)).tolist()
    times = start, trained, time.perf_counter()
    return result_of([u.speaker for u in test], answered, parameters=None, times=times)


def _frames_by_speaker(features: FramesConfig, corpus: Corpus) -> dict[str, list[Frames]]:
    clips: dict[str, list[Frames]] = {}
    for clip in hear(corpus):
        with naming(clip):
            clips.setdefault(clip.utterance.speaker, []).append(frames_of(features, clip.samples))
    return clips
